"""DSNs: ``oceanbase://USER:PASSWORD@HOST:PORT/[?option=value]``, parts percent-encoded."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

from runner.database.dsnoptions import OPTIONS, DsnError, Tls, read_options, read_passfile, written_options

_SHAPE = re.compile(
    r"^(?P<scheme>[a-z][a-z0-9+]*)://(?:(?P<login>.*)@)?"
    r"(?P<host>\[[0-9A-Fa-f:.]+(?:%[^\[\]@:/?]+)?\]|[^\[\]@:/?]*)"
    r"(?::(?P<port>[^@:/?]*))?(?:/(?P<rest>[^?]*))?(?:\?(?P<query>.*))?$"
)
_IPV6 = re.compile("(?P<address>[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*)(?:%(?P<zone>.+))?", re.DOTALL)
_OPTION_IN_LOGIN = re.compile(rf"[?&](?:{'|'.join(OPTIONS)})=")
_DEFAULT_PORTS = {"oceanbase": 2881, "mysql": 3306}
_HIGHEST_PORT = 65535

DSN_SHAPE = "oceanbase://USER:PASSWORD@HOST:PORT/[?option=value]"


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
            DsnError: it has another shape, or the file can't be used; the message says which part and what is expected.
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
            user=unquote(user),
            password=read_passfile(options["passfile"]) if options["passfile"] else unquote(password),
            host=cls._host(match["host"]),
            port=port,
            **options,
        )

    @staticmethod
    def _host(text: str) -> str:
        if not text.startswith("["):
            return unquote(text)
        address, percent, zone = text[1:-1].partition("%")
        # In a URL a zone's percent sign is written %25; people paste what `ip address` says.
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
        """The user's name without tenant and cluster."""
        return self.user.split("@", 1)[0].split("#", 1)[0]

    def login(self, user: str) -> str:
        """The login of another user of the same tenant: the administrator's, with the name replaced."""
        return user + self.user[len(self.account) :]

    @property
    def shown(self) -> str:
        """The DSN without its password, to print and to record."""
        login = quote(self.user, safe="")
        options = written_options(self.unix_socket, self.passfile, self.connect_timeout, self.tls)
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
    def template(self) -> str:
        """The DSN to type, with the word PASSWORD in the place of the password, if it has one of its own."""
        return self._with_password("PASSWORD")

    @property
    def text(self) -> str:
        """The whole DSN, password included: for handing it to another process, never to print."""
        return self._with_password(quote(self.password, safe=""))

    def _with_password(self, written: str) -> str:
        return self.shown.replace("@", f":{written}@", 1) if self.password and not self.passfile else self.shown
