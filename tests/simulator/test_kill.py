"""ALTER SYSTEM KILL SESSION: what it takes, what it refuses, what it ends."""

# ruff: noqa: S608 - the tests write their own SQL

from __future__ import annotations

from typing import TYPE_CHECKING

import pymysql
import pytest
from waiting import eventually

from .clients import (
    Background,
    Simulator,
    affected,
    code,
    cut_off,
    is_lost,
    kill,
    number,
    refusal,
    run,
    socket_of,
    wait_until_running,
    works,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    Start = Callable[..., Simulator]

UNKNOWN = "ORA-00600: internal error code, arguments: -4174, Unknown thread id: "


@pytest.mark.parametrize("serial", ["", ", 7", ",7", ",", " , 1, 2", ",abc", ", 1, @2", ", 99999999999999999999"])
@pytest.mark.parametrize("tail", ["", " IMMEDIATE", ";", " IMMEDIATE;"])
def test_every_form_ends_the_named_session_and_no_other(sim: Simulator, serial: str, tail: str) -> None:
    admin, victim, bystander = sim.connect(), sim.connect(), sim.connect()
    assert affected(admin, kill(victim, serial, tail)) == 0
    assert number(victim) not in sim.ids()
    assert is_lost(victim)
    assert works(bystander)
    assert works(admin)


def test_letter_case_white_space_and_comments_make_no_difference(sim: Simulator) -> None:
    admin, victim = sim.connect(), sim.connect()
    run(admin, f"  alter\n/* one */ System\tkILL -- two\n session/**/'{number(victim)}'immediate ; ")
    assert is_lost(victim)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", 0),
        ("abc", 0),
        (",1", 0),
        ("0", 0),
        ("-1", 4294967295),
        ("4294967297", 1),
        ("9223372036854775808", 4294967295),
        ("9" * 300, 4294967295),
        ("-" + "9" * 300, 0),
        ("0x1f", 0),
        ("1.4", 1),
        ("1.5", 2),
        ("1e3", 1000),
        ("1e99999999", 4294967295),
        ("1e-99999999", 0),
        ("0." + "0" * 50 + "1e51", 1),
        ("12abc", 12),
        (" 12 ", 12),
        ("\t+012", 12),
        ("\n12\n", 0),
        ("1 2", 1),
    ],
)
def test_an_id_that_no_session_has_is_refused_as_the_kernel_reads_it(sim: Simulator, text: str, shown: int) -> None:
    admin = sim.connect()
    assert refusal(admin, f"ALTER SYSTEM KILL SESSION '{text}'") == (600, f"{UNKNOWN}{shown}")
    assert works(admin)


@pytest.mark.parametrize("shape", ["  {}", "+{}", "000{}", "{}abc", "{}.2", "\t{} "])
def test_an_id_may_be_written_loosely(sim: Simulator, shape: str) -> None:
    admin, victim = sim.connect(), sim.connect()
    run(admin, f"ALTER SYSTEM KILL SESSION '{shape.format(number(victim))}'")
    assert is_lost(victim)


def test_an_id_is_cut_to_32_bits(sim: Simulator) -> None:
    admin, victim = sim.connect(), sim.connect()
    run(admin, kill(number(victim) + 2**32))
    assert is_lost(victim)


@pytest.mark.parametrize(
    ("tail", "near"),
    [
        ("SESSION", "SESSION"),
        ("SESSION 123", "123"),
        ("SESSION '1", "1"),
        ("SESSION '1' IMMEDIATE IMMEDIATE", "IMMEDIATE"),
        ("SESSION '1' FORCE", "FORCE"),
        ("SESSION '1' '2'", "'2'"),
        ("SESSION '1'; SELECT 1 FROM DUAL", "SELECT 1 FROM DUAL"),
        ("SESION '1'", "SESION '1'"),
        ('SESSION "1"', '"1"'),
        ("SESSION '1' " + "x" * 200, "x" * 80),
    ],
)
def test_what_the_syntax_does_not_allow_is_a_syntax_error(sim: Simulator, tail: str, near: str) -> None:
    admin = sim.connect()
    refused, words = refusal(admin, f"ALTER SYSTEM KILL {tail}")
    assert refused == 900
    assert words.startswith("ORA-00900: You have an error in your SQL syntax")
    assert words.endswith(f"near '{near}' at line 1")
    assert works(admin)


def test_a_syntax_error_counts_lines(sim: Simulator) -> None:
    assert refusal(sim.connect(), "ALTER SYSTEM\nKILL\nSESION '1'")[1].endswith("at line 3")


def test_a_session_ends_once(sim: Simulator) -> None:
    admin, victim = sim.connect(), sim.connect()
    run(admin, kill(victim))
    assert refusal(admin, kill(victim)) == (600, f"{UNKNOWN}{number(victim)}")


def test_without_the_privilege_every_id_gets_the_same_refusal(sim: Simulator) -> None:
    name = sim.new_user()
    powerless, own = sim.connect_as(name), sim.connect_as(name)
    answers = {refusal(powerless, kill(named)) for named in (number(own), number(powerless), 1)}
    assert answers == {(1031, "ORA-01031: insufficient privileges")}
    assert code(powerless, "ALTER SYSTEM KILL SESSION") == 900
    assert works(own)
    assert works(powerless)


def test_the_privilege_lets_end_the_sessions_of_other_users(sim: Simulator) -> None:
    holder, admin, other = sim.connect_new("ALTER SYSTEM"), sim.connect(), sim.connect_new()
    run(holder, kill(other))
    run(holder, kill(admin))
    assert is_lost(other)
    assert is_lost(admin)


def test_like_oceanbase_the_sessions_of_other_users_are_protected(start: Start) -> None:
    sim = start("--like-oceanbase")
    name = sim.new_user("ALTER SYSTEM")
    holder, own, admin = sim.connect_as(name), sim.connect_as(name), sim.connect()
    refused, words = refusal(holder, kill(admin))
    assert refused == 600
    assert words.endswith(f"arguments: -5251, You are not owner of thread {number(admin)}")
    run(holder, kill(own))
    assert is_lost(own)
    run(admin, kill(holder))
    assert is_lost(holder)


def test_grants_and_revokes_reach_connected_sessions_at_once(sim: Simulator) -> None:
    admin, name = sim.connect(), sim.new_user()
    session = sim.connect_as(name)
    run(admin, f"GRANT ALTER SYSTEM TO {name}")
    run(session, kill(sim.connect()))
    run(admin, f"REVOKE ALTER SYSTEM FROM {name}")
    assert code(session, kill(admin)) == 1031
    assert code(sim.connect_as(name), kill(admin)) == 1031


@pytest.mark.parametrize("role", ["DBA", "KILLERS", "OUTER_KILLERS"])
def test_roles_count_from_the_next_login(sim: Simulator, role: str) -> None:
    admin, name = sim.connect(), sim.new_user()
    session = sim.connect_as(name)
    if role != "DBA":
        inner = f"{role}_INNER"
        run(admin, f"CREATE ROLE {role}")
        run(admin, f"CREATE ROLE {inner}")
        run(admin, f"GRANT ALTER SYSTEM TO {inner}")
        run(admin, f"GRANT {inner} TO {role}")
    run(admin, f"GRANT {role} TO {name}")
    assert code(session, kill(1)) == 1031
    assert code(sim.connect_as(name), kill(1)) == 600


def test_an_idle_session_is_closed_without_a_word(sim: Simulator) -> None:
    admin, victim = sim.connect(), sim.connect()
    run(admin, kill(victim))
    assert socket_of(victim).recv(1) == b""


@pytest.mark.parametrize("tail", ["", " IMMEDIATE"])
@pytest.mark.parametrize(
    "long",
    [
        "BEGIN DBMS_LOCK.SLEEP(600); END;",
        "CALL DBMS_LOCK.SLEEP(600) /* SLEEP */",
        "DECLARE n NUMBER := 0; BEGIN WHILE n < 600 * 100000000 LOOP n := n + 1; END LOOP; END /* SLEEP */;",
    ],
)
def test_a_running_statement_is_interrupted(sim: Simulator, long: str, tail: str) -> None:
    admin, victim = sim.connect(), sim.connect()
    statement = Background(victim, long)
    wait_until_running(admin, victim, "SLEEP")
    run(admin, kill(victim, tail=tail))
    error = statement.join()
    assert error is not None
    assert error.args == (1092, "ORA-01092: OceanBase instance terminated. Disconnection forced")
    assert is_lost(victim)


@pytest.mark.parametrize("serial", ["", ", 3"])
def test_the_open_transaction_is_undone_and_its_locks_are_free(sim: Simulator, serial: str) -> None:
    admin, victim = sim.connect(), sim.connect(autocommit=False)
    name = f"T{number(victim)}"
    run(admin, f"CREATE TABLE {name} (id NUMBER PRIMARY KEY, v NUMBER)")
    run(admin, f"INSERT INTO {name} VALUES (1, 10), (2, 20)")
    run(victim, f"UPDATE {name} SET v = 0 WHERE id = 1")
    run(victim, f"DELETE FROM {name} WHERE id = 2")
    run(victim, f"INSERT INTO {name} VALUES (3, 30)")
    run(admin, kill(victim, serial))
    assert run(admin, f"SELECT id, v FROM {name} ORDER BY id FOR UPDATE NOWAIT") == [(1, 10), (2, 20)]


def test_a_session_that_waits_for_a_row_ends_at_once_and_changes_nothing(sim: Simulator) -> None:
    admin, holder, victim = sim.connect(), sim.connect(autocommit=False), sim.connect()
    name = f"T{number(victim)}"
    run(admin, f"CREATE TABLE {name} (id NUMBER PRIMARY KEY, v NUMBER)")
    run(admin, f"INSERT INTO {name} VALUES (1, 0)")
    run(holder, f"UPDATE {name} SET v = 1")
    statement = Background(victim, f"UPDATE {name} SET v = 99")
    wait_until_running(admin, victim, "UPDATE")
    run(admin, kill(victim))
    error = statement.join()
    assert error is not None
    assert error.args[0] == 1092
    run(holder, "COMMIT")
    assert run(admin, f"SELECT v FROM {name}") == [(1,)]


def test_like_oceanbase_ones_own_session_closes_without_an_answer(start: Start) -> None:
    sim = start("--like-oceanbase")
    own = sim.connect()
    assert code(own, kill(own)) == 2013
    assert number(own) not in sim.ids()


def test_ones_own_session_gets_its_ok_first(sim: Simulator) -> None:
    own = sim.connect()
    assert affected(own, kill(own)) == 0
    assert is_lost(own)
    assert number(own) not in sim.ids()


def test_ones_own_open_transaction_is_undone(sim: Simulator) -> None:
    admin, own = sim.connect(), sim.connect(autocommit=False)
    run(admin, f"CREATE TABLE T{number(own)} (id NUMBER)")
    run(own, f"INSERT INTO T{number(own)} VALUES (1)")
    run(own, kill(own))
    assert is_lost(own)
    assert run(admin, f"SELECT COUNT(*) FROM T{number(own)}") == [(0,)]


def test_the_user_of_an_ended_session_logs_in_again_with_a_new_id(sim: Simulator) -> None:
    admin, name = sim.connect(), sim.new_user("ALTER SYSTEM")
    first = sim.connect_as(name)
    run(admin, kill(first))
    second = sim.connect_as(name)
    assert number(second) != number(first)
    run(second, kill(admin))


def test_a_dropped_users_session_lives_until_it_is_ended(sim: Simulator) -> None:
    admin, name = sim.connect(), sim.new_user("ALTER SYSTEM")
    orphan = sim.connect_as(name)
    run(admin, f"DROP USER {name} CASCADE")
    assert works(orphan)
    assert number(orphan) in sim.ids()
    assert code(orphan, kill(admin)) == 1031
    run(admin, kill(orphan))
    assert is_lost(orphan)


def test_it_works_inside_a_block(sim: Simulator) -> None:
    admin, victim = sim.connect(), sim.connect()
    inner = kill(victim, ", 5").replace("'", "''")
    run(admin, f"BEGIN EXECUTE IMMEDIATE '{inner}'; END;")
    assert is_lost(victim)
    assert code(admin, f"BEGIN EXECUTE IMMEDIATE '{inner}'; END;") == 600
    own = kill(admin).replace("'", "''")
    run(admin, f"BEGIN EXECUTE IMMEDIATE '{own}'; EXECUTE IMMEDIATE '{own}'; END;")
    assert is_lost(admin)


def test_two_sessions_that_end_each_other_leave_one(sim: Simulator) -> None:
    one, other = sim.connect(), sim.connect()
    run(one, kill(other))
    assert code(other, kill(one)) in (2006, 2013)
    assert works(one)


def test_newer_servers_prefix_is_an_option(start: Start) -> None:
    sim = start("--error-prefix", "OBE")
    assert refusal(sim.connect(), kill(1))[1].startswith("OBE-00600: ")
    assert refusal(sim.connect_new(), kill(1)) == (1031, "OBE-01031: insufficient privileges")


def test_the_plain_kill_ends_sessions_of_ones_own_user_only(sim: Simulator) -> None:
    name = sim.new_user()
    own, second, other = sim.connect_as(name), sim.connect_as(name), sim.connect_new()
    assert "-5251" in refusal(own, f"KILL {number(other)}")[1]
    run(own, f"KILL CONNECTION {number(second)}")
    assert is_lost(second)
    admin = sim.connect()
    run(admin, f"KILL {number(other)}")
    assert is_lost(other)


def test_kill_query_ends_the_statement_and_not_the_session(sim: Simulator) -> None:
    admin, victim = sim.connect(), sim.connect()
    run(admin, f"KILL QUERY {number(victim)}")
    statement = Background(victim, "BEGIN DBMS_LOCK.SLEEP(600); END;")
    wait_until_running(admin, victim, "SLEEP")
    run(admin, f"KILL QUERY {number(victim)}")
    error = statement.join()
    assert isinstance(error, pymysql.err.Error)
    assert error.args[0] == 600
    assert "-5065" in error.args[1]
    assert works(victim)


def test_the_row_of_a_client_that_leaves_goes_too(sim: Simulator) -> None:
    gone = sim.connect()
    run(gone, "SELECT 1 FROM DUAL")
    cut_off(gone)
    assert eventually(lambda: number(gone) not in sim.ids())
