"""The defects: each has a name and a requirement that it breaks; the server is usable otherwise."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from runner.simulator.catalogue import DEFECTS, Defect, breaks
from runner.simulator.components import Components
from runner.simulator.defects import incomplete_kills
from tests.support.simulator_clients import (
    BackgroundStatement,
    Simulator,
    affected_rows,
    error_code,
    error_of,
    is_disconnected,
    is_usable,
    kill_statement,
    run,
    session_id,
    start_simulator,
    stop_simulator,
    wait_until_running,
)
from tests.support.simulator_threads import threaded_server
from tests.support.suite_run import run_command

MUST = frozenset("PUR-1 PUR-2 SYN-1 SYN-2 SYN-3 SYN-4 PAR-1 PAR-2 PAR-3 PAR-4 IMP-7 IMP-9 IMP-10".split())  # noqa: SIM905
SHOULD = frozenset(
    "PUR-3 SYN-5 SYN-6 SYN-9 EXA-1 EXA-2 EXA-3 EXA-4 EXA-6 IMP-1 IMP-2 IMP-3 IMP-4 IMP-5 IMP-6 IMP-8 IMP-11".split()  # noqa: SIM905
)
MUST |= frozenset("KILL-1 KILL-2 QUERY-1 QUERY-2 FORM-1 WHO-1 WHO-2 WHO-3 ID-1".split())  # noqa: SIM905 - plain KILL
SHOULD |= frozenset("KILL-3 KILL-4 QUERY-3 QUERY-4 QUERY-5 FORM-2 FORM-3 FORM-4 ID-2 REPLY-1 REPLY-2".split())  # noqa: SIM905

# With these defects no user can be created or can log in.
NO_NEW_USERS = {"create-user-fails", "grant-fails", "new-users-cannot-log-in"}


@contextmanager
def simulator_with_defects(*names: str) -> Iterator[Simulator]:
    simulator = start_simulator(*(option for name in names for option in ("--defect", name)))
    try:
        yield simulator
    finally:
        simulator.stack.close()
        assert stop_simulator(simulator) == ""


def test_the_list_names_each_defect_once_with_its_requirement() -> None:
    lines = run_command("simulate", "--list-defects").out.splitlines()
    assert [tuple(line.split("  ")) for line in lines] == [
        (name, defect.breaks, defect.text) for name, defect in DEFECTS.items()
    ]


def test_the_list_as_json() -> None:
    entries = json.loads(run_command("simulate", "--list-defects", "--json").out)
    assert {entry["name"]: entry["breaks"] for entry in entries} == {
        name: defect.breaks for name, defect in DEFECTS.items()
    }


def test_each_defect_is_described_in_one_sentence_and_breaks_a_requirement() -> None:
    assert [name for name, defect in DEFECTS.items() if not defect.text.endswith(".")] == []
    assert [name for name, defect in DEFECTS.items() if defect.breaks not in MUST | SHOULD] == []


@pytest.mark.parametrize("requirement", sorted(MUST | SHOULD))
def test_every_requirement_is_broken_by_some_defect(requirement: str) -> None:
    breaking = [defect for defect in DEFECTS.values() if defect.breaks == requirement]
    assert len(breaking) >= (3 if requirement in MUST else 1)


@pytest.mark.parametrize("defect", DEFECTS.values(), ids=lambda defect: defect.name)
def test_a_server_with_a_defect_serves(defect: Defect) -> None:
    with threaded_server(defect.change_components(Components())) as server:
        admin = server.connect()
        if defect.name not in NO_NEW_USERS:
            mate = server.connect(server.new_user("U1"), "u1")
            assert is_usable(mate)
        run(admin, "SHOW PROCESSLIST")
        assert is_usable(admin)


def test_an_unknown_name_is_an_error_with_the_closest_name() -> None:
    answer = run_command("simulate", "--port", "0", "--defect", "does-nothin")
    assert answer.code == 4
    assert answer.err.count("\n") == 1
    assert "'does-nothing'" in answer.err


def test_two_entries_with_the_same_name_are_an_error() -> None:
    with pytest.raises(ValueError, match="does-nothing"):
        breaks("PUR-1")(incomplete_kills.DoesNothing)


def test_only_subclasses_of_components_can_override() -> None:
    with pytest.raises(TypeError, match="int"):
        Components().with_overrides(int)


def test_an_override_is_applied_once() -> None:
    components = Components().with_overrides(incomplete_kills.DoesNothing)
    assert components.with_overrides(incomplete_kills.DoesNothing) == components


def test_a_reply_without_an_effect() -> None:
    with simulator_with_defects("does-nothing") as sim:
        admin, victim = sim.connect(), sim.connect()
        assert affected_rows(admin, kill_statement(victim)) == 0
        assert is_usable(victim)


def test_a_row_that_stays() -> None:
    with simulator_with_defects("leaves-the-row") as sim:
        admin, victim = sim.connect(), sim.connect()
        run(admin, kill_statement(victim))
        assert is_disconnected(victim)
        assert session_id(victim) in sim.ids()


def test_a_connection_that_is_half_closed() -> None:
    with simulator_with_defects("closes-the-sending-half-only") as sim:
        admin, victim = sim.connect(), sim.connect()
        run(admin, kill_statement(victim))
        assert session_id(victim) in sim.ids()
        assert is_disconnected(victim)


def test_the_next_row_of_the_list_is_killed() -> None:
    with simulator_with_defects("ends-the-next") as sim:
        admin, victim, neighbour = sim.connect(), sim.connect(), sim.connect()
        run(admin, kill_statement(victim))
        assert is_usable(victim)
        assert is_disconnected(neighbour)


def test_the_serial_is_read_as_the_id() -> None:
    with simulator_with_defects("takes-the-serial-for-the-id") as sim:
        admin, victim, other = sim.connect(), sim.connect(), sim.connect()
        run(admin, kill_statement(victim, f", {session_id(other)}"))
        assert is_usable(victim)
        assert is_disconnected(other)


def test_immediate_commits() -> None:
    with simulator_with_defects("commits-with-immediate") as sim:
        admin, victim = sim.connect(), sim.connect()
        run(admin, "CREATE TABLE T (ID INT)")
        run(victim, "SET AUTOCOMMIT = 0")
        run(victim, "INSERT INTO T VALUES (1)")
        run(admin, kill_statement(victim, tail=" IMMEDIATE"))
        assert run(admin, "SELECT ID FROM T") == [(1,)]


def test_a_grammar_that_demands_immediate() -> None:
    with simulator_with_defects("demands-immediate") as sim:
        admin, victim = sim.connect(), sim.connect()
        assert error_code(admin, kill_statement(victim)) == 900
        run(admin, kill_statement(victim, tail=" IMMEDIATE"))
        assert is_disconnected(victim)


def test_the_privilege_checked_too_late() -> None:
    with simulator_with_defects("checks-after-the-effect") as sim:
        killer, victim = sim.connect_new(), sim.connect()
        assert error_code(killer, kill_statement(victim)) == 1031
        assert is_disconnected(victim)


def test_a_revoke_from_all_users() -> None:
    with simulator_with_defects("revoke-takes-it-from-everybody") as sim:
        admin, one, other = sim.connect(), sim.new_user("ALTER SYSTEM"), sim.connect_new("ALTER SYSTEM")
        run(admin, f"REVOKE ALTER SYSTEM FROM {one}")
        assert error_code(other, kill_statement(admin)) == 1031


def test_row_locks_that_stay_without_the_changes() -> None:
    with simulator_with_defects("leaves-the-locks") as sim:
        admin, victim, other = sim.connect(), sim.connect(), sim.connect()
        run(admin, "CREATE TABLE T (ID INT)")
        run(admin, "INSERT INTO T VALUES (1)")
        run(victim, "SET AUTOCOMMIT = 0")
        run(victim, "UPDATE T SET ID = 2")
        run(admin, kill_statement(victim))
        assert run(other, "SELECT ID FROM T") == [(1,)]
        assert error_code(other, "SELECT ID FROM T FOR UPDATE NOWAIT") == 54


def test_a_statement_that_is_not_interrupted() -> None:
    with simulator_with_defects("lets-the-statement-finish") as sim:
        admin, victim = sim.connect(), sim.connect()
        statement = BackgroundStatement(victim, "BEGIN DBMS_LOCK.SLEEP(0.3); END;")
        wait_until_running(admin, victim, "SLEEP")
        run(admin, kill_statement(victim))
        assert statement.join() is None


def test_a_warning() -> None:
    with simulator_with_defects("answers-with-a-warning") as sim:
        admin, victim = sim.connect(), sim.connect()
        with admin.cursor() as cursor:
            cursor.execute(kill_statement(victim))
            assert cursor.warning_count == 1


def test_two_defects_at_once() -> None:
    with simulator_with_defects("one-row-affected", "takes-ids-without-quotes") as sim:
        admin, victim = sim.connect(), sim.connect()
        assert affected_rows(admin, f"ALTER SYSTEM KILL SESSION {session_id(victim)}") == 1
        assert is_disconnected(victim)


def test_a_defect_on_a_variant() -> None:
    simulator = start_simulator("--defect", "lists-sessions-twice", "--variant", "small-ids", "--variant", "info-cut")
    admin = simulator.connect()
    rows = run(admin, "SHOW PROCESSLIST")
    assert [(int(row[0]), row[7]) for row in rows] == [(1, "SHOW PROCESSLIST")] * 2
    assert error_of(admin, "ALTER SYSTEM KILL SESSION '2'")[0] == 600
    simulator.stack.close()
    stop_simulator(simulator)
