"""DSNs: ``oceanbase://USER:PASSWORD@HOST:PORT/[?option=value]``, with percent-encoded parts, and their options."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

from runner.database.time_limits import LONGEST_LIMIT
from runner.language.message_text import did_you_mean

OPTIONS = ("unix_socket", "passfile", "connect_timeout", "ssl_ca", "ssl_cert", "ssl_key", "ssl_verify")
VERIFY = ("full", "ca", "none")
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_SHAPE = re.compile(
    r"^(?P<scheme>[a-z][a-z0-9+]*)://(?:(?P<login>.*)@)?"
    r"(?P<host>\[[0-9A-Fa-f:.]+(?:%[^\[\]@:/?]+)?\]|[^\[\]@:/?]*)"
    r"(?::(?P<port>[^@:/?]*))?(?:/(?P<rest>[^?]*))?(?:\?(?P<query>.*))?$"
)
_IPV6 = re.compile("(?P<address>[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*)(?:%(?P<zone>.+))?", re.DOTALL)
_QUOTED_ACCOUNT = re.compile(r'"[^"]+"(?=[@#]|\Z)')
_OPTION_IN_LOGIN = re.compile(rf"[?&](?:{'|'.join(OPTIONS)})=")
_DEFAULT_PORTS = {"oceanbase": 2881, "mysql": 3306}
_NOT_UTF8 = "the DSN has a percent-encoded part that is not UTF-8; encode it as UTF-8 (%C3%A9 for é)"
_HIGHEST_PORT = 65535

DSN_SHAPE = "oceanbase://USER:PASSWORD@HOST:PORT/[?option=value]"
DSN_VARIABLE = "KSC_DSN"
"""The environment variable with the DSN, if the command line has none."""


class DsnError(ValueError):
    """A DSN, or a file that it names, can't be used. The message never holds the password."""


def given_dsn(option: str | None) -> tuple[str | None, str | None]:
    """The source of the DSN (``--dsn`` or the environment variable) and its text; None for both if there is none.

    Args:
        option: the value of ``--dsn``.
    """
    if option is not None:
        return "--dsn", option
    text = os.environ.get(DSN_VARIABLE)
    return None if text is None else DSN_VARIABLE, text


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


@dataclass(frozen=True)
class Dsn:
    """Where the target is and who logs in there as the administrator.

    Attributes:
        user: the login as the server wants it, such as ``sys@tenant#cluster``.
        password: never shown; read from ``passfile``, where that is given.
        host: a name or an address; an IPv6 address can have a zone, as in ``fe80::1%eth0``.
        unix_socket: a path that is used instead of host and port, or None.
        passfile: the file whose first line is the password, or None.
        connect_timeout: seconds for a login, or None for the runner's own limit.
        tls: how the connection is encrypted, or None if it is not.
    """

    scheme: str
    user: str
    password: str = field(repr=False)
    host: str
    port: int
    unix_socket: str | None = None
    passfile: str | None = None
    connect_timeout: float | None = None
    tls: Tls | None = None

    @classmethod
    def parse(cls, text: str) -> Dsn:
        """Reads a DSN, and the password in its ``passfile``.

        Raises:
            DsnError: it has another shape, or the file can't be used; the message has the part and the expected form.
        """
        if not text.isascii() and re.search("[\\ud800-\\udfff]", text):
            raise DsnError("the DSN contains bytes that are not UTF-8; percent-encode them")
        match = _SHAPE.match(text.strip())
        if match is None:
            raise DsnError(
                f"the DSN does not have the form {DSN_SHAPE}; percent-encode special characters in its parts"
            )
        scheme = match["scheme"]
        if scheme not in _DEFAULT_PORTS:
            raise DsnError(f"the DSN's scheme is {scheme!r}; it must be one of {', '.join(_DEFAULT_PORTS)}")
        if _OPTION_IN_LOGIN.search(match["login"] or ""):
            raise DsnError("the DSN has an @ in its options; write it as %40")
        user, _, password = (match["login"] or "").partition(":")
        if not user:
            raise DsnError(f"the DSN has no user; its form is {DSN_SHAPE}")
        if match["rest"]:
            raise DsnError(f"the DSN has a path after the host; only options may follow: {DSN_SHAPE}")
        options = read_options(match["query"] or "")
        if not match["host"] and not options["unix_socket"]:
            raise DsnError(f"the DSN has no host; its form is {DSN_SHAPE}")
        port = cls._port(match["port"], _DEFAULT_PORTS[scheme])
        if password and options["passfile"]:
            raise DsnError("the DSN has both a password and a passfile; remove one of them")
        return cls(
            scheme=scheme,
            user=_decoded(user),
            password=read_passfile(options["passfile"]) if options["passfile"] else _decoded(password),
            host=cls._host(match["host"]),
            port=port,
            **options,
        )

    @staticmethod
    def _host(text: str) -> str:
        if not text.startswith("["):
            return _decoded(text)
        address, percent, zone = text[1:-1].partition("%")
        # In a URL a zone's percent sign is written %25; people paste the output of `ip address`.
        return address + percent + (unquote(zone[2:]) if re.match("25.", zone) else zone)

    @staticmethod
    def _port(text: str | None, default: int) -> int:
        if not text:
            return default
        if not re.fullmatch("[0-9]{1,5}", text) or not 0 < int(text) <= _HIGHEST_PORT:
            raise DsnError(f"the DSN's port must be a number from 1 to {_HIGHEST_PORT}")
        return int(text)

    @property
    def account(self) -> str:
        """The user's name without tenant, cluster and quotes, as the process list shows it."""
        return self._quoted_account[1:-1] or self.user.split("@", 1)[0].split("#", 1)[0]

    @property
    def account_in_statements(self) -> str:
        """The user's name for statements: in quotes, if it has them in the login."""
        return self._quoted_account or self.account

    @property
    def schema(self) -> str:
        """The schema of the user's tables for statements: its name, in capitals if it has no quotes."""
        return self._quoted_account or self.account.upper()

    @property
    def _quoted_account(self) -> str:
        """The user's name with its quotes, in which it may have an @; empty if it has none."""
        match = _QUOTED_ACCOUNT.match(self.user)
        return match[0] if match is not None else ""

    def login(self, user: str) -> str:
        """The login of another user of the same tenant: the administrator's, with the name replaced."""
        return user + self.user[len(self._quoted_account or self.account) :]

    @property
    def shown(self) -> str:
        """The DSN without its password, to print and to record."""
        login = quote(self.user, safe="")
        options = format_options(self.unix_socket, self.passfile, self.connect_timeout, self.tls)
        query = "&".join(f"{name}={quote(value, safe='')}" for name, value in options)
        where = (self._shown_host or "localhost") if self.unix_socket else f"{self._shown_host}:{self.port}"
        return f"{self.scheme}://{login}@{where}/" + (f"?{query}" if query else "")

    @property
    def _shown_host(self) -> str:
        match = _IPV6.fullmatch(self.host)
        if match is None:
            return quote(self.host, safe="")
        return f"[{match['address']}{'%25' + quote(match['zone'], safe='') if match['zone'] else ''}]"

    @property
    def text_with_placeholder(self) -> str:
        """The DSN to type, with the word PASSWORD in the place of the password, if it has one of its own."""
        return self._with_password("PASSWORD")

    @property
    def text_with_password(self) -> str:
        """The whole DSN, password included: for handing it to another process, never to print."""
        return self._with_password(quote(self.password, safe=""))

    def _with_password(self, written: str) -> str:
        return self.shown.replace("@", f":{written}@", 1) if self.password and not self.passfile else self.shown


def _decoded(part: str) -> str:
    """A part without its percent-encoding; the exception of the decoder would show a password."""
    try:
        return unquote(part, errors="strict")
    except UnicodeDecodeError:
        raise DsnError(_NOT_UTF8) from None


def read_options(query: str) -> dict[str, Any]:
    """Reads what is behind the ``?`` of a DSN.

    Returns:
        ``unix_socket``, ``passfile``, ``connect_timeout`` in seconds and ``tls``, each None if it is not given.

    Raises:
        DsnError: an option is unknown, given twice, or has no such value.
    """
    given: dict[str, str] = {}
    try:
        pairs = parse_qsl(query.replace("+", "%2B"), keep_blank_values=True, errors="strict")  # a plus is a plus
    except UnicodeDecodeError:
        raise DsnError(_NOT_UTF8) from None
    for name, value in pairs:
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
        "connect_timeout": _connect_timeout(given.get("connect_timeout")),
        "tls": _tls(given),
    }


def format_options(
    unix_socket: str | None, passfile: str | None, connect_timeout: float | None, tls: Tls | None
) -> list[tuple[str, str]]:
    """The options of a DSN as names and values, not yet encoded; the inverse of ``read_options``."""
    options = {
        "unix_socket": unix_socket,
        "passfile": passfile,
        "connect_timeout": None if connect_timeout is None else f"{connect_timeout:g}",
    }
    if tls is not None:
        options |= {"ssl_ca": tls.ca, "ssl_cert": tls.cert, "ssl_key": tls.key, "ssl_verify": tls.verify}
    return [(name, value) for name, value in options.items() if value is not None]


def _connect_timeout(text: str | None) -> float | None:
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,3})?", text) or not 0 < float(text) <= LONGEST_LIMIT:
        raise DsnError(f"the DSN's connect_timeout must be seconds above 0 and up to {LONGEST_LIMIT:g}, such as 2.5")
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
        DsnError: it can't be read, other users can read it, or it is empty; the message has the fix.
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
