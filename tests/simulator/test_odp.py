"""The server behind ODP, OceanBase's proxy: how a client logs in, which ids it sees, and how sessions end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pymysql
import pytest

from tests.support.simulator_clients import (
    BackgroundStatement,
    Connection,
    Simulator,
    error_code,
    is_disconnected,
    is_usable,
    kill_statement,
    run,
    session_id,
    socket_of,
    start_simulator,
    stop_simulator,
)

ODP = "@oracle#simulator"
DEFAULT_SETTINGS = ("--environment", "odp-with-default-settings")


@pytest.fixture(scope="module", params=[("--behind-proxy",), DEFAULT_SETTINGS], ids=["version 2", "version 1"])
def either(request: pytest.FixtureRequest) -> Iterator[Simulator]:
    yield from simulator_with(*request.param)


@pytest.fixture(scope="module")
def forwarding() -> Iterator[Simulator]:
    yield from simulator_with("--behind-proxy")


@pytest.fixture(scope="module")
def listing() -> Iterator[Simulator]:
    yield from simulator_with(*DEFAULT_SETTINGS)


def simulator_with(*options: str) -> Iterator[Simulator]:
    simulator = start_simulator(*options)
    with ExitStack() as simulator.stack:
        yield simulator
    assert stop_simulator(simulator) == ""


def received_until_close(client: Connection) -> bytes:
    """The data that an idle client receives until the connection is closed."""
    got = b""
    while data := socket_of(client).recv(4096):
        got += data
    return got


# Logging in


def test_a_login_may_contain_the_cluster(either: Simulator) -> None:
    for tenant in ("@oracle", ODP):
        assert run(either.connect(tenant=tenant), "SELECT USER FROM DUAL") == [("SYS",)]


@pytest.mark.parametrize(
    ("tenant", "refused"), [("", 1045), ("#simulator", 1045), ("@sys#simulator", 1045), ("@oracle#other", 4669)]
)
def test_a_missing_or_wrong_tenant_and_a_wrong_cluster_are_refused(
    either: Simulator, tenant: str, refused: int
) -> None:
    with pytest.raises(pymysql.err.Error) as caught:
        either.connect(tenant=tenant)
    assert caught.value.args[0] == refused


def test_the_handshake_contains_odps_version(either: Simulator) -> None:
    assert either.connect().get_server_info() == "5.6.25"  # type: ignore[no-untyped-call]  # the stubs leave it untyped


# Version 2: ODP creates the session ids


def test_version_2_shows_ids_with_the_highest_bits_0_and_the_statement_accepts_them(forwarding: Simulator) -> None:
    admin, victim = forwarding.connect(), forwarding.connect_new()
    rows = {int(row[0]): row for row in run(admin, "SHOW PROCESSLIST")}
    assert all(0 < shown < 1 << 30 for shown in rows)
    host, port = socket_of(victim).getsockname()
    assert rows[session_id(victim)][2] == f"{host}:{port}"
    run(admin, kill_statement(victim))
    assert session_id(victim) not in forwarding.ids()
    assert is_usable(admin)


def test_an_idle_client_is_closed_without_an_error_at_its_next_request(forwarding: Simulator) -> None:
    victim = forwarding.connect()
    run(forwarding.connect(), kill_statement(victim))
    socket_of(victim).settimeout(0.2)
    with pytest.raises(TimeoutError):
        socket_of(victim).recv(1)
    socket_of(victim).sendall(b"\x01\x00\x00\x00\x0e")
    assert received_until_close(victim) == b""


def test_a_client_that_kills_itself_is_closed_without_a_reply(forwarding: Simulator) -> None:
    own = forwarding.connect()
    payload = b"\x03" + kill_statement(own).encode()
    socket_of(own).sendall(len(payload).to_bytes(4, "little") + payload)
    assert received_until_close(own) == b""
    assert session_id(own) not in forwarding.ids()


def test_a_running_statement_gets_an_error(forwarding: Simulator) -> None:
    admin, victim = forwarding.connect(), forwarding.connect()
    run(admin, "CREATE TABLE WAITED (ID INT)")
    run(admin, "INSERT INTO WAITED VALUES (1)")
    run(admin, "START TRANSACTION")
    run(admin, "UPDATE WAITED SET ID = 2")
    waiting = BackgroundStatement(victim, "UPDATE WAITED SET ID = 3")
    while not any(int(row[0]) == session_id(victim) and row[7] for row in run(admin, "SHOW PROCESSLIST")):
        pass
    run(admin, kill_statement(victim))
    error = waiting.join()
    assert error is not None
    assert error.args[0] == 1092
    assert is_disconnected(victim)


# Version 1: ODP replies to SHOW PROCESSLIST


def test_version_1_shows_a_list_with_numbers_that_the_server_does_not_know(listing: Simulator) -> None:
    admin, other = listing.connect(), listing.connect_new()
    for statement in ("SHOW PROCESSLIST", "/*x*/ show full/**/ processlist ; -- y"):
        with admin.cursor() as cursor:
            cursor.execute(statement)
            rows = {int(row[0]): row for row in cursor.fetchall()}
            assert [column[0] for column in cursor.description] == [
                *("Id", "Tenant", "User", "Host", "db"),
                *("trans_count", "svr_session_count", "state", "tid", "pid"),
            ]
        assert {session_id(admin), session_id(other)} <= rows.keys()
    host, port = socket_of(other).getsockname()
    assert rows[session_id(other)][3] == f"{host}:{port}"
    assert error_code(admin, kill_statement(other)) == 600
    assert is_usable(other)


def test_in_version_1_the_server_has_other_ids(listing: Simulator) -> None:
    own = listing.connect()
    ((sid,),) = run(own, "SELECT USERENV('SID') FROM DUAL")
    assert int(sid) >> 30 == 0b11
    assert session_id(own) < 1 << 17


def test_in_version_1_a_user_sees_its_own_sessions(listing: Simulator) -> None:
    user = listing.new_user()
    mine = listing.connect_as(user)
    assert [row[2] for row in run(mine, "SHOW PROCESSLIST")] == [user]
