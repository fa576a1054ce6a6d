"""A firewall that forgets idle connections, without a reset to either side."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

import asyncio
import time

from runner.simulator.catalogue import environment
from runner.simulator.tcp_proxy import ClientSide, ServerSide, TcpProxy

IDLE_SECONDS = 2.0


class _Tracked(ServerSide):
    """Forwards nothing after an idle time; the client's closing is forwarded, so that no session stays for ever."""

    def __init__(self, client: ClientSide, thread_id: int) -> None:
        super().__init__(client, thread_id)
        self._used = time.monotonic()
        self._forgotten = False

    def _is_forgotten(self) -> bool:
        now = time.monotonic()
        self._forgotten |= now - self._used > IDLE_SECONDS
        self._used = now
        return self._forgotten

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._used = time.monotonic()

    def data_received(self, data: bytes) -> None:
        if not self._is_forgotten():
            super().data_received(data)

    def send(self, data: bytes) -> None:
        if not self._is_forgotten():
            super().send(data)

    def eof_received(self) -> bool:
        return self._is_forgotten() or super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._is_forgotten():
            super().connection_lost(exc)


@environment
class IdleConnectionsDropped(TcpProxy):
    """A firewall drops all packets of a connection that was idle for 2 seconds."""

    def new_server_side(self, client: ClientSide) -> ServerSide:
        return _Tracked(client, self.new_id())
