"""One client's socket as a stream of packets.

It does not use asyncio's streams: the end of the connection has to be noticed even while nothing is read, and the FIN
has to be sent before the reply to the statement that killed the session.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import cast

from runner.simulator.wire import HEADER, LARGEST_FRAME, framed

CLOSING_SECONDS = 1.0
READ_AHEAD = 64 * 1024
SEND_BUFFER = 128 * 1024


class ConnectionLostError(Exception):
    """The client or the server has closed the connection."""


class OversizedPacketError(Exception):
    """The client sends a packet that is larger than the limit."""


class PacketStream(asyncio.Protocol):
    """Receives and sends packets.

    Attributes:
        limit: the size in bytes of the largest packet that is received.
        on_disconnect: called once when the client disconnects or the connection is closed.
    """

    def __init__(self, opened: Callable[[PacketStream], None], limit: int) -> None:
        self.limit = limit
        self.on_disconnect: Callable[[], None] | None = None
        self._opened = opened
        self._buffer = bytearray()
        self._sequence = 0
        self._closed = False
        self._paused = False
        self._readable: asyncio.Future[None] | None = None
        self._writable: asyncio.Future[None] | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport = cast("asyncio.Transport", None)  # set before the first use

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the transport, and calls ``opened``."""
        self._transport = cast("asyncio.Transport", transport)
        with suppress(OSError):  # so that a client that does not read is noticed soon
            self._socket().setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        self._opened(self)

    def data_received(self, data: bytes) -> None:
        """Keeps received data; stops reading while there is more than the limit."""
        self._buffer += data
        if self._readable is not None:
            _complete(self._readable)
        elif len(self._buffer) > READ_AHEAD and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        """The client has closed the connection."""
        self._on_end()
        return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """The connection is closed, by either side."""
        self._on_end()
        self.cancel_timeout()

    def resume_writing(self) -> None:
        """The send buffer has room again."""
        if self._writable is not None:
            _complete(self._writable)

    def pause_writing(self) -> None:
        """The send buffer is full, because the client does not read."""
        self._writable = asyncio.get_running_loop().create_future()

    @property
    def has_unread_data(self) -> bool:
        """Whether data was received that no ``receive`` has returned, such as a part of a packet."""
        return bool(self._buffer)

    def host(self) -> str:
        """The client's address and port."""
        peer = self._transport.get_extra_info("peername")
        return f"{peer[0]}:{peer[1]}" if peer else "unknown:0"

    def set_login_timeout(self, seconds: float) -> None:
        """Aborts the connection after this time, unless ``cancel_timeout`` is called before."""
        self._abort_after(seconds)

    def cancel_timeout(self) -> None:
        """Cancels the time limit, after the login."""
        if self._deadline is not None:
            self._deadline.cancel()

    async def receive(self) -> bytes:
        """Receives the next packet, which may consist of several frames.

        Raises:
            OversizedPacketError: the packet is larger than the limit.
            ConnectionLostError: the connection is closed.
        """
        packet = b""
        while True:
            await self._receive_at_least(HEADER)
            size = int.from_bytes(self._buffer[:3], "little")
            if len(packet) + size > self.limit:
                raise OversizedPacketError
            await self._receive_at_least(HEADER + size)
            self._sequence = self._buffer[3]
            frame = bytes(self._buffer[HEADER : HEADER + size])
            del self._buffer[: HEADER + size]
            packet = packet + frame if packet else frame
            if size < LARGEST_FRAME:
                return packet

    def send(self, payloads: Iterable[bytes]) -> None:
        """Sends the reply to the last received packet, without waiting until it is read."""
        if not self._closed:
            self._transport.write(framed(payloads, self._sequence + 1))

    def send_partial(self, payloads: Sequence[bytes]) -> None:
        """Sends a part of a reply; the packet numbers continue in the next part."""
        self.send(payloads)
        self._sequence += len(payloads)

    @property
    def closed(self) -> bool:
        """Whether the connection is closed, also if the event loop has not called ``connection_lost`` yet."""
        return self._closed or self._transport.is_closing()

    @property
    def send_buffer_full(self) -> bool:
        """Whether the client has to read before more is sent."""
        return self._writable is not None and not self._writable.done() and not self._closed

    def notify_when_writable(self, waiter: asyncio.Future[bool]) -> None:
        """Resolves ``waiter`` when the send buffer has room, or the connection is closed."""
        if self._writable is not None:
            self._writable.add_done_callback(lambda _: _resolve(waiter))

    def send_greeting(self, payload: bytes) -> None:
        """Sends the first packet of the connection."""
        self._sequence = -1
        self.send((payload,))

    async def drain(self) -> None:
        """Waits while the send buffer is full."""
        if self._writable is not None and not self._closed:
            await self._writable
            self._writable = None

    def close(self) -> None:
        """Closes the connection after the remaining data is sent; aborts it after a second if it is not read."""
        if self._transport.get_write_buffer_size() > 0:
            self._abort_after(CLOSING_SECONDS)
        elif not self._transport.is_closing():
            # asyncio closes the socket in the loop's next turn; the FIN has to be sent before this method returns.
            self.send_fin()
        self._transport.close()
        self._closed = True

    def send_fin(self) -> None:
        """Sends the FIN; the client may still send data."""
        with suppress(OSError):
            self._socket().shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Closes the connection with a reset instead of a FIN."""
        with suppress(OSError):
            self._socket().setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._closed = True
        self.abort()

    def abort(self) -> None:
        """Closes the connection without sending the remaining data."""
        self._transport.abort()

    def _socket(self) -> socket.socket:
        return cast("socket.socket", self._transport.get_extra_info("socket"))

    async def _receive_at_least(self, size: int) -> None:
        while len(self._buffer) < size:
            if self._closed:
                raise ConnectionLostError
            if self._paused:
                self._paused = False
                self._transport.resume_reading()
            self._readable = asyncio.get_running_loop().create_future()
            await self._readable
            self._readable = None

    def _abort_after(self, seconds: float) -> None:
        self.cancel_timeout()
        self._deadline = asyncio.get_running_loop().call_later(seconds, self._transport.abort)

    def _on_end(self) -> None:
        self._closed = True
        for waiting in (self._readable, self._writable):
            if waiting is not None:
                _complete(waiting)
        on_disconnect, self.on_disconnect = self.on_disconnect, None
        if on_disconnect is not None:
            on_disconnect()


def _resolve(waiter: asyncio.Future[bool]) -> None:
    if not waiter.done():
        waiter.set_result(True)


def _complete(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)
