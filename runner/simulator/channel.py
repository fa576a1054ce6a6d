"""One client's socket as a stream of packets.

A protocol of its own rather than asyncio's streams: it has to know at once that the client has left, also while nobody
reads, and to send the FIN before the statement that ended the session is answered.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from runner.simulator.wire import HEADER, LARGEST_FRAME, framed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

CLOSING_SECONDS = 1.0
READ_AHEAD = 64 * 1024
SEND_BUFFER = 128 * 1024


class ConnectionLostError(Exception):
    """The client is gone, or the server has closed the connection."""


class OversizedPacketError(Exception):
    """The client announced a packet beyond the limit."""


class Channel(asyncio.Protocol):
    """Packets in, packets out."""

    def __init__(self, opened: Callable[[Channel], None], limit: int) -> None:
        self.limit = limit
        self.left: Callable[[], None] | None = None
        self._opened = opened
        self._buffer = bytearray()
        self._sequence = 0
        self._over = False
        self._paused = False
        self._reader: asyncio.Future[None] | None = None
        self._writer: asyncio.Future[None] | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport = cast("asyncio.Transport", None)  # set before anything can ask for it

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The client has connected."""
        self._transport = cast("asyncio.Transport", transport)
        with suppress(OSError):  # a client that does not read is noticed soon, not after megabytes
            self._socket().setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        self._opened(self)

    def data_received(self, data: bytes) -> None:
        """Bytes have come; those that nobody has asked for yet are kept up to a limit."""
        self._buffer += data
        if self._reader is not None:
            _wake(self._reader)
        elif len(self._buffer) > READ_AHEAD and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        """The client sends no more: it has left."""
        self._end()
        return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """The connection is closed, whoever did it."""
        self._end()
        self.take_your_time()

    def resume_writing(self) -> None:
        """The client has read enough for more to be sent."""
        if self._writer is not None:
            _wake(self._writer)

    def pause_writing(self) -> None:
        """The client does not read what it asked for."""
        self._writer = asyncio.get_running_loop().create_future()

    def host(self) -> str:
        """The client's address and port."""
        peer = self._transport.get_extra_info("peername")
        return f"{peer[0]}:{peer[1]}" if peer else "unknown:0"

    def expect_login_within(self, seconds: float) -> None:
        """Cuts the client off unless it has logged in by then."""
        self._cut_off_within(seconds)

    def take_your_time(self) -> None:
        """Lifts the limit: the client has logged in."""
        if self._deadline is not None:
            self._deadline.cancel()

    async def receive(self) -> bytes:
        """The next packet, put together from its frames."""
        packet = b""
        while True:
            await self._fill(HEADER)
            size = int.from_bytes(self._buffer[:3], "little")
            if len(packet) + size > self.limit:
                raise OversizedPacketError
            await self._fill(HEADER + size)
            self._sequence = self._buffer[3]
            frame = bytes(self._buffer[HEADER : HEADER + size])
            del self._buffer[: HEADER + size]
            packet = packet + frame if packet else frame
            if size < LARGEST_FRAME:
                return packet

    def send(self, payloads: Iterable[bytes]) -> None:
        """Answers the last packet received, or greets. Does not wait for the client to read it."""
        if not self._over:
            self._transport.write(framed(payloads, self._sequence + 1))

    def send_part(self, payloads: Sequence[bytes]) -> None:
        """Sends a part of an answer, of which more comes."""
        self.send(payloads)
        self._sequence += len(payloads)

    @property
    def congested(self) -> bool:
        """Whether the client has too much unread."""
        return self._writer is not None and not self._writer.done() and not self._over

    def notify(self, waiter: asyncio.Future[bool]) -> None:
        """Resolves `waiter` once the client has read enough for more to be sent, or is gone."""
        if self._writer is not None:
            self._writer.add_done_callback(lambda _: _resolve(waiter))

    def greet(self, payload: bytes) -> None:
        """The first packet of all."""
        self._sequence = -1
        self.send((payload,))

    async def drain(self) -> None:
        """Waits while the client has too much unread."""
        if self._writer is not None and not self._over:
            await self._writer
            self._writer = None

    def close(self) -> None:
        """Sends what is still to be sent, then the FIN; a client that does not read is cut off after a while."""
        if self._transport.get_write_buffer_size() > 0:
            self._cut_off_within(CLOSING_SECONDS)
        elif not self._transport.is_closing():
            # asyncio closes the socket in the loop's next turn; the FIN has to be out before the caller goes on.
            self.stop_sending()
        self._transport.close()
        self._over = True

    def stop_sending(self) -> None:
        """Sends the FIN; the client may go on sending."""
        with suppress(OSError):
            self._socket().shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Closes the connection with a reset instead of a FIN."""
        with suppress(OSError):
            self._socket().setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._over = True
        self.abort()

    def abort(self) -> None:
        """Closes the connection without sending anything more."""
        self._transport.abort()

    def _socket(self) -> socket.socket:
        return cast("socket.socket", self._transport.get_extra_info("socket"))

    async def _fill(self, size: int) -> None:
        while len(self._buffer) < size:
            if self._over:
                raise ConnectionLostError
            if self._paused:
                self._paused = False
                self._transport.resume_reading()
            self._reader = asyncio.get_running_loop().create_future()
            await self._reader
            self._reader = None

    def _cut_off_within(self, seconds: float) -> None:
        self.take_your_time()
        self._deadline = asyncio.get_running_loop().call_later(seconds, self._transport.abort)

    def _end(self) -> None:
        self._over = True
        for waiting in (self._reader, self._writer):
            if waiting is not None:
                _wake(waiting)
        left, self.left = self.left, None
        if left is not None:
            left()


def _resolve(waiter: asyncio.Future[bool]) -> None:
    if not waiter.done():
        waiter.set_result(True)


def _wake(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)
