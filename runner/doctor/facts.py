"""What an examination of a target found, as values."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Missing:
    """Something that cases need and the target doesn't do.

    Attributes:
        what: what is missing, with the server's answer.
        cases: the cases that become inconclusive.
        mend: the statement or option that mends it, or an empty text where nothing does.
    """

    what: str
    cases: tuple[str, ...]
    fix: str = ""


@dataclass(frozen=True)
class Facts:
    """A target as it presents itself.

    Attributes:
        handshake_version: the version in its handshake.
        product: what it calls itself, if it can be asked.
        flavour: the family of servers that both point to.
        version: its own version, as both tell.
        tls: the cipher of the administrator's connection, or None for plain text.
        offers_tls: whether the handshake offers TLS.
        oracle_bit_sent: whether the profile sets capability bit 27; an Oracle-mode tenant refuses clients without it.
        oracle_bit_offered: whether the handshake offers it.
        handshake_id_is_session_id: whether the handshake's thread id is the id in the list; None if that is not known.
        host_is_client: whether HOST in the list shows this end of the connection; None where there is no such address.
        unix_socket: whether the DSN names a Unix socket.
        connect_ms: milliseconds for a login, the median of several.
        sees_others: whether the administrator's list shows other users' sessions; None if nobody could try.
        lacks: what is missing.
        notes: what costs no case and is good to know.
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
        """How the connection gets there, as far as one can tell."""
        if self.unix_socket:
            return "Unix socket"
        if self.flavour == "OceanBase" and self.handshake_version.startswith(_ODPS_VERSION):
            return "through ODP"  # whose sessions may have the client's address, and its own ids in the list
        if self.host_is_client:
            return "direct"
        if self.handshake_id_is_session_id is False:
            return "through a proxy"
        return "direct or through a proxy"

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self) | {"route": self.route}


_ODPS_VERSION = "5.6.25"
"""The handshake of ODP, whatever the version of the servers behind it; theirs is 5.7.25 or newer."""


@dataclass(frozen=True)
class Family:
    """Servers of one make.

    Attributes:
        name: what people call it.
        mark: a word by which such a server is known, in its handshake's version or in what it calls itself.
        version: where in these two its own version stands. A server that speaks MySQL's protocol names a MySQL in its
            handshake: MariaDB before version 11 in front of its own, OceanBase and seekdb often instead of it.
    """

    name: str
    mark: str
    version: str


_FAMILIES = (
    Family("seekdb", "seekdb", r"seekdb \(r([0-9]+(?:\.[0-9]+)+)\)"),
    Family("OceanBase", "oceanbase", r"oceanbase(?:_ce)?[ _-]v?([0-9]+(?:\.[0-9]+)+)"),
    Family("MariaDB", "mariadb", r"^(?:5\.5\.5-)?([0-9]\S*)"),
    Family("MySQL", "mysql", r"^([0-9]\S*)"),
)


def flavour_and_version(handshake: str, product: str | None) -> tuple[str, str]:
    """The family of a server and its own version, by what it says of itself.

    Returns:
        ``unknown`` and the handshake's version if it says nothing that is known.
    """
    said = f"{handshake} {product or ''}"
    for family in _FAMILIES:
        if family.mark in said.casefold():
            own = re.search(family.version, said, re.IGNORECASE)
            return family.name, own[1] if own else handshake
    return "unknown", handshake
