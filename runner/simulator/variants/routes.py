"""Conforming variants behind ODP or a TCP proxy, or with a slow network."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable

from runner.simulator import errors
from runner.simulator.catalogue import variant
from runner.simulator.components import Components
from runner.simulator.odp import OdpConnection, OdpListener, OdpSessionIds
from runner.simulator.renumbering_proxy import ClientSide, RenumberingProxy, ServerSide
from runner.simulator.timers import call_later
from runner.simulator.variants.ids import SmallIds
from runner.simulator.wire import HEADER, error_payload, framed, to_bytes

ONE_WAY_SECONDS = 0.05

_OK = b"\x00"
_END_OF_ROWS = re.compile(rb"\x05\x00\x00.\xfe....", re.DOTALL)


@variant
def behind_proxy(components: Components) -> Components:
    """Behind ODP with client_session_id_version=2: SHOW PROCESSLIST shows ODP's ids, which the statement takes."""
    return components.with_overrides(OdpListener, OdpConnection, OdpSessionIds)


@variant
def behind_plain_proxy(components: Components) -> Components:
    """Behind a proxy without support for sessions, with its own thread ids and addresses."""
    return components.with_overrides(RenumberingProxy)


@variant
def behind_plain_proxy_with_like_ids(components: Components) -> Components:
    """Behind a proxy whose handshakes contain the id of the session that logs in next."""
    return components.with_overrides(_CountsAhead, SmallIds)


@variant
def behind_plain_proxy_until_next_request(components: Components) -> Components:
    """Behind a proxy that closes the connection of a killed idle session only at its next request."""
    return components.with_overrides(_ClosesAtNextRequest)


@variant
class SlowNetwork(RenumberingProxy):
    """Each packet needs 50 milliseconds, in each direction."""

    def new_server_side(self, client: ClientSide) -> ServerSide:
        return _Delayed(client, self.new_id())


class _CountsAhead(RenumberingProxy):
    def __init__(self, host: str, port: int) -> None:
        super().__init__(host, port)
        self._last_id = 1


class _ClosesAtNextRequest(RenumberingProxy):
    def new_server_side(self, client: ClientSide) -> ServerSide:
        return _KeepsIdleClient(client, self.new_id())


class _KeepsIdleClient(ServerSide):
    """Keeps the connection of an idle client open after the server has closed its own."""

    def __init__(self, client: ClientSide, thread_id: int) -> None:
        super().__init__(client, thread_id)
        self._idle = False
        self._server_closed = False

    def data_received(self, data: bytes) -> None:
        self._idle = _ends_a_reply(data)  # after an error packet the connection is closed at once
        super().data_received(data)

    def send(self, data: bytes) -> None:
        self._idle = False
        if self._server_closed:
            error = errors.own_session_killed()
            payload = error_payload(error.code, error.sqlstate, to_bytes(error.message("ORA")))
            self.client.send(framed((payload,), int.from_bytes(data[3:HEADER], "little") + 1))
            self.client.close()
        else:
            super().send(data)

    def eof_received(self) -> bool:
        if not self._idle:
            return super().eof_received()
        self._server_closed = self.eof_seen = True
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._server_closed:
            super().connection_lost(exc)


def _ends_a_reply(data: bytes) -> bool:
    """Whether the data ends with a complete reply that is no error: OK, or the end of a result's rows."""
    is_ok = data[HEADER : HEADER + 1] == _OK and len(data) == HEADER + int.from_bytes(data[:3], "little")
    return is_ok or _END_OF_ROWS.fullmatch(data[-9:]) is not None


class _Delayed(ServerSide):
    """Forwards all events of both directions later, in their order."""

    def __init__(self, client: ClientSide, thread_id: int) -> None:
        super().__init__(client, thread_id)
        self._greeting = None  # a network changes nothing
        self._events: deque[Callable[[], object]] = deque()

    def _later(self, event: Callable[[], object]) -> None:
        self._events.append(event)
        call_later(ONE_WAY_SECONDS, self._next)

    def _next(self) -> None:
        self._events.popleft()()

    def data_received(self, data: bytes) -> None:
        self._later(lambda: super(_Delayed, self).data_received(data))

    def send(self, data: bytes) -> None:
        self._later(lambda: super(_Delayed, self).send(data))

    def send_eof(self) -> None:
        self._later(super().send_eof)

    def close(self) -> None:
        self._later(super().close)

    def reset(self) -> None:
        self._later(super().reset)

    def eof_received(self) -> bool:
        self._later(super().eof_received)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._later(lambda: super(_Delayed, self).connection_lost(exc))
