"""ALTER SYSTEM KILL SESSION: valid and invalid texts, privileges, and effects."""

# ruff: noqa: S608 - the tests write their own SQL

from __future__ import annotations

from collections.abc import Callable

import pymysql
import pytest

from tests.support.eventually import eventually
from tests.support.simulator_clients import (
    BackgroundStatement,
    Simulator,
    affected_rows,
    close_abruptly,
    error_code,
    error_of,
    is_disconnected,
    is_usable,
    kill_statement,
    run,
    session_id,
    socket_of,
    wait_until_running,
)

Start = Callable[..., Simulator]

UNKNOWN = "ORA-00600: internal error code, arguments: -4174, Unknown thread id: "


@pytest.mark.parametrize("serial", ["", ", 7", ",7", ",", " , 1, 2", ",abc", ", 1, @2", ", 99999999999999999999"])
@pytest.mark.parametrize("tail", ["", " IMMEDIATE", ";", " IMMEDIATE;"])
def test_every_form_ends_the_named_session_and_no_other(sim: Simulator, serial: str, tail: str) -> None:
    admin, victim, bystander = sim.connect(), sim.connect(), sim.connect()
    assert affected_rows(admin, kill_statement(victim, serial, tail)) == 0
    assert session_id(victim) not in sim.ids()
    assert is_disconnected(victim)
    assert is_usable(bystander)
    assert is_usable(admin)


def test_letter_case_white_space_and_comments_make_no_difference(sim: Simulator) -> None:
    admin, victim = sim.connect(), sim.connect()
    run(admin, f"  alter\n/* one */ System\tkILL -- two\n session/**/'{session_id(victim)}'immediate ; ")
    assert is_disconnected(victim)


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
def test_an_unknown_id_is_in_the_error_as_oceanbase_reads_it(sim: Simulator, text: str, shown: int) -> None:
    admin = sim.connect()
    assert error_of(admin, f"ALTER SYSTEM KILL SESSION '{text}'") == (600, f"{UNKNOWN}{shown}")
    assert is_usable(admin)


@pytest.mark.parametrize("shape", ["  {}", "+{}", "000{}", "{}abc", "{}.2", "\t{} "])
def test_an_id_may_have_unusual_spellings(sim: Simulator, shape: str) -> None:
    admin, victim = sim.connect(), sim.connect()
    run(admin, f"ALTER SYSTEM KILL SESSION '{shape.format(session_id(victim))}'")
    assert is_disconnected(victim)


def test_an_id_is_cut_to_32_bits(sim: Simulator) -> None:
    admin, victim = sim.connect(), sim.connect()
    run(admin, kill_statement(session_id(victim) + 2**32))
    assert is_disconnected(victim)


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
def test_invalid_syntax_is_a_syntax_error(sim: Simulator, tail: str, near: str) -> None:
    admin = sim.connect()
    refused, words = error_of(admin, f"ALTER SYSTEM KILL {tail}")
    assert refused == 900
    assert words.startswith("ORA-00900: You have an error in your SQL syntax")
    assert words.endswith(f"near '{near}' at line 1")
    assert is_usable(admin)


def test_a_syntax_error_counts_lines(sim: Simulator) -> None:
    assert error_of(sim.connect(), "ALTER SYSTEM\nKILL\nSESION '1'")[1].endswith("at line 3")


def test_a_session_can_be_killed_only_once(sim: Simulator) -> None:
    admin, victim = sim.connect(), sim.connect()
    run(admin, kill_statement(victim))
    assert error_of(admin, kill_statement(victim)) == (600, f"{UNKNOWN}{session_id(victim)}")


def test_without_the_privilege_every_id_gives_the_same_error(sim: Simulator) -> None:
    name = sim.new_user()
    powerless, own = sim.connect_as(name), sim.connect_as(name)
    answers = {error_of(powerless, kill_statement(named)) for named in (session_id(own), session_id(powerless), 1)}
    assert answers == {(1031, "ORA-01031: insufficient privileges")}
    assert error_code(powerless, "ALTER SYSTEM KILL SESSION") == 900
    assert is_usable(own)
    assert is_usable(powerless)


def test_a_holder_of_the_privilege_can_kill_sessions_of_other_users(sim: Simulator) -> None:
    holder, admin, other = sim.connect_new("ALTER SYSTEM"), sim.connect(), sim.connect_new()
    run(holder, kill_statement(other))
    run(holder, kill_statement(admin))
    assert is_disconnected(other)
    assert is_disconnected(admin)


def test_like_oceanbase_the_sessions_of_other_users_are_protected(start: Start) -> None:
    sim = start("--like-oceanbase")
    name = sim.new_user("ALTER SYSTEM")
    holder, own, admin = sim.connect_as(name), sim.connect_as(name), sim.connect()
    refused, words = error_of(holder, kill_statement(admin))
    assert refused == 600
    assert words.endswith(f"arguments: -5251, You are not owner of thread {session_id(admin)}")
    run(holder, kill_statement(own))
    assert is_disconnected(own)
    run(admin, kill_statement(holder))
    assert is_disconnected(holder)


def test_grants_and_revokes_take_effect_in_connected_sessions_at_once(sim: Simulator) -> None:
    admin, name = sim.connect(), sim.new_user()
    session = sim.connect_as(name)
    run(admin, f"GRANT ALTER SYSTEM TO {name}")
    run(session, kill_statement(sim.connect()))
    run(admin, f"REVOKE ALTER SYSTEM FROM {name}")
    assert error_code(session, kill_statement(admin)) == 1031
    assert error_code(sim.connect_as(name), kill_statement(admin)) == 1031


@pytest.mark.parametrize("role", ["DBA", "KILLERS", "OUTER_KILLERS"])
def test_roles_take_effect_at_the_next_login(sim: Simulator, role: str) -> None:
    admin, name = sim.connect(), sim.new_user()
    session = sim.connect_as(name)
    if role != "DBA":
        inner = f"{role}_INNER"
        run(admin, f"CREATE ROLE {role}")
        run(admin, f"CREATE ROLE {inner}")
        run(admin, f"GRANT ALTER SYSTEM TO {inner}")
        run(admin, f"GRANT {inner} TO {role}")
    run(admin, f"GRANT {role} TO {name}")
    assert error_code(session, kill_statement(1)) == 1031
    assert error_code(sim.connect_as(name), kill_statement(1)) == 600


def test_an_idle_session_is_closed_without_an_error(sim: Simulator) -> None:
    admin, victim = sim.connect(), sim.connect()
    run(admin, kill_statement(victim))
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
    statement = BackgroundStatement(victim, long)
    wait_until_running(admin, victim, "SLEEP")
    run(admin, kill_statement(victim, tail=tail))
    error = statement.join()
    assert error is not None
    assert error.args == (1092, "ORA-01092: OceanBase instance terminated. Disconnection forced")
    assert is_disconnected(victim)


@pytest.mark.parametrize("serial", ["", ", 3"])
def test_the_open_transaction_is_rolled_back_and_its_row_locks_are_released(sim: Simulator, serial: str) -> None:
    admin, victim = sim.connect(), sim.connect(autocommit=False)
    name = f"T{session_id(victim)}"
    run(admin, f"CREATE TABLE {name} (id NUMBER PRIMARY KEY, v NUMBER)")
    run(admin, f"INSERT INTO {name} VALUES (1, 10), (2, 20)")
    run(victim, f"UPDATE {name} SET v = 0 WHERE id = 1")
    run(victim, f"DELETE FROM {name} WHERE id = 2")
    run(victim, f"INSERT INTO {name} VALUES (3, 30)")
    run(admin, kill_statement(victim, serial))
    assert run(admin, f"SELECT id, v FROM {name} ORDER BY id FOR UPDATE NOWAIT") == [(1, 10), (2, 20)]


def test_a_session_that_waits_for_a_row_lock_ends_at_once_without_a_change(sim: Simulator) -> None:
    admin, holder, victim = sim.connect(), sim.connect(autocommit=False), sim.connect()
    name = f"T{session_id(victim)}"
    run(admin, f"CREATE TABLE {name} (id NUMBER PRIMARY KEY, v NUMBER)")
    run(admin, f"INSERT INTO {name} VALUES (1, 0)")
    run(holder, f"UPDATE {name} SET v = 1")
    statement = BackgroundStatement(victim, f"UPDATE {name} SET v = 99")
    wait_until_running(admin, victim, "UPDATE")
    run(admin, kill_statement(victim))
    error = statement.join()
    assert error is not None
    assert error.args[0] == 1092
    run(holder, "COMMIT")
    assert run(admin, f"SELECT v FROM {name}") == [(1,)]


def test_like_oceanbase_the_own_session_is_closed_without_a_reply(start: Start) -> None:
    sim = start("--like-oceanbase")
    own = sim.connect()
    assert error_code(own, kill_statement(own)) == 2013
    assert session_id(own) not in sim.ids()


def test_the_own_session_gets_ok_before_it_is_closed(sim: Simulator) -> None:
    own = sim.connect()
    assert affected_rows(own, kill_statement(own)) == 0
    assert is_disconnected(own)
    assert session_id(own) not in sim.ids()


def test_the_open_transaction_of_the_own_session_is_rolled_back(sim: Simulator) -> None:
    admin, own = sim.connect(), sim.connect(autocommit=False)
    run(admin, f"CREATE TABLE T{session_id(own)} (id NUMBER)")
    run(own, f"INSERT INTO T{session_id(own)} VALUES (1)")
    run(own, kill_statement(own))
    assert is_disconnected(own)
    assert run(admin, f"SELECT COUNT(*) FROM T{session_id(own)}") == [(0,)]


def test_the_user_of_a_killed_session_logs_in_again_with_a_new_id(sim: Simulator) -> None:
    admin, name = sim.connect(), sim.new_user("ALTER SYSTEM")
    first = sim.connect_as(name)
    run(admin, kill_statement(first))
    second = sim.connect_as(name)
    assert session_id(second) != session_id(first)
    run(second, kill_statement(admin))


def test_a_dropped_users_session_stays_until_it_is_killed(sim: Simulator) -> None:
    admin, name = sim.connect(), sim.new_user("ALTER SYSTEM")
    orphan = sim.connect_as(name)
    run(admin, f"DROP USER {name} CASCADE")
    assert is_usable(orphan)
    assert session_id(orphan) in sim.ids()
    assert error_code(orphan, kill_statement(admin)) == 1031
    run(admin, kill_statement(orphan))
    assert is_disconnected(orphan)


def test_the_statement_is_executed_inside_a_block(sim: Simulator) -> None:
    admin, victim = sim.connect(), sim.connect()
    inner = kill_statement(victim, ", 5").replace("'", "''")
    run(admin, f"BEGIN EXECUTE IMMEDIATE '{inner}'; END;")
    assert is_disconnected(victim)
    assert error_code(admin, f"BEGIN EXECUTE IMMEDIATE '{inner}'; END;") == 600
    own = kill_statement(admin).replace("'", "''")
    run(admin, f"BEGIN EXECUTE IMMEDIATE '{own}'; EXECUTE IMMEDIATE '{own}'; END;")
    assert is_disconnected(admin)


def test_one_of_two_sessions_that_kill_each_other_stays(sim: Simulator) -> None:
    one, other = sim.connect(), sim.connect()
    run(one, kill_statement(other))
    assert error_code(other, kill_statement(one)) in (2006, 2013)
    assert is_usable(one)


def test_the_prefix_of_newer_servers_is_an_option(start: Start) -> None:
    sim = start("--error-prefix", "OBE")
    assert error_of(sim.connect(), kill_statement(1))[1].startswith("OBE-00600: ")
    assert error_of(sim.connect_new(), kill_statement(1)) == (1031, "OBE-01031: insufficient privileges")


def test_the_plain_kill_ends_only_sessions_of_the_own_user(sim: Simulator) -> None:
    name = sim.new_user()
    own, second, other = sim.connect_as(name), sim.connect_as(name), sim.connect_new()
    assert "-5251" in error_of(own, f"KILL {session_id(other)}")[1]
    run(own, f"KILL CONNECTION {session_id(second)}")
    assert is_disconnected(second)
    admin = sim.connect()
    run(admin, f"KILL {session_id(other)}")
    assert is_disconnected(other)


def test_kill_query_ends_the_statement_and_not_the_session(sim: Simulator) -> None:
    admin, victim = sim.connect(), sim.connect()
    run(admin, f"KILL QUERY {session_id(victim)}")
    statement = BackgroundStatement(victim, "BEGIN DBMS_LOCK.SLEEP(600); END;")
    wait_until_running(admin, victim, "SLEEP")
    run(admin, f"KILL QUERY {session_id(victim)}")
    error = statement.join()
    assert isinstance(error, pymysql.err.Error)
    assert error.args[0] == 600
    assert "-5065" in error.args[1]
    assert is_usable(victim)


def test_the_row_of_a_disconnected_client_is_removed(sim: Simulator) -> None:
    gone = sim.connect()
    run(gone, "SELECT 1 FROM DUAL")
    close_abruptly(gone)
    assert eventually(lambda: session_id(gone) not in sim.ids())
