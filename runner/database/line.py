"""A client's socket on which one can overhear what the server sends unasked: its last words, and that it hangs up."""

from __future__ import annotations

import select
import socket
import struct
from typing import Any

from runner.database.outcome import ServerError

_HEADER = 4  # bytes: length and sequence number of a packet
_ERROR = 0xFF
_CHUNK = 65536


class Line(socket.socket):
    """A socket whose readers take no byte more than they ask for, so that what comes unasked stays to be overheard."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._overheard = bytearray()

    @classmethod
    def to_host(cls, host: str, port: int, limit: float) -> Line:
        """Connects over TCP, in ``limit`` seconds; an address of each kind is tried.

        Raises:
            OSError: nobody listens there.
        """
        line = cls(fileno=socket.create_connection((host, port), limit).detach())
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return line

    @classmethod
    def to_unix_socket(cls, path: str, limit: float) -> Line:
        """Connects to a Unix socket; raises like ``to_host``."""
        line = cls(socket.AF_UNIX, socket.SOCK_STREAM)
        line.settimeout(limit)
        line.connect(path)
        return line

    def makefile(self, *_args: Any, **_kwargs: Any) -> Any:
        """A reader for PyMySQL, without the buffer that would swallow what belongs to nobody's answer."""
        return _ExactReader(self)

    def overhear(self) -> str | None:
        """Takes what came unasked off the wire, where a client would take it for its next answer; never waits.

        Returns:
            ``closed`` or ``reset`` if the server has hung up, else None.
        """
        while select.select([self], [], [], 0)[0]:
            try:
                heard = self.recv(_CHUNK, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return None
            except OSError:
                return "reset"
            if not heard:
                return "closed"
            self._overheard += heard
        return None

    def last_error(self) -> ServerError | None:
        """The last error packet that was overheard."""
        rest, found = bytes(self._overheard), None
        while len(rest) >= _HEADER and len(rest) >= (end := _HEADER + int.from_bytes(rest[:3], "little")):
            found = _error(rest[_HEADER:end]) or found
            rest = rest[end:]
        return found


class _ExactReader:
    """Reads exactly as many bytes as asked, or fewer at the end of the stream."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def read(self, size: int) -> bytes:
        """Reads; see the class."""
        data = bytearray()
        while len(data) < size and (part := self._line.recv(size - len(data))):
            data += part
        return bytes(data)

    def close(self) -> None:
        """Nothing to close: the socket is somebody else's."""


def _error(payload: bytes) -> ServerError | None:
    """An error packet: 0xFF, code, '#' and sqlstate, text."""
    if len(payload) < 3 or payload[0] != _ERROR:  # noqa: PLR2004 - the byte and the code
        return None
    (code,) = struct.unpack_from("<H", payload, 1)
    rest = payload[3:]
    sqlstate, text = (rest[1:6], rest[6:]) if rest[:1] == b"#" else (b"", rest)
    return ServerError(code, sqlstate.decode("ascii", "replace"), text.decode("utf-8", "replace"))
