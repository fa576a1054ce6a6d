"""Certificates for the tests, made anew by the openssl command: an authority, and what it signs."""

from __future__ import annotations

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


@dataclass(frozen=True)
class Signed:
    """A certificate and its private key, as files in PEM."""

    certificate: Path
    key: Path


@dataclass(frozen=True)
class Authority(Signed):
    """Who signs certificates; its own is the one to trust.

    Attributes:
        server: the certificate of a server at 127.0.0.1, ::1 and localhost.
    """

    server: Signed

    @classmethod
    def create(cls, folder: Path) -> Authority:
        """Makes an authority and a server's certificate in a folder."""
        own = Signed(folder / "ca.pem", folder / "ca-key.pem")
        _openssl("req", "-x509", *_KEY, "-days", "2", "-subj", "/CN=ca", *_out(own))
        server = _sign(own, folder, "server", "IP:127.0.0.1,IP:::1,DNS:localhost", days=2)
        return cls(own.certificate, own.key, server)

    def sign(self, name: str, names: str = "DNS:nobody.invalid", days: int = 2) -> Signed:
        """Another certificate: ``names`` as openssl writes them in subjectAltName; it is expired where days are < 0."""
        return _sign(self, self.key.parent, name, names, days)

    def locked_key(self, signed: Signed) -> Path:
        """The key of a certificate with a passphrase on it."""
        locked = signed.key.with_suffix(".locked")
        _openssl("pkey", "-in", signed.key, "-aes256", "-passout", "pass:word", "-out", locked)
        return locked

    def server_context(self, signed: Signed | None = None) -> ssl.SSLContext:
        """What a server needs; a client's own certificate is looked at if it has one."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        chain = signed or self.server
        context.load_cert_chain(chain.certificate, chain.key)
        context.load_verify_locations(self.certificate)
        return context


def _sign(authority: Signed, folder: Path, name: str, names: str, days: int) -> Signed:
    made, request = Signed(folder / f"{name}.pem", folder / f"{name}-key.pem"), folder / f"{name}.csr"
    extensions = folder / f"{name}.ext"
    extensions.write_text(f"subjectAltName={names}\n")
    _openssl("req", *_KEY, "-subj", f"/CN={name}", "-keyout", made.key, "-out", request)
    signer = ["-CA", str(authority.certificate), "-CAkey", str(authority.key), "-CAcreateserial"]
    _openssl(
        "x509", "-req", "-in", request, *signer, "-days", str(days), "-extfile", extensions, "-out", made.certificate
    )
    return made


def _out(signed: Signed) -> list[str | Path]:
    return ["-keyout", signed.key, "-out", signed.certificate]


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=60)
