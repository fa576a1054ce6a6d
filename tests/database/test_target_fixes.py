"""A first run against OceanBase: logins that are refused, and lists that ODP makes up."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace

import pytest

from runner.database.administrator_session import TargetError
from runner.database.outcome import Rows
from runner.database.process_list import ProcessList, is_odps
from runner.database.profile import load_profile
from runner.database.target import Target
from runner.database.time_limits import Limits
from tests.support.protocol_server import Peer, serving

ODPS = ("Id", "Tenant", "User", "Host", "db", "trans_count", "svr_session_count", "state", "tid", "pid")
PAGE = ("ID", "USER", "HOST", "DB", "COMMAND", "TIME", "STATE", "INFO")
NO_PROXYS = {
    "the page's": PAGE,
    "with FULL": (*PAGE[:2], "TENANT", *PAGE[2:], "IP", "PORT"),
    "of the tenant sys": (*PAGE[:2], "TENANT", *PAGE[2:], "IP", "PORT", "PROXY_SESSID"),
    "seekdb's": ("Id", "User", "Host", "db", "Command", "Time", "State", "Info"),
    "MariaDB's": ("Id", "User", "Host", "db", "Command", "Time", "State", "Info", "Progress"),
    "with a transaction's": (*PAGE, "TRANS_ID", "TID", "PID"),
}


@pytest.mark.parametrize("columns", [ODPS, tuple(map(str.upper, ODPS))])
def test_odps_process_list_is_recognised(columns: tuple[str, ...]) -> None:
    assert is_odps(ProcessList.read(Rows(columns, ())))


@pytest.mark.parametrize("columns", NO_PROXYS.values(), ids=list(NO_PROXYS))
def test_a_servers_process_list_is_not_recognised_as_odps(columns: tuple[str, ...]) -> None:
    assert not is_odps(ProcessList.read(Rows(columns, ())))


def refusing(code: int, sqlstate: bytes, words: bytes) -> Callable[[Peer], None]:
    def behave(peer: Peer) -> None:
        peer.greet()
        peer.receive_login()
        peer.send(2, b"\xff" + struct.pack("<H", code) + b"#" + sqlstate + words)

    return behave


REFUSALS = {
    "an address that is not invited": (1227, b"42501", "sys@t", "oceanbase-oracle", "ob_tcp_invited_nodes"),
    "no tenant": (1045, b"42000", "sys", "oceanbase-oracle", "names no tenant"),
    "a cluster": (1045, b"42000", "sys@t#c", "oceanbase-oracle", "remove %23CLUSTER"),
    "a password": (1045, b"42000", "sys@t", "oceanbase-oracle", "check user, password and tenant"),
    "no tenant, where there are none": (1045, b"28000", "root", "mariadb", "check the DSN's user and password"),
    "an unknown cluster": (4669, b"HY000", "sys@t#c", "oceanbase-oracle", "doesn't know this cluster"),
}


@pytest.mark.parametrize(("code", "sqlstate", "user", "profile", "said"), REFUSALS.values(), ids=list(REFUSALS))
def test_a_refused_login_is_reported_with_advice(
    code: int, sqlstate: bytes, user: str, profile: str, said: str
) -> None:
    with serving(refusing(code, sqlstate, b"Access denied")) as dsn:
        target = Target(replace(dsn, user=user), load_profile(profile), Limits(connect=5))
        with pytest.raises(TargetError, match=f"error {code} .*{said}"):
            target.check()
