"""A TCP proxy in front of the server, which gives its clients thread ids of its own and does not read statements.

For each client it opens one connection to the server, and forwards all data, the end of one direction, and resets.
It changes only the thread id in the greeting.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress
from typing import cast

from runner.simulator.listener import BACKLOG, Listener, listening_socket, port_of
from runner.simulator.wire import HEADER

LOOPBACK = "127.0.0.1"
HALF_CLOSED_SECONDS = 30.0
CLOSING_SECONDS = 1.0

_GREETING = 0x0A


class RenumberingProxy(Listener):
    """Clients connect to a proxy with its own thread ids and addresses."""

    def __init__(self, host: str, port: int) -> None:
        self._public_socket = listening_socket(host, port)
        super().__init__(LOOPBACK, 0)
        self._server_port, self.port = self.port, port_of(self._public_socket)
        self._last_id = 0
        self._clients: set[ClientSide] = set()
        self._connecting: set[asyncio.Task[None]] = set()
        self._accepting: asyncio.Server | None = None

    async def open(self) -> None:
        """Starts accepting clients."""
        self._accepting = await asyncio.get_running_loop().create_server(
            lambda: ClientSide(self), sock=self._public_socket, backlog=BACKLOG
        )

    def close(self) -> None:
        """Closes all connections, to clients and to the server."""
        if self._accepting is not None:
            self._accepting.close()
        for task in tuple(self._connecting):
            task.cancel()
        for client in tuple(self._clients):
            client.abort()

    def new_id(self) -> int:
        """The thread id for the next client."""
        self._last_id += 1
        return self._last_id

    def new_server_side(self, client: ClientSide) -> ServerSide:
        """Creates the connection to the server for a client."""
        return ServerSide(client, self.new_id())

    def client_connected(self, client: ClientSide) -> None:
        """Called for a new client: opens its connection to the server."""
        self._clients.add(client)
        task = asyncio.get_running_loop().create_task(self._connect(client))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    def client_disconnected(self, client: ClientSide) -> None:
        """Called when a client's connection is closed."""
        self._clients.discard(client)

    async def _connect(self, client: ClientSide) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: self.new_server_side(client), LOOPBACK, self._server_port)
        except OSError:  # the server doesn't accept connections
            client.abort()


class Side(asyncio.Protocol):
    """One of the two connections of a client; received data is sent on the other one, ``peer``.

    While the send buffer of the peer is full, nothing is read here, so that the proxy's memory is bounded.
    """

    def __init__(self) -> None:
        self.peer: Side | None = None
        self.eof_seen = False
        """Whether the end of the received data has been reached."""
        self.transport: asyncio.Transport = cast("asyncio.Transport", None)  # set before the first use

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the transport."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Forwards received data."""
        if self.peer is not None:
            self.peer.send(data)

    def send(self, data: bytes) -> None:
        """Sends data that the peer received."""
        self.transport.write(data)

    def send_eof(self) -> None:
        """Ends the data in this direction; the other one stays open."""
        with suppress(OSError):  # it is being reset, which is forwarded, too
            self.transport.write_eof()

    def pause_writing(self) -> None:
        """The send buffer is full: stops reading from the peer."""
        if self.peer is not None:
            self.peer.transport.pause_reading()

    def resume_writing(self) -> None:
        """The send buffer has room: continues to read from the peer."""
        if self.peer is not None:
            self.peer.transport.resume_reading()

    def eof_received(self) -> bool:
        """Forwards the end of the data; the other direction stays open until its end."""
        if not self.eof_seen and self.peer is not None:
            self.eof_seen = True
            self.peer.send_eof()
            if self.peer.eof_seen:
                self.close()
                self.peer.close()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is closed: closes the peer as well, with a reset after a reset."""
        if self.peer is not None:
            if exc is None:
                self.peer.close()
            else:
                self.peer.reset()

    def close(self) -> None:
        """Closes the connection after all data is sent; aborts it after a second if the data is not read."""
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


class ClientSide(Side):
    """The connection of a client."""

    def __init__(self, proxy: RenumberingProxy) -> None:
        super().__init__()
        self._proxy = proxy

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Reads nothing until the connection to the server is open."""
        super().connection_made(transport)
        # Not immediately: Python 3.11.2 starts to read after this method, even if reading was paused.
        asyncio.get_running_loop().call_soon(self.transport.pause_reading)
        self._proxy.client_connected(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Removes the client from the proxy."""
        self._proxy.client_disconnected(self)
        super().connection_lost(exc)


class ServerSide(Side):
    """The connection to the server for one client, with ``thread_id`` in the greeting."""

    def __init__(self, client: ClientSide, thread_id: int) -> None:
        super().__init__()
        self.client = client
        self._thread_id = thread_id
        self._greeting: bytearray | None = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Joins the two connections, unless the client has disconnected meanwhile."""
        super().connection_made(transport)
        if self.client.transport.is_closing():
            self.abort()
            return
        self.peer, self.client.peer = self.client, self
        self.client.transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        """Replaces the thread id in the first packet, the greeting."""
        if self._greeting is not None:
            self._greeting += data
            if not _holds_a_packet(self._greeting):
                return
            data, self._greeting = _with_thread_id(self._greeting, self._thread_id), None
        super().data_received(data)

    def eof_received(self) -> bool:
        """The server has closed its direction: forwards that, and closes both connections after a time limit."""
        asyncio.get_running_loop().call_later(HALF_CLOSED_SECONDS, self.abort)
        return super().eof_received()


def _holds_a_packet(data: bytearray) -> bool:
    return len(data) >= HEADER and len(data) >= HEADER + int.from_bytes(data[:3], "little")


def _with_thread_id(data: bytearray, thread_id: int) -> bytes:
    """The greeting with another thread id, which follows the version and a zero; an error packet is not changed."""
    if data[HEADER] == _GREETING:
        at = data.index(0, HEADER + 1) + 1
        data[at : at + 4] = struct.pack("<I", thread_id)
    return bytes(data)
