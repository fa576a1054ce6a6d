"""A proxy in front of the server that knows nothing of statements.

For each client it opens one connection to the server, and passes on whatever comes on either: bytes, no matter how
many, the end of the sending half, a reset. All that it changes is the greeting, which names the proxy's own thread id.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress
from typing import cast

from runner.simulator.entrance import BACKLOG, Entrance, listen, port_of
from runner.simulator.wire import HEADER

LOOPBACK = "127.0.0.1"
HALF_CLOSED_SECONDS = 30.0
CLOSING_SECONDS = 1.0

_GREETING = 0x0A


class Proxy(Entrance):
    """Clients connect to a proxy, which has thread ids and addresses of its own."""

    def __init__(self, host: str, port: int) -> None:
        self._door = listen(host, port)
        super().__init__(LOOPBACK, 0)
        self._server_port, self.port = self.port, port_of(self._door)
        self._last_id = 0
        self._clients: set[ClientLeg] = set()
        self._connecting: set[asyncio.Task[None]] = set()
        self._accepting: asyncio.Server | None = None

    async def open(self) -> None:
        """Accepts clients."""
        self._accepting = await asyncio.get_running_loop().create_server(
            lambda: ClientLeg(self), sock=self._door, backlog=BACKLOG
        )

    def close(self) -> None:
        """Closes every connection, on both sides."""
        if self._accepting is not None:
            self._accepting.close()
        for task in tuple(self._connecting):
            task.cancel()
        for client in tuple(self._clients):
            client.abort()

    def new_id(self) -> int:
        """The thread id of the next client: the proxy counts its own."""
        self._last_id += 1
        return self._last_id

    def server_leg(self, client: ClientLeg) -> ServerLeg:
        """The connection to the server for a client."""
        return ServerLeg(client, self.new_id())

    def has_come(self, client: ClientLeg) -> None:
        """A client is there: connects it to the server."""
        self._clients.add(client)
        task = asyncio.get_running_loop().create_task(self._connect(client))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    def has_left(self, client: ClientLeg) -> None:
        """A client's connection is closed."""
        self._clients.discard(client)

    async def _connect(self, client: ClientLeg) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: self.server_leg(client), LOOPBACK, self._server_port)
        except OSError:  # nothing to pass on but that the server is not there
            client.abort()


class Leg(asyncio.Protocol):
    """One of the two connections that are joined: what comes in here goes out at the other one.

    As long as that one's buffer is full, nothing more is read here, so that neither side can make the proxy hoard.
    """

    def __init__(self) -> None:
        self.other: Leg | None = None
        self.finished = False
        """Whether the peer has said that it sends no more."""
        self.transport: asyncio.Transport = cast("asyncio.Transport", None)  # set before anything can ask for it

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is there."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Passes on what came."""
        if self.other is not None:
            self.other.send(data)

    def send(self, data: bytes) -> None:
        """Sends what came at the other one."""
        self.transport.write(data)

    def pause_writing(self) -> None:
        """The peer reads slower than the other one sends."""
        if self.other is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        """The peer has caught up."""
        if self.other is not None:
            self.other.transport.resume_reading()

    def eof_received(self) -> bool:
        """Passes on that the peer sends no more; the other direction stays open until its end comes too."""
        if not self.finished and self.other is not None:
            self.finished = True
            with suppress(OSError):  # the other one is being reset, which is passed on in its turn
                self.other.transport.write_eof()
            if self.other.finished:
                self.close()
                self.other.close()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is closed: so is the other one, by a reset where this one was reset."""
        if self.other is not None:
            if exc is None:
                self.other.close()
            else:
                self.other.reset()

    def close(self) -> None:
        """Closes the connection once everything is sent; a peer that does not read is cut off after a while."""
        if not self.transport.is_closing():
            self.transport.close()
            asyncio.get_running_loop().call_later(CLOSING_SECONDS, self.transport.abort)

    def reset(self) -> None:
        """Closes the connection with a reset."""
        plain = cast("socket.socket", self.transport.get_extra_info("socket"))
        with suppress(OSError):
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.abort()

    def abort(self) -> None:
        """Closes the connection without sending anything more."""
        self.transport.abort()


class ClientLeg(Leg):
    """The connection of a client."""

    def __init__(self, proxy: Proxy) -> None:
        super().__init__()
        self._proxy = proxy

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The client has to wait for its connection to the server."""
        super().connection_made(transport)
        # Not at once: Python 3.11.2 begins to read only after this call, whatever it says.
        asyncio.get_running_loop().call_soon(self.transport.pause_reading)
        self._proxy.has_come(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._proxy.has_left(self)
        super().connection_lost(exc)


class ServerLeg(Leg):
    """The connection to the server for one client, whom the greeting names `thread_id`."""

    def __init__(self, client: ClientLeg, thread_id: int) -> None:
        super().__init__()
        self.client = client
        self._thread_id = thread_id
        self._greeting: bytearray | None = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Joins the two connections, unless the client has left meanwhile."""
        super().connection_made(transport)
        if self.client.transport.is_closing():
            self.abort()
            return
        self.other, self.client.other = self.client, self
        self.client.transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        """The first packet is the greeting."""
        if self._greeting is not None:
            self._greeting += data
            if not _holds_a_packet(self._greeting):
                return
            data, self._greeting = _with_thread_id(self._greeting, self._thread_id), None
        super().data_received(data)

    def eof_received(self) -> bool:
        """The server has hung up, or half of it has: the client is told, and has a while to hang up too."""
        asyncio.get_running_loop().call_later(HALF_CLOSED_SECONDS, self.abort)
        return super().eof_received()


def _holds_a_packet(data: bytearray) -> bool:
    return len(data) >= HEADER and len(data) >= HEADER + int.from_bytes(data[:3], "little")


def _with_thread_id(data: bytearray, thread_id: int) -> bytes:
    """A greeting with another thread id, which stands behind the version's zero; a refusal as it is."""
    if data[HEADER] == _GREETING:
        at = data.index(0, HEADER + 1) + 1
        data[at : at + 4] = struct.pack("<I", thread_id)
    return bytes(data)
