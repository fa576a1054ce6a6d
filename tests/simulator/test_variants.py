"""The variants: each has a name, and kills sessions."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pymysql
import pytest

from runner.simulator.catalogue import VARIANTS, Variant, variant
from runner.simulator.components import Components
from runner.simulator.settings import Settings
from runner.simulator.variants import errors_and_delays, ids
from tests.support.eventually import eventually
from tests.support.simulator_clients import (
    BackgroundStatement,
    Connection,
    Simulator,
    error_code,
    error_of,
    is_disconnected,
    is_usable,
    kill_statement,
    run,
    session_id,
    socket_of,
    start_simulator,
    stop_simulator,
    wait_until_running,
)
from tests.support.simulator_threads import ThreadedServer, threaded_server
from tests.support.suite_run import run_command


@contextmanager
def simulator_with_variants(*names: str) -> Iterator[Simulator]:
    simulator = start_simulator(*(option for name in names for option in ("--variant", name)))
    try:
        yield simulator
    finally:
        simulator.stack.close()
        assert stop_simulator(simulator) == ""


def test_the_list_names_each_variant_once() -> None:
    lines = run_command("simulate", "--list-variants").out.splitlines()
    assert [tuple(line.split("  ")) for line in lines] == [(name, variant.text) for name, variant in VARIANTS.items()]
    assert [entry["name"] for entry in json.loads(run_command("simulate", "--list-variants", "--json").out)] == list(
        VARIANTS
    )


def test_each_variant_is_described_in_one_sentence() -> None:
    assert [name for name, variant in VARIANTS.items() if not variant.text.endswith(".")] == []


NOT_FOR_PYMYSQL = {
    *(name for name in VARIANTS if "version-with" in name),
    "empty-version",
    "does-not-know-set-names",
}
"""PyMySQL without the suite's changes needs a version with a number, and SET NAMES."""


def connect_when_known(server: ThreadedServer, user: str) -> Connection:
    """A connection of a new user, whom a variant may know only moments after CREATE USER."""
    found = []

    def connects() -> bool:
        with contextlib.suppress(pymysql.err.OperationalError):
            found.append(server.connect(user, "u1"))
        return bool(found)

    assert eventually(connects)
    return found[0]


def accepts(connection: Connection, statement: str) -> bool:
    """Whether the server accepts a statement; it may know of a GRANT only later."""
    with contextlib.suppress(pymysql.err.OperationalError):
        run(connection, statement)
        return True
    return False


@pytest.mark.parametrize(
    "variant",
    [variant for name, variant in VARIANTS.items() if name not in NOT_FOR_PYMYSQL],
    ids=lambda variant: variant.name,
)
def test_a_server_with_a_variant_kills_the_named_session(variant: Variant) -> None:
    with threaded_server(variant.change_components(Components()), variant.change_settings(Settings())) as server:
        user = server.new_user("U1")
        killer = connect_when_known(server, user)
        before = {int(row[0]) for row in run(killer, "SHOW PROCESSLIST")}
        victim = server.connect(user, "u1")

        def new() -> set[int]:
            return {int(row[0]) for row in run(killer, "SHOW PROCESSLIST") if row[1].partition("@")[0] == user} - before

        assert eventually(new)
        (named,) = new()
        assert eventually(lambda: accepts(killer, kill_statement(named)))
        assert eventually(lambda: is_disconnected(victim))
        assert eventually(lambda: named not in {int(row[0]) for row in run(killer, "SHOW PROCESSLIST")})
        assert is_usable(server.connect())


def test_an_unknown_name_is_an_error_with_the_closest_name() -> None:
    answer = run_command("simulate", "--port", "0", "--variant", "small-id")
    assert answer.code == 4
    assert "'small-ids'" in answer.err


def test_two_entries_with_the_same_name_are_an_error() -> None:
    with pytest.raises(ValueError, match="small-ids"):
        variant(ids.SmallIds)


def test_small_ids_are_reused_after_a_second() -> None:
    with simulator_with_variants("small-ids-reused") as sim:
        admin, first = sim.connect(), sim.connect()
        run(admin, kill_statement(first))
        assert session_id(sim.connect()) == 3
        time.sleep(1.1)
        assert session_id(sim.connect()) == 2


def test_a_reset() -> None:
    with simulator_with_variants("reset-instead-of-close") as sim:
        admin, victim = sim.connect(), sim.connect()
        run(admin, kill_statement(victim))
        with pytest.raises(ConnectionResetError):
            socket_of(victim).recv(1)


def test_an_error_packet_for_an_idle_session() -> None:
    with simulator_with_variants("error-packet-before-close") as sim:
        admin, victim = sim.connect(), sim.connect()
        run(admin, kill_statement(victim))
        assert b"ORA-01092" in socket_of(victim).recv(1000)


def test_a_request_after_the_kill() -> None:
    with simulator_with_variants("error-on-next-request") as sim:
        admin, victim = sim.connect(), sim.connect()
        run(admin, kill_statement(victim))
        assert session_id(victim) not in sim.ids()
        assert error_code(victim, "SELECT 1 FROM DUAL") == 4401
        assert is_disconnected(victim)


def test_the_row_of_a_victim_that_waits_for_a_lock_stays() -> None:
    with simulator_with_variants("lingering-blocked-victim") as sim:
        admin, holder, victim = sim.connect(), sim.connect(), sim.connect()
        run(admin, "CREATE TABLE T (ID INT)")
        run(admin, "INSERT INTO T VALUES (1)")
        run(holder, "SET AUTOCOMMIT = 0")
        run(holder, "UPDATE T SET ID = 2")
        statement = BackgroundStatement(victim, "UPDATE T SET ID = 3")
        wait_until_running(admin, victim, "UPDATE")
        run(admin, kill_statement(victim))
        rows = run(admin, "SHOW PROCESSLIST")
        assert [row[6] for row in rows if int(row[0]) == session_id(victim)] == ["SESSION_KILLED"]
        run(holder, "COMMIT")
        assert isinstance(statement.join(), pymysql.err.OperationalError)
        assert eventually(lambda: session_id(victim) not in sim.ids())
        assert run(admin, "SELECT ID FROM T") == [(2,)]


def test_ids_as_text_and_as_bigint() -> None:
    with simulator_with_variants("ids-as-text") as sim:
        assert {type(row[0]) for row in run(sim.connect(), "SHOW PROCESSLIST")} == {str}
    with simulator_with_variants("ids-as-bigint") as sim:
        assert {type(row[0]) for row in run(sim.connect(), "SHOW PROCESSLIST")} == {int}


def test_mysql_error_numbers() -> None:
    with simulator_with_variants("mysql-error-numbers") as sim:
        admin = sim.connect()
        assert error_of(admin, "ALTER SYSTEM KILL SESSION '0'") == (1094, "Unknown thread id: 0")
        assert error_code(admin, "ALTER SYSTEM KILL") == 1064
        assert error_code(sim.connect_new(), kill_statement(admin)) == 1227


def test_foreign_sessions_connect_continuously() -> None:
    with simulator_with_variants("foreign-traffic", "small-ids") as sim:
        admin = sim.connect()
        seen: set[str] = set()

        def others_were_seen() -> bool:
            seen.update(row[1] for row in run(admin, "SHOW PROCESSLIST") if int(row[0]) != session_id(admin))
            return seen == {"APP", "BATCH", "REPORTS", "SYS"}

        assert eventually(others_were_seen)


def test_privileges_of_the_login() -> None:
    with simulator_with_variants("privileges-settled-at-login") as sim:
        admin, user = sim.connect(), sim.new_user()
        before = sim.connect_as(user)
        run(admin, f"GRANT ALTER SYSTEM TO {user}")
        assert error_code(before, kill_statement(admin)) == 1031
        run(sim.connect_as(user), kill_statement(before))
        assert is_disconnected(before)


def test_a_session_that_kills_itself_gets_an_error() -> None:
    with simulator_with_variants("own-kill-answered-4401") as sim:
        admin = sim.connect()
        assert error_code(admin, kill_statement(admin)) == 4401
        assert is_disconnected(admin)


def test_a_statement_is_cancelled_after_its_time_limit_and_a_block_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errors_and_delays, "QUERY_SECONDS", 0.3)
    with threaded_server(VARIANTS["cuts-statements"].change_components(Components())) as server:
        holder, waiting = server.connect(), server.connect()
        run(holder, "CREATE TABLE T (ID INT)")
        run(holder, "INSERT INTO T VALUES (1)")
        run(holder, "START TRANSACTION")
        run(holder, "UPDATE T SET ID = 2")
        refused, words = error_of(waiting, "UPDATE T SET ID = 3")
        assert (refused, "-4012" in words) == (600, True)
        run(waiting, "BEGIN DBMS_LOCK.SLEEP(0.5); END;")
        assert is_usable(waiting)
