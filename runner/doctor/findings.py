"""The findings of an examination, as frozen values, and the flavour and version of a server."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Missing:
    """Something that cases need and the target doesn't have.

    Attributes:
        what: what is missing, with the server's reply.
        cases: the cases that become inconclusive.
        fix: the statement or option that fixes it; empty if none is known.
    """

    what: str
    cases: tuple[str, ...]
    fix: str = ""


@dataclass(frozen=True)
class Findings:
    """The findings about a target.

    Attributes:
        handshake_version: the version in its handshake.
        product: the product name that it returns, if it returns one.
        flavour: the flavour of servers, derived from both.
        version: its own version, derived from both.
        tls: the cipher of the administrator's connection, or None for plain text.
        offers_tls: whether the handshake offers TLS.
        oracle_bit_sent: whether the profile sets capability bit 27; an Oracle-mode tenant refuses clients without it.
        oracle_bit_offered: whether the handshake offers it.
        handshake_id_is_session_id: whether the thread id in the handshake is the id in the process list, or None.
        host_is_client: whether HOST in the process list is the client's address; None: the connection has no address.
        unix_socket: whether the DSN names a Unix socket.
        connect_ms: the time for a login in milliseconds, the median of three.
        sees_others: whether the administrator's process list shows other users' sessions; None: not tested.
        missing: what cases need and the target doesn't have.
        notes: information that affects no case.
    """

    target: str
    profile: str
    handshake_version: str
    product: str | None
    flavour: str
    version: str
    tls: str | None
    offers_tls: bool
    oracle_bit_sent: bool
    oracle_bit_offered: bool
    handshake_id_is_session_id: bool | None
    host_is_client: bool | None
    unix_socket: bool
    connect_ms: float
    sees_others: bool | None
    missing: tuple[Missing, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def route(self) -> str:
        """The route of the connection, as far as known."""
        if self.unix_socket:
            return "Unix socket"
        if self.flavour == "OceanBase" and self.handshake_version.startswith(_ODPS_VERSION):
            return "through ODP"  # its process list may have the client's address, and its own ids
        if self.host_is_client:
            return "direct"
        if self.handshake_id_is_session_id is False:
            return "through a proxy"
        return "direct or through a proxy"

    def as_dict(self) -> dict[str, Any]:
        """The findings for JSON."""
        return asdict(self) | {"route": self.route}


_ODPS_VERSION = "5.6.25"
"""The version in ODP's handshake; observers have 5.7.25 or newer."""


@dataclass(frozen=True)
class Flavour:
    """A kind of server.

    Attributes:
        name: its name in messages.
        mark: a word in the handshake's version or the product name by which such a server is recognized.
        version: a pattern for its own version in these two. The handshake may contain a version of MySQL, too: in
            MariaDB before version 11 in front of its own, in OceanBase and seekdb often instead of it.
    """

    name: str
    mark: str
    version: str


_FLAVOURS = (
    Flavour("seekdb", "seekdb", r"seekdb \(r([0-9]+(?:\.[0-9]+)+)\)"),
    Flavour("OceanBase", "oceanbase", r"oceanbase(?:_ce)?[ _-]v?([0-9]+(?:\.[0-9]+)+)"),
    Flavour("MariaDB", "mariadb", r"^(?:5\.5\.5-)?([0-9]\S*)"),
    Flavour("MySQL", "mysql", r"^([0-9]\S*)"),
)


def flavour_and_version(handshake: str, product: str | None) -> tuple[str, str]:
    """The flavour and the own version of a server, from its handshake and product name.

    Returns:
        ``unknown`` and the handshake's version if no flavour is recognized.
    """
    text = f"{handshake} {product or ''}"
    for flavour in _FLAVOURS:
        if flavour.mark in text.casefold():
            own = re.search(flavour.version, text, re.IGNORECASE)
            return flavour.name, own[1] if own else handshake
    return "unknown", handshake
