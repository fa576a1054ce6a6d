"""TLS to the target: the context for a DSN's options, messages for failures, and TLS between socket and stream."""

from __future__ import annotations

import functools
import ssl
from pathlib import Path

from runner.database.dsn import DsnError, Tls

_OTHER_NAME = {62, 64}  # OpenSSL's codes: the certificate is for another host name, or address
_OUT_OF_DATE = {9, 10}
_CHUNK = 65536


@functools.cache  # one for all connections of a process: making one takes 25 ms where the system's authorities are read
def tls_context(tls: Tls) -> ssl.SSLContext:
    """The TLS context for the options of a DSN.

    Raises:
        DsnError: a file that it names is missing, unreadable or invalid; the message has the fix.
    """
    for option, path in (("ssl_ca", tls.ca), ("ssl_cert", tls.cert), ("ssl_key", tls.key)):
        if path is not None:
            _check_readable(option, path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.check_hostname = tls.verify == "full"
    context.verify_mode = ssl.CERT_NONE if tls.verify == "none" else ssl.CERT_REQUIRED
    if tls.ca is None:
        context.load_default_certs()
    else:
        try:
            context.load_verify_locations(tls.ca)
        except ssl.SSLError:
            raise DsnError(
                f"the DSN's ssl_ca {tls.ca!r} contains no certificate in PEM format; use the certificate of the "
                "authority that signed the server's"
            ) from None
    if tls.cert is not None:
        _load_client_certificate(context, tls.cert, tls.key)
    return context


def _check_readable(option: str, path: str) -> None:
    try:
        with Path(path).open("rb") as stream:
            stream.read(1)
    except OSError as error:
        raise DsnError(
            f"the DSN's {option} {path!r} can't be read: {error.strerror}; use a file in PEM format"
        ) from None


def _load_client_certificate(context: ssl.SSLContext, cert: str, key: str | None) -> None:
    def no_passphrase() -> str:  # OpenSSL would ask for it on the terminal
        raise DsnError(f"the DSN's key in {key or cert!r} has a passphrase; remove it: openssl pkey -in OLD -out NEW")

    try:
        context.load_cert_chain(cert, key, no_passphrase)
    except ssl.SSLError as error:
        where = f"ssl_cert {cert!r} and ssl_key {key!r}" if key else f"ssl_cert {cert!r} without ssl_key"
        raise DsnError(
            f"the DSN's {where} are not a certificate with its private key in PEM format ({_reason(error)}); "
            "use the client certificate and its key"
        ) from None


def tls_trouble(error: OSError) -> str:
    """Why a login over TLS failed, and what to do."""
    if not isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"TLS failed ({_reason(error)}); check that the server supports TLS 1.2 or newer, and that it accepts "
            "the client certificate (ssl_cert), if it requires one"
        )
    what = f"the server's certificate is not accepted: {error.verify_message.rstrip('.')}"
    if error.verify_code in _OTHER_NAME:
        return f"{what}; use the certificate's host name in the DSN, or ssl_verify=ca to check the authority only"
    if error.verify_code in _OUT_OF_DATE:
        return f"{what}; renew it, or use ssl_verify=none to connect encrypted but unverified"
    return (
        f"{what}; set ssl_ca to the certificate of the authority that signed it "
        "(ssl_verify=none connects encrypted but unverified)"
    )


def _reason(error: OSError) -> str:
    if isinstance(error, ConnectionError):
        return "the server closed the connection"
    reason = getattr(error, "reason", None) or error.strerror or str(error)
    return str(reason).replace("_", " ").lower()


class TlsBytes:
    """The client's end of TLS on one connection: bytes in, bytes out. The stream waits for data, as without TLS.

    Python's own TLS sockets report a reset connection as a closed one, and the suite has to tell these apart.

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
