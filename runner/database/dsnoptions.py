"""The options of a DSN, behind its ``?``: their names, their values, and the file that a password is kept in."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from runner.language.problems import did_you_mean

OPTIONS = ("unix_socket", "passfile", "connect_timeout", "ssl_ca", "ssl_cert", "ssl_key", "ssl_verify")
VERIFY = ("full", "ca", "none")
_LONGEST_WAIT = 600.0  # seconds
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class DsnError(ValueError):
    """A DSN, or a file that it names, can't be used. The message never holds the password."""


@dataclass(frozen=True)
class Tls:
    """How the connection is encrypted.

    Attributes:
        ca: a file of the certificates that are trusted, in PEM; None for those that the system trusts.
        cert: a file with the client's own certificate, or None.
        key: the file of its private key, or None if that is in ``cert`` too.
        verify: what of the server's certificate is checked: ``full`` (chain and host name), ``ca`` (chain), ``none``.
    """

    ca: str | None = None
    cert: str | None = None
    key: str | None = None
    verify: str = "full"


def read_options(query: str) -> dict[str, Any]:
    """Reads what is behind the ``?`` of a DSN.

    Returns:
        ``unix_socket``, ``passfile``, ``connect_timeout`` in seconds and ``tls``, each None where nothing is said.

    Raises:
        DsnError: an option is unknown, given twice, or has no such value.
    """
    given: dict[str, str] = {}
    for name, value in parse_qsl(query.replace("+", "%2B"), keep_blank_values=True):  # a plus is a plus, in a path too
        if name not in OPTIONS:
            raise DsnError(f"the DSN has an unknown option {name!r}; {did_you_mean(name, OPTIONS)}")
        if not value or name in given:
            raise DsnError(f"the DSN's option {name!r} must be given once, with a value")
        if "\0" in value and name != "unix_socket":  # which may be an abstract one
            raise DsnError(f"the DSN's option {name!r} has a zero byte in its value")
        given[name] = value
    return {
        "unix_socket": given.get("unix_socket"),
        "passfile": given.get("passfile"),
        "connect_timeout": _seconds(given.get("connect_timeout")),
        "tls": _tls(given),
    }


def written_options(
    unix_socket: str | None, passfile: str | None, connect_timeout: float | None, tls: Tls | None
) -> list[tuple[str, str]]:
    """What ``read_options`` reads as these values again: names and values, not yet encoded."""
    options = {
        "unix_socket": unix_socket,
        "passfile": passfile,
        "connect_timeout": None if connect_timeout is None else f"{connect_timeout:g}",
    }
    if tls is not None:
        options |= {"ssl_ca": tls.ca, "ssl_cert": tls.cert, "ssl_key": tls.key, "ssl_verify": tls.verify}
    return [(name, value) for name, value in options.items() if value is not None]


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,3})?", text) or not 0 < float(text) <= _LONGEST_WAIT:
        raise DsnError(f"the DSN's connect_timeout must be seconds above 0 and up to {_LONGEST_WAIT:g}, such as 2.5")
    return float(text)


def _tls(given: dict[str, str]) -> Tls | None:
    ca, cert, key, verify = (given.get(name) for name in ("ssl_ca", "ssl_cert", "ssl_key", "ssl_verify"))
    if key and not cert:
        raise DsnError("the DSN has ssl_key without ssl_cert; add the certificate of this key")
    if verify not in {None, *VERIFY}:
        raise DsnError(f"the DSN's ssl_verify must be one of {', '.join(VERIFY)}")
    return Tls(ca, cert, key, verify or VERIFY[0]) if ca or cert or verify else None


def _open_at_once(path: str, flags: int) -> int:
    """A pipe that nobody writes to would else block for good."""
    return os.open(path, flags | os.O_NONBLOCK)


def read_passfile(path: str) -> str:
    """The first line of a file that nobody else can read: a password.

    Raises:
        DsnError: it can't be read, others can read it, or there is nothing in it; the message says what to do.
    """
    where = f"the DSN's passfile {path!r}"
    try:
        with open(path, encoding="utf-8-sig", opener=_open_at_once) as stream:
            mode = os.fstat(stream.fileno()).st_mode
            if not stat.S_ISREG(mode):
                raise DsnError(f"{where} is not a regular file; use a file whose first line is the password")
            if mode & _OTHERS:
                raise DsnError(f"{where} can be read or changed by other users; run chmod 600 on it")
            password = stream.readline().rstrip("\n")
    except OSError as error:
        raise DsnError(f"{where} can't be read: {error.strerror}; its first line must be the password") from None
    except UnicodeDecodeError:
        raise DsnError(f"{where} is not text in UTF-8; its first line must be the password") from None
    if not password:
        raise DsnError(f"{where} has an empty first line; that line must be the password")
    return password
