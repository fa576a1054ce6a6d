"""A proxy that passes a real server's bytes on unchanged until its fault begins."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace

from runner.database.dsn import Dsn
from tests.support.eventually import PATIENCE

INFINITE = float("inf")
TOO_MANY = b"\x17\0\0\0\xff\x10\x04#08004Too many users"
NOT_MYSQL = b"HTTP/1.1 400 Bad Request\r\nConnection: keep-alive\r\n\r\n"

Writer = asyncio.StreamWriter


@dataclass
class Wire:
    """One client's connection through the proxy.

    Attributes:
        number: which connection it is, from 1 on.
        answers: how many pieces the server has sent on it.
    """

    number: int
    client: Writer
    answers: int = 0

    async def send(self, data: bytes) -> None:
        self.client.write(data)
        await self.client.drain()

    def reset(self) -> None:
        """Ends it with RST, as a crash does."""
        sock: socket.socket = self.client.get_extra_info("socket")
        with contextlib.suppress(OSError):  # it has ended before
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.client.transport.abort()


async def pass_on(wire: Wire, data: bytes) -> None:
    await wire.send(data)


async def swallow(wire: Wire, data: bytes) -> None:
    """Nothing arrives."""


@dataclass(frozen=True)
class Fault:
    """What a proxy does once its fault has begun.

    Attributes:
        greets: what is done with a new connection, True: it is over with that.
        answers: what is done with what the server sends, on old and new connections.
        cuts: whether the connections that are there are reset at the moment.
        closes: whether the port is closed from the moment on.
    """

    greets: Callable[[Wire], Awaitable[bool]] | None = None
    answers: Callable[[Wire, bytes], Awaitable[None]] = pass_on
    cuts: bool = False
    closes: bool = False


# Faults of a new connection


async def _hang(_: Wire) -> bool:
    return True


async def _turn_away(wire: Wire) -> bool:
    await wire.send(TOO_MANY)
    wire.client.close()
    return True


async def _drop_each_third(wire: Wire) -> bool:
    if wire.number % 3 == 0:
        wire.reset()
    return wire.number % 3 == 0


# Faults of what the server sends


async def _half(wire: Wire, data: bytes) -> None:
    """The first half of a packet, and nothing ever after."""
    wire.answers += 1000
    if wire.answers < 2000:
        await wire.send(data[: len(data) // 2])


async def _after_ok(wire: Wire, data: bytes) -> None:
    """The greeting, the OK of the login and of SET NAMES, and nothing ever after."""
    if wire.answers <= 3:
        await wire.send(data)


async def _garbage(wire: Wire, _: bytes) -> None:
    await wire.send(NOT_MYSQL)


async def _garbage_after_ok(wire: Wire, data: bytes) -> None:
    await wire.send(data if wire.answers <= 3 else NOT_MYSQL)


async def _dribble(wire: Wire, data: bytes) -> None:
    for byte in data:
        await wire.send(bytes([byte]))
        await asyncio.sleep(1)


async def _endless(wire: Wire, data: bytes) -> None:
    """To each statement rows without end."""
    if wire.answers <= 3:
        await wire.send(data)
        return
    await wire.send(b"\x01\0\0\x01\x01")
    await wire.send(
        b"\x17\0\0\x02\x03def\0\0\0\x01n\0\x0c\x2d\0\x20\0\0\0\xfd\0\0\0\0\0" + b"\x05\0\0\x03\xfe\0\0\x02\0"
    )
    for number in itertools.count(4):
        await wire.send(b"\xe9\x03\0" + bytes([number % 256]) + b"\xfc\xe6\x03" + b"x" * 998)


async def _huge_error(wire: Wire, data: bytes) -> None:
    if wire.answers <= 3:
        await wire.send(data)
        return
    text = b"\xff\x28\x04#42000" + b"no \n\x1b[31m" * 1_000_000
    await wire.send(len(text).to_bytes(3, "little") + b"\x01" + text)


async def _reset(wire: Wire, _: bytes) -> None:
    wire.reset()


FAULTS = {
    "hangs in the handshake": Fault(_hang),
    "hangs in mid-packet": Fault(answers=_half),
    "hangs after OK": Fault(answers=_after_ok),
    "sends no more data": Fault(_hang, swallow),
    "sends invalid data": Fault(answers=_garbage),
    "replies with invalid data": Fault(answers=_garbage_after_ok),
    "drops each third connection": Fault(_drop_each_third),
    "has no connection left": Fault(_turn_away),
    "disappears": Fault(cuts=True, closes=True),
    "resets at each reply": Fault(answers=_reset),
    "cuts all connections": Fault(cuts=True),
    "sends a byte a second": Fault(answers=_dribble),
    "replies with endless rows": Fault(answers=_endless),
    "replies with a huge error": Fault(answers=_huge_error),
}


@dataclass
class FaultyProxy:
    """A proxy in front of ``server``.

    Attributes:
        after: how many connections go well before the fault begins.
        answers: how many pieces the server may send, on all connections, before the fault begins.
        lasts: seconds until the fault ends.
    """

    server: Dsn
    fault: Fault
    after: float = INFINITE
    answers: float = INFINITE
    lasts: float = INFINITE
    connections: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    port: int = 0
    faulty: bool = False
    _wires: list[Wire] = field(default_factory=list)
    _over: asyncio.Event = field(default_factory=asyncio.Event)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _listener: asyncio.Server | None = None

    @property
    def dsn(self) -> str:
        return replace(self.server, host="127.0.0.1", port=self.port).text_with_password

    @contextlib.contextmanager
    def standing(self) -> Iterator[FaultyProxy]:
        ready = threading.Event()
        thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._serve(ready)))
        thread.start()
        assert ready.wait(PATIENCE)
        try:
            yield self
        finally:
            self._loop.call_soon_threadsafe(self._over.set)
            thread.join(PATIENCE)
            assert not thread.is_alive()
            self._loop.close()

    async def _serve(self, ready: threading.Event) -> None:
        self._listener = await asyncio.start_server(self._meet, "127.0.0.1", 0)
        self.port = self._listener.sockets[0].getsockname()[1]
        ready.set()
        await self._over.wait()
        self._listener.close()
        for task in (others := asyncio.all_tasks() - {asyncio.current_task()}):
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _begin(self) -> None:
        self.faulty = True
        if self.lasts < INFINITE:
            self._loop.call_later(self.lasts, self._end)
        for wire in self._wires if self.fault.cuts else []:
            wire.reset()
        if self.fault.closes and self._listener is not None:
            self._listener.close()

    def _end(self) -> None:
        self.faulty = False
        self.after = self.answers = INFINITE

    async def _meet(self, reader: asyncio.StreamReader, client: Writer) -> None:
        with contextlib.suppress(asyncio.CancelledError, OSError):  # the proxy stops, or the client has gone
            await self._stand_between(reader, Wire(next(self.connections), client))

    async def _stand_between(self, reader: asyncio.StreamReader, wire: Wire) -> None:
        self._wires.append(wire)
        if wire.number > self.after and not self.faulty:
            self._begin()
        if self.faulty and self.fault.greets is not None and await self.fault.greets(wire):
            await self._over.wait()
            return
        from_server, server = await asyncio.open_connection(self.server.host, self.server.port)
        try:
            await asyncio.gather(self._towards_server(reader, server), self._towards_client(from_server, wire))
        finally:
            server.close()
            wire.client.close()

    async def _towards_server(self, reader: asyncio.StreamReader, server: Writer) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                server.write(data)
                await server.drain()
        with contextlib.suppress(OSError):
            server.close()

    async def _towards_client(self, reader: asyncio.StreamReader, wire: Wire) -> None:
        while data := await reader.read(65536):
            wire.answers += 1
            self.answers -= 1
            if self.answers < 0 and not self.faulty:
                self._begin()
            await (self.fault.answers if self.faulty else pass_on)(wire, data)
        if not self.faulty or self.fault.answers is pass_on:
            wire.client.close()
