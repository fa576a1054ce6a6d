"""TLS between a stream and its socket: bytes in, bytes out. The stream waits for data, as it does without TLS.

Python's own TLS sockets won't do: they report a reset connection as a closed one.
"""

from __future__ import annotations

import ssl

_CHUNK = 65536


class Encryption:
    """The client's end of TLS on one connection.

    Attributes:
        failure: the error after which no more data can be read, or None.
        closed: whether the server has sent close_notify.
    """

    def __init__(self, context: ssl.SSLContext, host: str) -> None:
        self.failure: ssl.SSLError | None = None
        self.closed = False
        self._received, self._to_send = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._received, self._to_send, server_hostname=host)

    @property
    def cipher(self) -> str | None:
        """The name of the cipher; None before the handshake is done."""
        cipher = self._tls.cipher()
        return cipher[0] if cipher else None

    def shake_hands(self, received: bytes = b"") -> bool:
        """Continues the handshake with the received bytes; afterwards ``outgoing`` has to be sent.

        Returns:
            Whether it is done.

        Raises:
            ssl.SSLError: the handshake has failed; ``outgoing`` is the alert for the server.
        """
        self._received.write(received)
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def outgoing(self, data: bytes = b"") -> bytes:
        """The encrypted bytes to send: this data, and records of TLS itself."""
        view = memoryview(data)
        while view:
            view = view[self._tls.write(view) :]
        return self._to_send.read()

    def incoming(self, received: bytes) -> bytes:
        """The decrypted data; empty for records of TLS itself, such as tickets, and for a part of a record."""
        self._received.write(received)
        plain = bytearray()
        try:
            while more := self._tls.read(_CHUNK):
                plain += more
        except ssl.SSLWantReadError:
            return bytes(plain)
        except ssl.SSLZeroReturnError:
            pass
        except ssl.SSLError as error:
            self.failure = error
        self.closed = self.failure is None
        return bytes(plain)
