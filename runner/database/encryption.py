"""TLS between a line and its socket: bytes in, bytes out. The line does the waiting, as it does in plain text.

Python's own TLS sockets won't do: they take a connection that is reset for one that is closed.
"""

from __future__ import annotations

import ssl

_CHUNK = 65536


class Encryption:
    """The client's end of TLS on one connection.

    Attributes:
        failure: why nothing that comes from here on can be read, or None.
        closed: whether the server has said that it sends no more.
    """

    def __init__(self, context: ssl.SSLContext, host: str) -> None:
        self.failure: ssl.SSLError | None = None
        self.closed = False
        self._come, self._go = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._come, self._go, server_hostname=host)

    @property
    def cipher(self) -> str | None:
        """The name of the cipher, once there is one."""
        cipher = self._tls.cipher()
        return cipher[0] if cipher else None

    def agree(self, come: bytes = b"") -> bool:
        """Takes the handshake as far as it goes with what has come; ``outgoing`` is to be sent then.

        Returns:
            Whether it is done.

        Raises:
            ssl.SSLError: it has failed; ``outgoing`` tells the server why.
        """
        self._come.write(come)
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def outgoing(self, data: bytes = b"") -> bytes:
        """What to send for this data, and for TLS itself."""
        view = memoryview(data)
        while view:
            view = view[self._tls.write(view) :]
        return self._go.read()

    def incoming(self, come: bytes) -> bytes:
        """What the bytes that came say; nothing where they are TLS's own, such as tickets, or a record's beginning."""
        self._come.write(come)
        said = bytearray()
        try:
            while more := self._tls.read(_CHUNK):
                said += more
        except ssl.SSLWantReadError:
            return bytes(said)
        except ssl.SSLZeroReturnError:
            pass
        except ssl.SSLError as error:
            self.failure = error
        self.closed = self.failure is None
        return bytes(said)
