"""The socket of a client: reads replies, and notices packets that nothing requested and a closed connection."""

from __future__ import annotations

import contextlib
import math
import select
import socket
import ssl
import struct
import time

from runner.database.outcome import ServerError
from runner.database.reply_row_counter import RowCounter
from runner.database.tls import TlsBytes

_HEADER = 4  # bytes: length and sequence number of a packet
_ERROR = 0xFF
_CHUNK = 16384
_NARROW = 65536  # bytes of a receive buffer
_LEAST_SENDING = 0.1  # seconds
_LARGEST = 64 * 2**20  # bytes of memory for one reply; each read of PyMySQL counts with its overhead
_PIECE = 100
_LONGEST_PAUSE = 1.0  # seconds without data after which an incomplete reply is late
_MOST_CHUNKS = 64  # that are received at one check; a conforming server sends far less without a request


class TooLargeError(Exception):
    """One reply of the server is larger than the limit."""


class Stream:
    """The client's end of a connection, plain or TLS. PyMySQL uses it as its socket and as its reader.

    Data that nothing requested stays here, so that it is not read as the reply to the next statement.

    Attributes:
        local_address: this end of a TCP connection as ``ip:port``, as HOST in a process list may show it, or None.
        ended: ``closed`` or ``reset`` after the server has closed the connection.
        refused: whether the server rejected data that was sent.
    """

    def __init__(self, connected: socket.socket, deadline: float) -> None:
        self._deadline = self._last_moment = deadline
        self.local_address = _local_address(connected)
        self.ended: str | None = None
        self.refused = False
        self._socket = connected
        connected.setblocking(False)
        self._readable = select.poll()
        self._readable.register(connected, select.POLLIN)
        self._received = bytearray()
        self._consumed = bytearray()
        self._weight = 0
        self._unrequested = bytearray()
        self._unrequested_rows = RowCounter()
        self._failure: OSError = ConnectionResetError()
        self._encryption: TlsBytes | None = None

    @classmethod
    def to_host(cls, host: str, port: int, limit: float) -> Stream:
        """Connects over TCP, in ``limit`` seconds; IPv6 and IPv4 addresses are tried.

        Raises:
            OSError: no server listens there.
        """
        deadline = time.monotonic() + limit
        try:
            connected = socket.create_connection((host, port), limit)
        except ValueError as error:  # also of encoding: an empty or too long part of a name, a zero byte
            raise OSError(f"{host!r} is not a host name or an address") from error
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return cls(connected, deadline)

    @classmethod
    def to_unix_socket(cls, path: str, limit: float) -> Stream:
        """Connects to a Unix socket; raises like ``to_host``."""
        deadline = time.monotonic() + limit
        connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connected.settimeout(limit)
        connected.connect(path)
        return cls(connected, deadline)

    def set_deadline(self, limit: float, receiving: float = 0.0) -> None:
        """Sets how long PyMySQL may wait for data; its own limits are ignored.

        Args:
            limit: the seconds, from now.
            receiving: the seconds after the limit in which a reply is read on as long as data is received: reading a
                large one takes the client's time, not the server's.
        """
        self._deadline = time.monotonic() + limit
        self._last_moment = self._deadline + receiving

    @property
    def cipher(self) -> str | None:
        """The TLS cipher, or None on a plain stream."""
        return self._encryption.cipher if self._encryption is not None else None

    def start_tls(self, context: ssl.SSLContext, host: str) -> None:
        """Switches to TLS before the deadline.

        Raises:
            OSError: the server closes the connection, its certificate is not accepted, or the TLS handshake fails.
        """
        if self._received:  # received before TLS, from anyone: must not be read as encrypted data
            raise ssl.SSLError(0, "the server continued in plain text")
        encryption, received = TlsBytes(context, host), b""
        try:
            while not encryption.shake_hands(received):
                self.sendall(encryption.outgoing())
                received = self.read(1) + bytes(self._received)
                self._received.clear()
                if not received:
                    raise ConnectionResetError
        except ssl.SSLError:
            with contextlib.suppress(OSError):  # an alert with the reason for the server
                self.sendall(encryption.outgoing())
            raise
        self.sendall(encryption.outgoing())
        self._received += encryption.incoming(b"")
        self._encryption = encryption

    def wait_for_data(self, limit: float) -> bool:
        """Waits up to ``limit`` seconds until there is data to read, or the server has closed the connection."""
        if self._received:  # may be a part of a packet, left by an earlier check
            self._receive_all()
        return bool(self._received) or self.ended is not None or self._receive(limit)

    def first_byte(self, limit: float) -> int | None:
        """The first byte of the next packet's payload; None if none is received in ``limit`` seconds.

        Nothing is received beyond the chunk that contains it.
        """
        until = time.monotonic() + limit
        while len(self._received) <= _HEADER and self.ended is None:
            if not self._receive(max(0.0, until - time.monotonic())):
                return None
        return self._received[_HEADER] if len(self._received) > _HEADER else None

    def shrink_receive_buffer(self) -> None:
        """Makes the receive buffer small, so that a server that sends a large reply has to wait until it is read."""
        with contextlib.suppress(OSError):  # a larger buffer works, too
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _NARROW)

    def receive_unrequested(self) -> str | None:
        """Receives data that nothing requested, which would otherwise be read as the next reply; never waits.

        Returns:
            ``ended``.
        """
        self._receive_all()
        self._unrequested_rows.add(self._received)
        if len(self._unrequested) < _MOST_CHUNKS * _CHUNK:
            self._unrequested += self._received
        self._received.clear()
        return self.ended

    @property
    def unrequested_rows(self) -> int:
        """The number of rows in the data that nothing requested, which may be a reply that is not read."""
        return self._unrequested_rows.rows

    def rows_since_mark(self) -> int:
        """The number of rows that were received since the mark."""
        counter = RowCounter()
        counter.add(self._consumed + self._received)
        return counter.rows

    def last_error(self) -> ServerError | None:
        """The last error packet that nothing requested."""
        data, at, found = bytes(self._unrequested), 0, None
        while len(data) >= at + _HEADER:
            start = at + _HEADER
            at = start + int.from_bytes(data[at : at + 3], "little")
            if at <= len(data):
                found = _error(data[start:at]) or found
        return found

    def mark(self) -> None:
        """Remembers this position, the beginning of a reply, for ``rewind``."""
        self._consumed.clear()
        self._weight = 0

    def rewind(self) -> None:
        """Returns to the mark: data that was read since will be read again."""
        self._received[:0] = self._consumed
        self._consumed.clear()

    def reset(self) -> None:
        """Closes the connection as the system does for a killed client: TCP sends a reset."""
        with contextlib.suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def close_abruptly(self) -> None:
        """Closes the connection without COM_QUIT, as a client that crashes does."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _receive_all(self) -> None:
        """Receives the data that is here, without waiting, up to the limit of one check."""
        chunks = 0
        while self.ended is None and chunks < _MOST_CHUNKS and self._receive(0):
            chunks += 1

    def _receive(self, limit: float) -> bool:
        until = time.monotonic() + limit
        while True:
            try:
                if limit > 0 and not self._readable.poll(math.ceil(limit * 1000)):
                    return False
                received = self._socket.recv(_CHUNK)
            except BlockingIOError:
                return False
            except OSError as error:
                self.ended, self._failure = "reset", error
                return True
            self.ended = None if received else "closed"
            if self._encryption is not None and received:
                received = self._decrypted(self._encryption, received)
            self._received += received
            if received or self.ended:
                return True
            limit = until - time.monotonic()  # a record of TLS itself, no data

    def _decrypted(self, encryption: TlsBytes, received: bytes) -> bytes:
        plain = encryption.incoming(received)
        if encryption.failure is not None:
            self.ended, self._failure = "reset", encryption.failure
        elif encryption.closed:
            self.ended = "closed"
        return plain

    # The methods that PyMySQL calls on a socket and on its reader

    def makefile(self, *_args: object, **_kwargs: object) -> Stream:
        """The reader is the stream itself: a reader with its own buffer would read data that nothing requested."""
        return self

    def read(self, size: int) -> bytes:
        """Reads ``size`` bytes, or fewer at the end of the stream.

        Raises:
            TimeoutError: the deadline has passed.
            OSError: the server has reset the connection, or TLS has failed.
            TooLargeError: the reply is larger than the limit.
        """
        self._weight += size + _PIECE
        if self._weight > _LARGEST:
            raise TooLargeError(f"it needs more than {_LARGEST >> 20} MB of memory")
        received = self._received
        if len(received) < size:
            self._receive_at_least(size)
        data = bytes(received[:size])
        del received[:size]
        self._consumed += data
        return data

    def _receive_at_least(self, size: int) -> None:
        while len(self._received) < size and self.ended is None:
            now = time.monotonic()
            left = max(self._deadline - now, min(_LONGEST_PAUSE, self._last_moment - now))
            if left <= 0 or not self._receive(left):
                raise TimeoutError
        if len(self._received) < size and self.ended == "reset":
            raise self._failure

    def sendall(self, data: bytes) -> None:
        """Sends all data before the deadline.

        Raises:
            OSError: the server has closed the connection, or doesn't receive.
        """
        rest = memoryview(self._encryption.outgoing(data) if self._encryption else data)
        until = max(self._deadline, time.monotonic() + _LEAST_SENDING)
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
        """Ignores PyMySQL's own limits: the deadline applies."""

    def close(self) -> None:
        """Ignored: the connection may be watched after PyMySQL gave it up; ``close_abruptly`` closes it."""


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
