"""A client's socket on which one can overhear what the server sends unasked: its last words, and that it hangs up."""

from __future__ import annotations

import contextlib
import math
import select
import socket
import ssl
import struct
import time

from runner.database.encryption import Encryption
from runner.database.outcome import ServerError

_HEADER = 4  # bytes: length and sequence number of a packet
_ERROR = 0xFF
_CHUNK = 16384
_NARROW = 65536  # bytes of a receive buffer
_LEAST_SENDING = 0.1  # seconds
_LARGEST = 64 * 2**20  # bytes of memory that one answer may take, each read of PyMySQL's counted with what keeps it
_PIECE = 100
_MOST_CHUNKS = 64  # that are taken off the wire at one look; nothing lawful that is unasked for comes near


class TooLargeError(Exception):
    """The server sends more for one answer than anybody reads."""


class Line:
    """A client's end of a connection, plain or TLS: what PyMySQL takes for its socket and its reader.

    What came and was not asked for stays here, so that it can be overheard instead of taken for the next answer.

    Attributes:
        deadline: until when PyMySQL may wait for what it reads (``time.monotonic``); its own limits are passed over.
        local_address: this end of a TCP connection as ``ip:port``, as HOST in a process list may show it, or None.
        ended: ``closed`` or ``reset`` once the server was heard to have hung up.
        refused: whether the server took no more of what was sent.
    """

    def __init__(self, connected: socket.socket, deadline: float) -> None:
        self.deadline = deadline
        self.local_address = _local_address(connected)
        self.ended: str | None = None
        self.refused = False
        self._socket = connected
        connected.setblocking(False)
        self._readable = select.poll()
        self._readable.register(connected, select.POLLIN)
        self._come = bytearray()
        self._taken = bytearray()
        self._weight = 0
        self._overheard = bytearray()
        self._failure: OSError = ConnectionResetError()
        self._encryption: Encryption | None = None

    @classmethod
    def to_host(cls, host: str, port: int, limit: float) -> Line:
        """Connects over TCP, in ``limit`` seconds; an address of each kind is tried.

        Raises:
            OSError: nobody listens there.
        """
        deadline = time.monotonic() + limit
        connected = socket.create_connection((host, port), limit)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return cls(connected, deadline)

    @classmethod
    def to_unix_socket(cls, path: str, limit: float) -> Line:
        """Connects to a Unix socket; raises like ``to_host``."""
        deadline = time.monotonic() + limit
        connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connected.settimeout(limit)
        connected.connect(path)
        return cls(connected, deadline)

    @property
    def cipher(self) -> str | None:
        """The TLS cipher, or None on a plain line."""
        return self._encryption.cipher if self._encryption is not None else None

    def start_tls(self, context: ssl.SSLContext, host: str) -> None:
        """Goes on encrypted, in the time that the deadline leaves.

        Raises:
            OSError: the server hangs up, its certificate is not accepted, or no TLS comes about.
        """
        if self._come:  # sent before there was TLS, by whomever: it must not pass for what came encrypted
            raise ssl.SSLError(0, "the server continued in plain text")
        encryption, come = Encryption(context, host), b""
        try:
            while not encryption.agree(come):
                self.sendall(encryption.outgoing())
                come = self.read(1) + bytes(self._come)
                self._come.clear()
                if not come:
                    raise ConnectionResetError
        except ssl.SSLError:
            with contextlib.suppress(OSError):  # the server learns why, if it listens
                self.sendall(encryption.outgoing())
            raise
        self.sendall(encryption.outgoing())
        self._come += encryption.incoming(b"")
        self._encryption = encryption

    def arrives(self, limit: float) -> bool:
        """Waits up to ``limit`` seconds until something is there to be read, or the server has hung up."""
        if self._come:  # perhaps a part only, left by an earlier look: its rest may be here now
            self._receive_all()
        return bool(self._come) or self.ended is not None or self._receive(limit)

    def first_byte(self, limit: float) -> int | None:
        """The first byte of the next packet's payload, once it is here; None if none comes in ``limit`` seconds.

        No more is taken off the wire than comes with it.
        """
        until = time.monotonic() + limit
        while len(self._come) <= _HEADER and self.ended is None:
            if not self._receive(max(0.0, until - time.monotonic())):
                return None
        return self._come[_HEADER] if len(self._come) > _HEADER else None

    def narrow(self) -> None:
        """Makes the receive buffer small, so that a server that sends much has to wait until its answer is read."""
        with contextlib.suppress(OSError):  # a larger buffer serves too
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _NARROW)

    def overhear(self) -> str | None:
        """Takes what came unasked off the wire, where a client would take it for its next answer; never waits.

        Returns:
            ``ended``.
        """
        self._receive_all()
        if len(self._overheard) < _MOST_CHUNKS * _CHUNK:
            self._overheard += self._come
        self._come.clear()
        return self.ended

    def last_error(self) -> ServerError | None:
        """The last error packet that was overheard."""
        heard, at, found = bytes(self._overheard), 0, None
        while len(heard) >= at + _HEADER:
            start = at + _HEADER
            at = start + int.from_bytes(heard[at : at + 3], "little")
            if at <= len(heard):
                found = _error(heard[start:at]) or found
        return found

    def mark(self) -> None:
        """Remembers this point of the stream, for ``rewind``: an answer begins."""
        self._taken.clear()
        self._weight = 0

    def rewind(self) -> None:
        """Goes back to the mark: what was read since is there to be read again."""
        self._come[:0] = self._taken
        self._taken.clear()

    def reset(self) -> None:
        """Closes without a word and at once, as the system does for a client that is killed: over TCP by a reset."""
        with contextlib.suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def hang_up(self) -> None:
        """Closes without a word, as a client that crashes does."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _receive_all(self) -> None:
        """Takes what is here off the wire, without waiting, as much as one look may take."""
        chunks = 0
        while self.ended is None and chunks < _MOST_CHUNKS and self._receive(0):
            chunks += 1

    def _receive(self, limit: float) -> bool:
        until = time.monotonic() + limit
        while True:
            try:
                if limit > 0 and not self._readable.poll(math.ceil(limit * 1000)):
                    return False
                come = self._socket.recv(_CHUNK)
            except BlockingIOError:
                return False
            except OSError as error:
                self.ended, self._failure = "reset", error
                return True
            self.ended = None if come else "closed"
            if self._encryption is not None and come:
                come = self._decrypted(self._encryption, come)
            self._come += come
            if come or self.ended:
                return True
            limit = until - time.monotonic()  # that was of TLS's own, and nobody's answer

    def _decrypted(self, encryption: Encryption, come: bytes) -> bytes:
        said = encryption.incoming(come)
        if encryption.failure is not None:
            self.ended, self._failure = "reset", encryption.failure
        elif encryption.closed:
            self.ended = "closed"
        return said

    # What PyMySQL asks of a socket and of its reader

    def makefile(self, *_args: object, **_kwargs: object) -> Line:
        """The reader is the line itself: a reader with a buffer of its own would swallow what is nobody's answer."""
        return self

    def read(self, size: int) -> bytes:
        """Reads as many bytes as asked, or fewer at the end of the stream.

        Raises:
            TimeoutError: the deadline is over.
            OSError: the server has reset the connection, or TLS has failed.
            TooLargeError: there is no end of the answer.
        """
        self._weight += size + _PIECE
        if self._weight > _LARGEST:
            raise TooLargeError(f"more than {_LARGEST >> 20} MB")
        while len(self._come) < size and self.ended is None:
            left = self.deadline - time.monotonic()
            if left <= 0 or not self._receive(left):
                raise TimeoutError
        if len(self._come) < size and self.ended == "reset":
            raise self._failure
        data = bytes(self._come[:size])
        del self._come[:size]
        self._taken += data
        return data

    def sendall(self, data: bytes) -> None:
        """Sends, until the deadline.

        Raises:
            OSError: the server has hung up, or takes nothing.
        """
        rest = memoryview(self._encryption.outgoing(data) if self._encryption else data)
        until = max(self.deadline, time.monotonic() + _LEAST_SENDING)
        try:
            while rest:
                try:
                    rest = rest[self._socket.send(rest) :]
                except BlockingIOError:
                    self._wait_for_room(until - time.monotonic())
        except ConnectionError:
            self.refused = True
            raise

    def _wait_for_room(self, limit: float) -> None:
        writable = select.poll()
        writable.register(self._socket, select.POLLOUT)
        if limit <= 0 or not writable.poll(math.ceil(limit * 1000)):
            raise TimeoutError

    def settimeout(self, seconds: float | None) -> None:
        """PyMySQL's own limits: the deadline applies."""

    def close(self) -> None:
        """PyMySQL gives up; the connection is closed by ``hang_up`` only, since it may be watched."""


def _local_address(connected: socket.socket) -> str | None:
    if connected.family == socket.AF_UNIX:
        return None
    host, port = connected.getsockname()[:2]
    return f"{host}:{port}"


def _error(payload: bytes) -> ServerError | None:
    """An error packet: 0xFF, code, '#' and sqlstate, text."""
    if len(payload) < 3 or payload[0] != _ERROR:  # noqa: PLR2004 - the byte and the code
        return None
    (code,) = struct.unpack_from("<H", payload, 1)
    rest = payload[3:]
    sqlstate, text = (rest[1:6], rest[6:]) if rest[:1] == b"#" else (b"", rest)
    return ServerError(code, sqlstate.decode("ascii", "replace"), text.decode("utf-8", "replace"))
