"""A proxy that answers certain statements or logins itself, in place of the real server."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from runner.database.dsn import Dsn
from tests.support.eventually import PATIENCE

Answer = Callable[[socket.socket, int], None]
"""Answers a packet on the client's connection; the number is the one of the answer's first packet."""


def packet(payload: bytes) -> Answer:
    """One packet."""
    return lambda client, number: client.sendall(len(payload).to_bytes(3, "little") + bytes([number]) + payload)


def error(code: int, sqlstate: str, message: str) -> Answer:
    return packet(b"\xff" + struct.pack("<H", code) + f"#{sqlstate}{message}".encode())


def ok(affected: int = 0) -> Answer:
    return packet(bytes([0, affected, 0]) + struct.pack("<HH", 2, 0))


def close(client: socket.socket, _: int) -> None:
    client.shutdown(socket.SHUT_RDWR)


def silence(client: socket.socket, _: int) -> None:
    """Nothing arrives."""


def garbage(client: socket.socket, _: int) -> None:
    client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


@dataclass
class SubstitutingProxy:
    """A proxy in front of ``server`` that answers statements with ``mark`` in them itself.

    Attributes:
        logins: answers, in the place of statements, the next login after each statement with the mark.
        times: how often it does; then the server answers itself.
        seconds: the time after a statement with the mark in which it answers all logins of the suite's users, instead
            of the next login.
    """

    server: Dsn
    mark: bytes
    answer: Answer
    logins: bool = False
    times: int = 1000
    seconds: float = 0.0
    _marked: bool = False
    _marked_at: float = 0.0
    _sockets: list[socket.socket] = field(default_factory=list)
    _threads: list[threading.Thread] = field(default_factory=list)

    @contextlib.contextmanager
    def standing(self) -> Iterator[Dsn]:
        listener = socket.create_server(("127.0.0.1", 0))
        self._start(self._accept, listener)
        try:
            yield replace(self.server, port=listener.getsockname()[1])
        finally:
            for sock in (listener, *self._sockets):
                with contextlib.suppress(OSError):  # it has ended before
                    sock.shutdown(socket.SHUT_RDWR)
                sock.close()
            for thread in self._threads:
                thread.join(PATIENCE)

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.create_connection((self.server.host, self.server.port), PATIENCE)
                server.settimeout(None)
                self._sockets += [client, server]
                self._start(self._towards_client, server, client)
                self._start(self._towards_server, client, server)

    def _towards_client(self, server: socket.socket, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                client.sendall(data)
            client.shutdown(socket.SHUT_RDWR)

    def _towards_server(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            login = True
            while head := _exactly(client, 4):
                body = _exactly(client, int.from_bytes(head[:3], "little"))
                full = time.monotonic() < self._marked_at + self.seconds and b"KSC_" in body
                marked = full if self.seconds else self._marked
                mine = marked if self.logins else self.mark in body and not login
                if mine and login == self.logins and self.times > 0:
                    self.times -= 1
                    self._marked = False
                    self.answer(client, head[3] + 1)
                else:
                    if self.mark in body:
                        self._marked, self._marked_at = True, time.monotonic()
                    server.sendall(head + body)
                login = False
            server.shutdown(socket.SHUT_RDWR)


def _exactly(sock: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = sock.recv(count - len(data))
        if not more:
            return b""
        data += more
    return data
