"""The fixes for a target that can't be used: it refuses logins or doesn't reply, or the process list is ODP's."""

from __future__ import annotations

import re

from runner.database.dsn import Dsn
from runner.database.outcome import Lost, NoReply, Outcome, Rows, ServerError, Unreadable
from runner.database.profile import Profile

_ACCESS_DENIED = 1045
_NOT_INVITED = 1227
_NO_SUCH_CLUSTER = 4669
_NEEDS_ORACLE_CLIENT = re.compile("oracle tenant for current client driver", re.IGNORECASE)

TLS_ONLY = "encrypted connections only: add ?ssl_ca=FILE, ?ssl_verify=ca or ?ssl_verify=none to the DSN (docs/dsn.md)"

_NEEDS_TLS = 3159

_ORACLE_TENANT = 1 << 27
"""The capability bit without which an Oracle tenant of OceanBase refuses a client."""
_QUERY_ATTRIBUTES = 1 << 27
"""The same bit, as MySQL (since 8.0.23) offers it, for query attributes; OceanBase doesn't offer it."""

_ORACLE_TENANT_ONLY = (
    "the tenant is in Oracle mode, and the profile is not for it: use --profile oceanbase-oracle (the default), or a "
    "profile that extends it"
)
"""The fix if a tenant in Oracle mode refuses a login without the capability bit 27."""

ODPS_LIST = (
    "ODP replies to SHOW PROCESSLIST itself (client_session_id_version=1, its default), with numbers that no server "
    "knows. Either name an observer's own port in the DSN (2881, USER@TENANT without #CLUSTER), or set "
    "client_session_id_version=2 and a proxy_id in ODP (ALTER PROXYCONFIG SET …; ODP 4.2.3 or newer, OceanBase 4.2.5 "
    "or newer)"
)
"""What is wrong where the list is ODP's, and the two ways out."""


def _needs_oracle_client(error: ServerError) -> bool:
    """Whether a tenant in Oracle mode refuses a login because the client did not set the capability bit 27."""
    return _NEEDS_ORACLE_CLIENT.search(error.message) is not None


def _oracle_login_advice(error: ServerError, dsn: Dsn) -> str | None:
    """The fix for a refused login to an Oracle tenant; None if the error has no particular one.

    A login without tenant is one to the tenant sys. On an observer's own port, all behind the @ is the tenant's name.
    """
    if error.code == _NO_SUCH_CLUSTER:
        return "ODP doesn't know this cluster: correct the name behind the # in the DSN's user, or remove # and name"
    if error.code == _NOT_INVITED:
        return (
            "the tenant accepts only the addresses in its variable ob_tcp_invited_nodes (initially 127.0.0.1). Log in "
            "on the server's own machine as the tenant's administrator, and add the address of this machine: "
            "SET GLOBAL ob_tcp_invited_nodes = '…'"
        )
    if error.code != _ACCESS_DENIED:
        return None
    if "@" not in dsn.user:
        return (
            "the DSN's user names no tenant, so OceanBase takes the tenant sys: write USER%40TENANT for the port of an "
            "observer (2881), USER%40TENANT%23CLUSTER for the port of ODP (2883)"
        )
    if "#" in dsn.user:
        return (
            "for the port of an observer (2881), remove %23CLUSTER from the DSN. For the port of ODP (2883), check "
            "user, password and tenant"
        )
    return (
        "check user, password and tenant in the DSN: OceanBase sends this error if any of them is wrong. "
        "The port of ODP (2883) needs USER%40TENANT%23CLUSTER"
    )


def wants_tls(outcome: Outcome | None) -> bool:
    """Whether a login is refused because the connection is not encrypted (require_secure_transport)."""
    turned_away = isinstance(outcome, Lost) and outcome.refused
    return (isinstance(outcome, ServerError) and outcome.code == _NEEDS_TLS) or (
        turned_away and f"error {_NEEDS_TLS} " in str(outcome)
    )


def _login_advice(error: ServerError, dsn: Dsn, profile: Profile) -> str | None:
    """The fix for a login that a tenant of OceanBase refused; None if there is no particular one."""
    if profile.client_flag & _ORACLE_TENANT:
        return _oracle_login_advice(error, dsn)
    return _ORACLE_TENANT_ONLY if _needs_oracle_client(error) else None


def advice(  # noqa: PLR0911 - a sentence for each way in which it can fail
    outcome: Outcome | None, dsn: Dsn, profile: Profile, *, offered: int, logged_in: bool
) -> str:
    """The fix for the outcome of the administrator's login or of its first statements.

    Args:
        outcome: the outcome.
        dsn: the target's DSN.
        profile: the target's profile.
        offered: the capability bits in the server's handshake.
        logged_in: whether the administrator is logged in.
    """
    match outcome:
        case ServerError() | Lost() if wants_tls(outcome):
            return f"the server accepts {TLS_ONLY}"
        case ServerError() | Lost() | Unreadable() if offered & profile.client_flag & _QUERY_ATTRIBUTES:
            return (
                f"the server offers capability bit 27 for MySQL's query attributes, and the profile {profile.name!r} "
                f"sets it for OceanBase's Oracle mode: the two features change statements in different ways. For MySQL "
                f"use --profile mysql"
            )
        case Lost(awaited="handshake", refused=True):
            return "the server accepts no more connections: close some, or raise its limit"
        case Lost(awaited="handshake") | NoReply(awaited="handshake"):
            return "the port accepts connections, but sends no MySQL handshake: check the port"
        case Unreadable() if not logged_in:
            return "the reply is not MySQL protocol, or a device in between changes the packets: check the address"
        case ServerError() as error if not logged_in and (fix := _login_advice(error, dsn, profile)):
            return fix
        case ServerError() if not logged_in:
            return "check the DSN's user and password, and whether this user may log in from this machine"
        case Lost(awaited=missing) | NoReply(awaited=missing) if not logged_in and "connection" in missing:
            return "check the address, and whether the server is running"
        case ServerError() | Rows():
            return f"check whether the profile {profile.name!r} fits this server"
        case _:
            return "the server may be overloaded or hang, or the network may be down: check the server's log"
