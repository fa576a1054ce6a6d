"""Advice for two problems of a first run against OceanBase: a refused login, and a process list of ODP."""

from __future__ import annotations

import re

from runner.database.dsn import Dsn
from runner.database.outcome import ServerError
from runner.database.process_list import ProcessList

_ODPS_COLUMNS = {"trans_count", "svr_session_count"}
_ACCESS_DENIED = 1045
_NOT_INVITED = 1227
_NO_SUCH_CLUSTER = 4669
_NEEDS_ORACLE_CLIENT = re.compile("oracle tenant for current client driver", re.IGNORECASE)

ORACLE_TENANT_ONLY = (
    "the tenant is in Oracle mode, and the profile is not for it: use --profile oceanbase-oracle (the default), or a "
    "profile that extends it"
)
"""The fix if a tenant in Oracle mode refuses a login without the capability bit 27."""

ODPS_LIST = (
    "ODP answers SHOW PROCESSLIST itself (client_session_id_version=1, its default), with numbers that no server "
    "knows. Either name an observer's own port in the DSN (2881, USER@TENANT without #CLUSTER), or set "
    "client_session_id_version=2 and a proxy_id in ODP (ALTER PROXYCONFIG SET …; ODP 4.2.3 or newer, OceanBase 4.2.5 "
    "or newer)"
)
"""What is wrong where the list is ODP's, and the two ways out."""


def is_odps(shown: ProcessList) -> bool:
    """Whether a process list is ODP's own and no server's: no server's has these columns, whatever its version."""
    return {column.casefold() for column in shown.columns} >= _ODPS_COLUMNS


def needs_oracle_client(error: ServerError) -> bool:
    """Whether a tenant in Oracle mode refuses a login because the client did not set the capability bit 27."""
    return _NEEDS_ORACLE_CLIENT.search(error.message) is not None


def login_advice(error: ServerError, dsn: Dsn) -> str | None:
    """The fix for a refused login to an Oracle tenant; None if the error has no particular one.

    A login without tenant is one to the tenant sys. On an observer's own port, all behind the @ is the tenant's name.
    """
    if error.code == _NO_SUCH_CLUSTER:
        return "ODP knows no cluster of that name: correct it behind the # in the DSN's user, or leave it out"
    if error.code == _NOT_INVITED:
        return (
            "the tenant lets in only the addresses in its variable ob_tcp_invited_nodes (127.0.0.1 at first): as its "
            "administrator, on the server's own machine, SET GLOBAL ob_tcp_invited_nodes = '…' with this machine's"
        )
    if error.code != _ACCESS_DENIED:
        return None
    if "@" not in dsn.user:
        return (
            "the DSN's user names no tenant, which means the tenant sys: write USER%40TENANT for an observer's port "
            "(2881), USER%40TENANT%23CLUSTER for ODP's (2883)"
        )
    if "#" in dsn.user:
        return (
            "is that ODP's port (2883)? An observer's own port (2881) takes USER%40TENANT without %23CLUSTER. "
            "Else: are tenant, user and password right?"
        )
    return None
