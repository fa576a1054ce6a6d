"""Every variant has a name, and a server that ends sessions."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pymysql
import pytest
from waiting import eventually

from runner.simulator.catalogue import VARIANTS, Variant, lawful
from runner.simulator.parts import Parts
from runner.simulator.settings import Settings
from runner.simulator.variants import ids, wire

from .clients import (
    Background,
    Simulator,
    code,
    is_lost,
    kill,
    number,
    refusal,
    run,
    socket_of,
    started,
    stopped,
    wait_until_running,
    works,
)
from .test_defects import listed
from .threads import served

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def different(*names: str) -> Iterator[Simulator]:
    simulator = started(*(option for name in names for option in ("--variant", name)))
    try:
        yield simulator
    finally:
        simulator.stack.close()
        assert stopped(simulator) == ""


def test_the_list_names_each_variant_once() -> None:
    lines = listed("--list-variants").stdout.splitlines()
    assert [tuple(line.split("  ")) for line in lines] == [(name, variant.text) for name, variant in VARIANTS.items()]
    assert [entry["name"] for entry in json.loads(listed("--list-variants", "--json").stdout)] == list(VARIANTS)


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=lambda variant: variant.name)
def test_a_variant_is_said_in_one_sentence(variant: Variant) -> None:
    assert variant.text.endswith(".")


NOT_FOR_PYMYSQL = {
    *(name for name in VARIANTS if "version-with" in name),
    "empty-version",
    "does-not-know-set-names",
}
"""PyMySQL alone, as these tests use it, takes a version for a number and can't do without SET NAMES."""


@pytest.mark.parametrize(
    "variant",
    [variant for name, variant in VARIANTS.items() if name not in NOT_FOR_PYMYSQL],
    ids=lambda variant: variant.name,
)
def test_a_different_server_ends_the_named_session(variant: Variant) -> None:
    with served(variant.parts(Parts()), variant.settings(Settings())) as server:
        user = server.new_user("U1")
        killer = server.connect(user, "u1")
        before = {int(row[0]) for row in run(killer, "SHOW PROCESSLIST")}
        victim = server.connect(user, "u1")

        def new() -> set[int]:
            return {int(row[0]) for row in run(killer, "SHOW PROCESSLIST") if row[1] == user} - before

        assert eventually(new)
        (named,) = new()
        run(killer, kill(named))
        assert eventually(lambda: is_lost(victim))
        assert eventually(lambda: named not in {int(row[0]) for row in run(killer, "SHOW PROCESSLIST")})
        assert works(server.connect())


def test_an_unknown_name_is_answered_with_the_closest() -> None:
    answer = listed("--port", "0", "--variant", "small-id")
    assert answer.returncode == 4
    assert "'small-ids'" in answer.stderr


def test_two_pieces_of_one_name_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="small-ids"):
        lawful(ids.SmallIds)


def test_small_ids_come_back_after_a_rest() -> None:
    with different("small-ids-reused") as sim:
        admin, first = sim.connect(), sim.connect()
        run(admin, kill(first))
        assert number(sim.connect()) == 3
        time.sleep(1.1)
        assert number(sim.connect()) == 2


def test_a_reset() -> None:
    with different("reset-instead-of-close") as sim:
        admin, victim = sim.connect(), sim.connect()
        run(admin, kill(victim))
        with pytest.raises(ConnectionResetError):
            socket_of(victim).recv(1)


def test_an_error_packet_for_the_idle() -> None:
    with different("error-packet-before-close") as sim:
        admin, victim = sim.connect(), sim.connect()
        run(admin, kill(victim))
        assert b"ORA-01092" in socket_of(victim).recv(1000)


def test_a_request_after_the_end() -> None:
    with different("error-on-next-request") as sim:
        admin, victim = sim.connect(), sim.connect()
        run(admin, kill(victim))
        assert number(victim) not in sim.ids()
        assert code(victim, "SELECT 1 FROM DUAL") == 4401
        assert is_lost(victim)


def test_a_victim_that_waits_for_a_lock_lingers() -> None:
    with different("lingering-blocked-victim") as sim:
        admin, holder, victim = sim.connect(), sim.connect(), sim.connect()
        run(admin, "CREATE TABLE T (ID INT)")
        run(admin, "INSERT INTO T VALUES (1)")
        run(holder, "SET AUTOCOMMIT = 0")
        run(holder, "UPDATE T SET ID = 2")
        statement = Background(victim, "UPDATE T SET ID = 3")
        wait_until_running(admin, victim, "UPDATE")
        run(admin, kill(victim))
        rows = run(admin, "SHOW PROCESSLIST")
        assert [row[6] for row in rows if int(row[0]) == number(victim)] == ["SESSION_KILLED"]
        run(holder, "COMMIT")
        assert isinstance(statement.join(), pymysql.err.OperationalError)
        assert eventually(lambda: number(victim) not in sim.ids())
        assert run(admin, "SELECT ID FROM T") == [(2,)]


def test_ids_as_text_and_as_bigint() -> None:
    with different("ids-as-text") as sim:
        assert {type(row[0]) for row in run(sim.connect(), "SHOW PROCESSLIST")} == {str}
    with different("ids-as-bigint") as sim:
        assert {type(row[0]) for row in run(sim.connect(), "SHOW PROCESSLIST")} == {int}


def test_mysql_error_numbers() -> None:
    with different("mysql-error-numbers") as sim:
        admin = sim.connect()
        assert refusal(admin, "ALTER SYSTEM KILL SESSION '0'") == (1094, "Unknown thread id: 0")
        assert code(admin, "ALTER SYSTEM KILL") == 1064
        assert code(sim.connect_new(), kill(admin)) == 1227


def test_foreign_traffic_goes_on() -> None:
    with different("foreign-traffic", "small-ids") as sim:
        admin = sim.connect()
        seen: set[str] = set()

        def others_were_seen() -> bool:
            seen.update(row[1] for row in run(admin, "SHOW PROCESSLIST") if int(row[0]) != number(admin))
            return seen == {"APP", "BATCH", "REPORTS", "SYS"}

        assert eventually(others_were_seen)


def test_privileges_settled_at_login() -> None:
    with different("privileges-settled-at-login") as sim:
        admin, user = sim.connect(), sim.new_user()
        before = sim.connect_as(user)
        run(admin, f"GRANT ALTER SYSTEM TO {user}")
        assert code(before, kill(admin)) == 1031
        run(sim.connect_as(user), kill(before))
        assert is_lost(before)


def test_own_end_is_told() -> None:
    with different("own-kill-answered-4401") as sim:
        admin = sim.connect()
        assert code(admin, kill(admin)) == 4401
        assert is_lost(admin)


def test_a_statement_is_cancelled_after_a_while_and_a_block_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "QUERY_SECONDS", 0.3)
    with served(VARIANTS["cuts-statements"].parts(Parts())) as server:
        holder, waiting = server.connect(), server.connect()
        run(holder, "CREATE TABLE T (ID INT)")
        run(holder, "INSERT INTO T VALUES (1)")
        run(holder, "START TRANSACTION")
        run(holder, "UPDATE T SET ID = 2")
        refused, words = refusal(waiting, "UPDATE T SET ID = 3")
        assert (refused, "-4012" in words) == (600, True)
        run(waiting, "BEGIN DBMS_LOCK.SLEEP(0.5); END;")
        assert works(waiting)
