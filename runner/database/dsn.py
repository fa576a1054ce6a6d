"""DSNs: ``oceanbase://USER:PASSWORD@HOST:PORT/[?option=value]``, parts percent-encoded."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, unquote

_SHAPE = re.compile(
    r"^(?P<scheme>[a-z][a-z0-9+]*)://(?:(?P<login>.*)@)?"
    r"(?P<host>\[[0-9A-Fa-f:.%]+\]|[^\[\]@:/?]*)(?::(?P<port>[^@:/?]*))?(?:/(?P<rest>[^?]*))?(?:\?(?P<query>.*))?$"
)
_IPV6 = re.compile("[0-9A-Fa-f.%]*:[0-9A-Fa-f:.%]*")
_DEFAULT_PORTS = {"oceanbase": 2881, "mysql": 3306}
_OPTIONS = ("unix_socket",)
_HIGHEST_PORT = 65535

DSN_SHAPE = "oceanbase://USER:PASSWORD@HOST:PORT/[?option=value]"


class DsnError(ValueError):
    """A DSN can't be read. The message never holds the password."""


@dataclass(frozen=True)
class Dsn:
    """Where the target is and who logs in there as the administrator.

    Attributes:
        user: the login as the server wants it, such as ``sys@tenant#cluster``.
        unix_socket: a path that is used instead of host and port, or None.
    """

    scheme: str
    user: str
    password: str = field(repr=False)
    host: str
    port: int
    unix_socket: str | None = None

    @classmethod
    def parse(cls, text: str) -> Dsn:
        """Reads a DSN.

        Raises:
            DsnError: it has another shape; the message says which part and what is expected.
        """
        match = _SHAPE.match(text.strip())
        if match is None:
            raise DsnError(f"the DSN has not the shape {DSN_SHAPE}; percent-encode special characters in its parts")
        scheme = match["scheme"]
        if scheme not in _DEFAULT_PORTS:
            raise DsnError(f"the DSN's scheme is {scheme!r}; it must be one of {', '.join(_DEFAULT_PORTS)}")
        user, colon, password = (match["login"] or "").partition(":")
        if not user:
            raise DsnError(f"the DSN names no user; its shape is {DSN_SHAPE}")
        if match["rest"]:
            raise DsnError(f"the DSN names a path behind the host; only options may follow: {DSN_SHAPE}")
        options = cls._options(match["query"] or "")
        host = match["host"].strip("[]")
        if not host and "unix_socket" not in options:
            raise DsnError(f"the DSN names no host; its shape is {DSN_SHAPE}")
        return cls(
            scheme=scheme,
            user=unquote(user),
            password=unquote(password) if colon else "",
            host=unquote(host),
            port=cls._port(match["port"], _DEFAULT_PORTS[scheme]),
            unix_socket=options.get("unix_socket"),
        )

    @staticmethod
    def _port(text: str | None, default: int) -> int:
        if not text:
            return default
        if not re.fullmatch("[0-9]{1,5}", text) or not 0 < int(text) <= _HIGHEST_PORT:
            raise DsnError(f"the DSN's port must be a number from 1 to {_HIGHEST_PORT}")
        return int(text)

    @staticmethod
    def _options(query: str) -> dict[str, str]:
        options: dict[str, str] = {}
        for name, value in parse_qsl(query, keep_blank_values=True):
            if name not in _OPTIONS:
                raise DsnError(f"the DSN has an unknown option {name!r}; known: {', '.join(_OPTIONS)}")
            if not value or name in options:
                raise DsnError(f"the DSN's option {name!r} must be given once, with a value")
            options[name] = value
        return options

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
        user = quote(self.user, safe="")
        host = f"[{self.host}]" if _IPV6.fullmatch(self.host) else quote(self.host, safe="")
        if self.unix_socket:
            return f"{self.scheme}://{user}@{host or 'localhost'}/?unix_socket={quote(self.unix_socket, safe='')}"
        return f"{self.scheme}://{user}@{host}:{self.port}/"

    @property
    def text(self) -> str:
        """The whole DSN, password included: for handing it to another process, never to print."""
        return self.shown.replace("@", f":{quote(self.password, safe='')}@", 1) if self.password else self.shown
