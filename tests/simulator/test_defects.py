"""Every defect has a name, a requirement that it breaks, and a server that is otherwise in order."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from runner.simulator.catalogue import DEFECTS, Defect, breaks
from runner.simulator.defects import effect
from runner.simulator.parts import Parts, altered

from .clients import (
    ROOT,
    Background,
    Simulator,
    affected,
    code,
    is_lost,
    kill,
    number,
    refusal,
    run,
    started,
    stopped,
    wait_until_running,
    works,
)
from .threads import served

if TYPE_CHECKING:
    from collections.abc import Iterator

MUST = frozenset("PUR-1 PUR-2 SYN-1 SYN-2 SYN-3 SYN-4 PAR-1 PAR-2 PAR-3 PAR-4 IMP-7 IMP-9 IMP-10".split())  # noqa: SIM905
SHOULD = frozenset(
    "PUR-3 SYN-5 SYN-6 SYN-9 EXA-1 EXA-2 EXA-3 EXA-4 EXA-6 IMP-1 IMP-2 IMP-3 IMP-4 IMP-5 IMP-6 IMP-8 IMP-11".split()  # noqa: SIM905
)

# With these it is the setting up that fails, or the answer that never comes.
NO_NEW_USERS = {"create-user-fails", "grant-fails", "new-users-cannot-log-in"}


@contextmanager
def broken(*names: str) -> Iterator[Simulator]:
    simulator = started(*(option for name in names for option in ("--defect", name)))
    try:
        yield simulator
    finally:
        simulator.stack.close()
        assert stopped(simulator) == ""


def listed(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "runner.simulator", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_list_names_each_defect_once_with_what_it_breaks() -> None:
    lines = listed("--list-defects").stdout.splitlines()
    assert [tuple(line.split("  ")) for line in lines] == [
        (name, defect.breaks, defect.text) for name, defect in DEFECTS.items()
    ]


def test_the_list_as_json() -> None:
    entries = json.loads(listed("--list-defects", "--json").stdout)
    assert {entry["name"]: entry["breaks"] for entry in entries} == {
        name: defect.breaks for name, defect in DEFECTS.items()
    }


@pytest.mark.parametrize("defect", DEFECTS.values(), ids=lambda defect: defect.name)
def test_a_defect_is_said_in_one_sentence(defect: Defect) -> None:
    assert defect.text.endswith(".")
    assert defect.breaks in MUST | SHOULD


@pytest.mark.parametrize("requirement", sorted(MUST | SHOULD))
def test_every_requirement_is_broken_by_some_defect(requirement: str) -> None:
    breaking = [defect for defect in DEFECTS.values() if defect.breaks == requirement]
    assert len(breaking) >= (3 if requirement in MUST else 1)


@pytest.mark.parametrize("defect", DEFECTS.values(), ids=lambda defect: defect.name)
def test_a_server_with_a_defect_serves(defect: Defect) -> None:
    with served(defect.parts(Parts())) as server:
        admin = server.connect()
        if defect.name not in NO_NEW_USERS:
            mate = server.connect(server.new_user("U1"), "u1")
            assert works(mate)
        run(admin, "SHOW PROCESSLIST")
        assert works(admin)


def test_an_unknown_name_is_answered_with_the_closest() -> None:
    answer = listed("--port", "0", "--defect", "does-nothin")
    assert answer.returncode == 4
    assert answer.stderr.count("\n") == 1
    assert "'does-nothing'" in answer.stderr


def test_two_pieces_of_one_name_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="does-nothing"):
        breaks("PUR-1")(effect.DoesNothing)


def test_what_is_no_part_cannot_be_put_in() -> None:
    with pytest.raises(TypeError, match="int"):
        altered(Parts(), int)


def test_a_piece_is_put_in_once() -> None:
    parts = altered(Parts(), effect.DoesNothing)
    assert altered(parts, effect.DoesNothing) == parts


def test_answering_without_an_effect() -> None:
    with broken("does-nothing") as sim:
        admin, victim = sim.connect(), sim.connect()
        assert affected(admin, kill(victim)) == 0
        assert works(victim)


def test_a_row_that_stays() -> None:
    with broken("leaves-the-row") as sim:
        admin, victim = sim.connect(), sim.connect()
        run(admin, kill(victim))
        assert is_lost(victim)
        assert number(victim) in sim.ids()


def test_a_connection_that_is_closed_by_half() -> None:
    with broken("closes-the-sending-half-only") as sim:
        admin, victim = sim.connect(), sim.connect()
        run(admin, kill(victim))
        assert number(victim) in sim.ids()
        assert is_lost(victim)


def test_the_neighbour_in_the_list() -> None:
    with broken("ends-the-next") as sim:
        admin, victim, neighbour = sim.connect(), sim.connect(), sim.connect()
        run(admin, kill(victim))
        assert works(victim)
        assert is_lost(neighbour)


def test_serial_taken_for_the_id() -> None:
    with broken("takes-the-serial-for-the-id") as sim:
        admin, victim, other = sim.connect(), sim.connect(), sim.connect()
        run(admin, kill(victim, f", {number(other)}"))
        assert works(victim)
        assert is_lost(other)


def test_immediate_commits() -> None:
    with broken("commits-with-immediate") as sim:
        admin, victim = sim.connect(), sim.connect()
        run(admin, "CREATE TABLE T (ID INT)")
        run(victim, "SET AUTOCOMMIT = 0")
        run(victim, "INSERT INTO T VALUES (1)")
        run(admin, kill(victim, tail=" IMMEDIATE"))
        assert run(admin, "SELECT ID FROM T") == [(1,)]


def test_a_grammar_that_demands_immediate() -> None:
    with broken("demands-immediate") as sim:
        admin, victim = sim.connect(), sim.connect()
        assert code(admin, kill(victim)) == 900
        run(admin, kill(victim, tail=" IMMEDIATE"))
        assert is_lost(victim)


def test_the_privilege_checked_too_late() -> None:
    with broken("checks-after-the-effect") as sim:
        killer, victim = sim.connect_new(), sim.connect()
        assert code(killer, kill(victim)) == 1031
        assert is_lost(victim)


def test_a_revoke_that_takes_it_from_everybody() -> None:
    with broken("revoke-takes-it-from-everybody") as sim:
        admin, one, other = sim.connect(), sim.new_user("ALTER SYSTEM"), sim.connect_new("ALTER SYSTEM")
        run(admin, f"REVOKE ALTER SYSTEM FROM {one}")
        assert code(other, kill(admin)) == 1031


def test_locks_that_stay_without_the_changes() -> None:
    with broken("leaves-the-locks") as sim:
        admin, victim, other = sim.connect(), sim.connect(), sim.connect()
        run(admin, "CREATE TABLE T (ID INT)")
        run(admin, "INSERT INTO T VALUES (1)")
        run(victim, "SET AUTOCOMMIT = 0")
        run(victim, "UPDATE T SET ID = 2")
        run(admin, kill(victim))
        assert run(other, "SELECT ID FROM T") == [(1,)]
        assert code(other, "SELECT ID FROM T FOR UPDATE NOWAIT") == 54


def test_a_statement_that_may_finish() -> None:
    with broken("lets-the-statement-finish") as sim:
        admin, victim = sim.connect(), sim.connect()
        statement = Background(victim, "BEGIN DBMS_LOCK.SLEEP(0.3); END;")
        wait_until_running(admin, victim, "SLEEP")
        run(admin, kill(victim))
        assert statement.join() is None


def test_a_warning() -> None:
    with broken("answers-with-a-warning") as sim:
        admin, victim = sim.connect(), sim.connect()
        with admin.cursor() as cursor:
            cursor.execute(kill(victim))
            assert cursor.warning_count == 1


def test_two_defects_at_once() -> None:
    with broken("one-row-affected", "takes-ids-without-quotes") as sim:
        admin, victim = sim.connect(), sim.connect()
        assert affected(admin, f"ALTER SYSTEM KILL SESSION {number(victim)}") == 1
        assert is_lost(victim)


def test_a_defect_on_a_variant() -> None:
    simulator = started("--defect", "lists-sessions-twice", "--variant", "small-ids", "--variant", "info-cut")
    admin = simulator.connect()
    rows = run(admin, "SHOW PROCESSLIST")
    assert [(int(row[0]), row[7]) for row in rows] == [(1, "SHOW PROCESSLIST")] * 2
    assert refusal(admin, "ALTER SYSTEM KILL SESSION '2'")[0] == 600
    simulator.stack.close()
    stopped(simulator)
