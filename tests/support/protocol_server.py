"""Small servers of the MySQL protocol on real sockets; a test scripts their replies, valid or not."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

from runner.database.dsn import Dsn, Tls
from runner.database.outcome import Outcome
from runner.database.session import Login, Session
from tests.support.certificates import Authority
from tests.support.eventually import PATIENCE

ERROR = b"\xff" + struct.pack("<H", 1927) + b"#70100Connection was killed"


class Peer:
    """The server's end of one connection."""

    def __init__(self, sock: socket.socket, tls: ssl.SSLContext | None = None) -> None:
        self.socket = sock
        self.tls = tls
        self.commands: list[bytes] = []

    def send(self, number: int, payload: bytes) -> None:
        """One packet."""
        self.socket.sendall(len(payload).to_bytes(3, "little") + bytes([number]) + payload)

    def ok(self, number: int, affected: int = 0, warnings: int = 0) -> None:
        self.send(number, bytes([0, affected, 0]) + struct.pack("<HH", 2, warnings))

    def greet(self, method: bytes = b"mysql_native_password", version: bytes = b"5.7.0", offers: int = 0) -> None:
        """The handshake, which offers TLS where there is a context for it, and the capability bits ``offers``."""
        flags = offers | 0x0200 | 0x8000 | 0x00080000 | (0x0800 if self.tls else 0)
        self.send(
            0,
            b"\x0a"
            + version
            + b"\0"
            + struct.pack("<I", 77)
            + b"12345678\0"
            + struct.pack("<HBHH", flags & 0xFFFF, 45, 2, flags >> 16)
            + bytes([21])
            + bytes(10)
            + b"123456789012\0"
            + method
            + b"\0",
        )

    def read(self) -> bytes:
        """The payload of one packet; empty when the client is gone."""
        head = self._exactly(4)
        return self._exactly(int.from_bytes(head[:3], "little")) if head else b""

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = self.socket.recv(count - len(data))
            if not more:
                return b""
            data += more
        return data

    def receive_login(self) -> bytes:
        """What the client says to the greeting: who it is, over TLS where there is a context for it."""
        login = self.read()
        if self.tls is None:
            return login
        self.socket = self.tls.wrap_socket(self.socket, server_side=True)
        return self.read()

    def log_in(self) -> None:
        """Lets a client in, whoever it is, and answers what drivers send first."""
        self.greet()
        self.receive_login()
        self.ok(self.after_login)

    @property
    def after_login(self) -> int:
        """The number of the packet that answers a login."""
        return 3 if self.tls else 2

    def hear(self) -> bytes:
        """The client's next statement; drivers' own are answered."""
        while (command := self.read()).startswith(b"\x03SET NAMES"):
            self.ok(1)
        self.commands.append(command)
        return command

    def reset(self) -> None:
        """Closes the connection with RST, as a server that crashes does."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


_encrypting: list[Authority | None] = [None]


@contextlib.contextmanager
def encrypted(authority: Authority | None) -> Iterator[None]:
    """Every server of the block speaks TLS; none does where there is no authority."""
    _encrypting.append(authority)
    try:
        yield
    finally:
        _encrypting.pop()


@contextlib.contextmanager
def serving(behave: Callable[[Peer], None], authority: Authority | None = None) -> Iterator[Dsn]:
    """A server that treats each client as ``behave`` does, in a thread, and closes the connection then.

    With an authority, or inside ``encrypted``, it offers TLS, and the DSN asks for it.
    """
    authority = authority or _encrypting[-1]
    tls = authority.server_context() if authority else None
    listener = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []
    open_sockets: list[socket.socket] = []

    def treat(sock: socket.socket) -> None:
        with sock, contextlib.suppress(OSError):
            peer = Peer(sock, tls)
            try:
                behave(peer)
            finally:
                peer.socket.close()

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = listener.accept()
                sock.settimeout(PATIENCE)
                open_sockets.append(sock)
                threads.append(threading.Thread(target=treat, args=(sock,)))
                threads[-1].start()

    acceptor = threading.Thread(target=accept)
    acceptor.start()
    try:
        dsn = Dsn("mysql", "root", "", "127.0.0.1", listener.getsockname()[1])
        yield replace(dsn, tls=Tls(ca=str(authority.certificate))) if authority else dsn
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
        listener.close()
        for sock in open_sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in (acceptor, *threads):
            thread.join(PATIENCE)


def client(dsn: Dsn) -> Session:
    return Session(Login(dsn, dsn.user, dsn.password, 0))


def outcome_of_login(dsn: Dsn, limit: float = PATIENCE) -> Outcome:
    session = client(dsn)
    outcome = session.open(limit)
    session.close()
    return outcome
