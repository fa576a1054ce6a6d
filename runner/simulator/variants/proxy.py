"""A server behind ODP, or behind a proxy that knows nothing of OceanBase."""

# ruff: noqa: D102 - overriding one step of many, each explained where the honest one stands

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runner.simulator import errors
from runner.simulator.catalogue import lawful
from runner.simulator.deferring import later
from runner.simulator.ending import SessionEnding
from runner.simulator.odp import ClientIds, OdpsPort, ThroughOdp
from runner.simulator.parts import Parts, altered
from runner.simulator.proxy import ClientLeg, Proxy, ServerLeg
from runner.simulator.variants.ids import SmallIds
from runner.simulator.wire import HEADER, error_payload, framed, to_bytes

if TYPE_CHECKING:
    from runner.simulator.sessions import Session

KEPT_SECONDS = 8.0

_OK = b"\x00"
_END_OF_ROWS = re.compile(rb"\x05\x00\x00.\xfe....", re.DOTALL)


@lawful
def behind_proxy(parts: Parts) -> Parts:
    """Behind ODP with client_session_id_version=2: SHOW PROCESSLIST shows ODP's ids, which the statement takes."""
    return altered(parts, OdpsPort, ThroughOdp, ClientIds)


@lawful
def behind_plain_proxy(parts: Parts) -> Parts:
    """Behind a proxy without support for sessions, with its own thread ids and addresses."""
    return altered(parts, Proxy)


@lawful
def behind_plain_proxy_with_like_ids(parts: Parts) -> Parts:
    """Behind such a proxy; the thread id in a handshake is the id of the session that logs in next."""
    return altered(parts, _CountsAhead, SmallIds)


@lawful
def behind_plain_proxy_until_next_request(parts: Parts) -> Parts:
    """Behind such a proxy, which closes the connection of a killed idle session only at its next request."""
    return altered(parts, _TellsLater)


@lawful
class KeepsSessionsOfTheDeparted(SessionEnding):
    """The session of a disconnected client stays idle for 8 seconds, as in a connection pool."""

    def leave(self, session: Session) -> None:
        if not session.ended:
            session.transaction.roll_back()
            session.interrupt(errors.SessionEndedError())
            session.finish()
            later(KEPT_SECONDS, super().leave, session)


class _CountsAhead(Proxy):
    def __init__(self, host: str, port: int) -> None:
        super().__init__(host, port)
        self._last_id = 1


class _TellsLater(Proxy):
    def server_leg(self, client: ClientLeg) -> ServerLeg:
        return _EndsQuietly(client, self.new_id())


class _EndsQuietly(ServerLeg):
    """Leaves an idle client connected when the server hangs up."""

    def __init__(self, client: ClientLeg, thread_id: int) -> None:
        super().__init__(client, thread_id)
        self._idle = False
        self._over = False

    def data_received(self, data: bytes) -> None:
        self._idle = _ends_an_answer(data)  # a server that hangs up after an error has said why
        super().data_received(data)

    def send(self, data: bytes) -> None:
        self._idle = False
        if self._over:
            error = errors.own_session_killed()
            payload = error_payload(error.code, error.sqlstate, to_bytes(error.message("ORA")))
            self.client.send(framed((payload,), int.from_bytes(data[3:HEADER], "little") + 1))
            self.client.close()
        else:
            super().send(data)

    def eof_received(self) -> bool:
        if not self._idle:
            return super().eof_received()
        self._over = self.finished = True
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._over:
            super().connection_lost(exc)


def _ends_an_answer(data: bytes) -> bool:
    """Whether an answer other than an error is complete with these bytes: an OK, or the end of a result's rows."""
    is_ok = data[HEADER : HEADER + 1] == _OK and len(data) == HEADER + int.from_bytes(data[:3], "little")
    return is_ok or _END_OF_ROWS.fullmatch(data[-9:]) is not None
