"""The other statements that the cases need."""

# ruff: noqa: S608 - the tests write their own SQL

from __future__ import annotations

import struct
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

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
    wait_until_running,
)

names = (f"S{place}" for place in count())


@pytest.fixture
def table(sim: Simulator) -> str:
    """A table with two rows."""
    name = next(names)
    admin = sim.connect()
    run(admin, f"CREATE TABLE {name} (id NUMBER(10) PRIMARY KEY, name VARCHAR2(10) NOT NULL, v INT)")
    assert affected_rows(admin, f"INSERT INTO {name} (name, id, v) VALUES ('one', 1, 10), ('two', 2, NULL)") == 2
    return f"SYS.{name}"


@pytest.mark.parametrize(
    ("sql", "refused"),
    [
        ("CREATE USER sys IDENTIFIED BY x", 1920),
        ("CREATE USER dba IDENTIFIED BY x", 1920),
        ("CREATE USER nobody", 900),
        ("SELECT SLEEP(0) FROM DUAL", 904),
        ("BEGIN DBMS_LOCK.SLEEP(0); END;", 14312),
        ("BEGIN DBMS_SESSION.SLEEP(1); END;", 6550),
        ("DROP USER nobody", 600),
        ("DROP USER nobody CASCADE", 600),
        ("DROP USER sys CASCADE", 1031),
        ("GRANT ALTER SYSTEM TO nobody", 1917),
        ("GRANT KILLER TO sys", 1919),
        ("GRANT ALTER MOON TO sys", 900),
        ("GRANT SELECT TO sys", 990),
        ("GRANT ALTER SYSTEM sys", 900),
        ("REVOKE ALTER SYSTEM FROM sys", 1952),
        ("REVOKE DBA FROM sys", 1951),
        ("DROP ROLE nobody", 1919),
        ("CREATE ROLE sys", 1921),
        ("DROP TABLE nothing", 942),
        ("SELECT * FROM nothing", 942),
        ("SELECT nothing FROM DUAL", 904),
        ("SELECT NOTHING(1) FROM DUAL", 904),
        ("SELECT 1 + 'x' FROM DUAL", 1722),
        ("SELECT 1 / 0 FROM DUAL", 1426),
        ("SELECT 1e999 FROM DUAL", 1426),
        ("SELECT @@nothing FROM DUAL", 600),
        ("SELECT " + "(" * 500 + "1" + ")" * 500, 900),
        ("SELECT " + "-" * 499 + " 1", 900),
        ("BEGIN " * 300, 900),
        ("SET AUTOCOMMIT = 2", 900),
        ("SELECT 1 FROM DUAL; SELECT 2 FROM DUAL", 900),
        ("SELECT 1", 900),
        ("SELECT @@version_comment LIMIT 1", 900),
        ("SELECT USERNAME FROM ALL_USERS LIMIT 1", 900),
        ("SHOW WARNINGS", 900),
        ("SHOW ERRORS", 900),
        ("SELECT ? FROM DUAL", 900),
        ("SAVEPOINT", 900),
        ("ROLLBACK TO nowhere", 1086),
        ("BEGIN WORK 1", 900),
        ("SELECT 'open", 900),
        ("SELECT /* open", 900),
        ("WHATEVER", 900),
        ("", 600),
        (" ; ", 600),
        ("-- nothing", 600),
        ("ALTER SESSION SET CURRENT_SCHEMA = NOWHERE", 1435),
    ],
)
def test_a_wrong_statement_is_an_error_and_the_session_stays_usable(sim: Simulator, sql: str, refused: int) -> None:
    admin = sim.connect()
    assert error_code(admin, sql) == refused
    assert is_usable(admin)


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE USER x IDENTIFIED BY x",
        "DROP USER x CASCADE",
        "ALTER USER sys IDENTIFIED BY x",
        "CREATE ROLE x",
        "DROP ROLE dba",
        "GRANT ALTER SYSTEM TO sys",
        "GRANT dba TO sys",
        "REVOKE CREATE SESSION FROM sys",
        "CREATE TABLE x (id NUMBER)",
        "CREATE TABLE sys.x (id NUMBER)",
        "SET GLOBAL x = 1",
    ],
)
def test_a_statement_without_its_privilege_is_refused(sim: Simulator, sql: str) -> None:
    assert error_code(sim.connect_new(), sql) == 1031


def test_a_privilege_granted_with_admin_option_can_be_granted_on(sim: Simulator) -> None:
    admin, name, third = sim.connect(), sim.new_user(), sim.new_user()
    session = sim.connect_as(name)
    run(admin, f"GRANT ALTER SYSTEM TO {name}")
    assert error_code(session, f"GRANT ALTER SYSTEM TO {third}") == 1031
    run(admin, f"GRANT ALTER SYSTEM, SHOW PROCESS TO {name}, {third} WITH ADMIN OPTION")
    run(session, f"GRANT ALTER SYSTEM TO {third}")


def test_a_table_without_privileges_seems_not_to_exist(sim: Simulator, table: str) -> None:
    admin, name = sim.connect(), sim.new_user()
    session = sim.connect_as(name)
    assert error_code(session, f"SELECT * FROM {table}") == 942
    run(admin, f"GRANT SELECT ON {table} TO {name}")
    assert run(session, f"SELECT id FROM {table} WHERE name = 'one'") == [(1,)]
    assert error_code(session, f"DELETE FROM {table}") == 1031
    run(admin, f"GRANT ALL ON {table} TO {name}")
    assert affected_rows(session, f"DELETE FROM {table}") == 2
    run(admin, f"REVOKE ALL PRIVILEGES ON {table} FROM {name}")
    assert error_code(session, f"SELECT * FROM {table}") == 942


def test_the_tables_of_a_dropped_user_are_dropped(sim: Simulator) -> None:
    admin, name = sim.connect(), sim.new_user("CREATE TABLE")
    run(sim.connect_as(name), "CREATE TABLE mine (id NUMBER)")
    assert run(admin, f"SELECT * FROM {name}.mine") == []
    run(admin, f"DROP USER {name} CASCADE")
    assert error_code(admin, f"SELECT * FROM {name}.mine") == 942


def test_users_can_be_listed(sim: Simulator) -> None:
    admin, name = sim.connect(), sim.new_user()
    asked = f"SELECT USERNAME FROM DBA_USERS WHERE USERNAME LIKE '{name[:1]}%' AND USERNAME = '{name}'"
    assert run(admin, asked) == [(name,)]
    assert run(sim.connect_as(name), "SELECT username FROM all_users WHERE username IN ('SYS', 'X')") == [("SYS",)]
    assert error_code(sim.connect_as(name), asked) == 942


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("", [1, 2]),
        ("WHERE v IS NULL", [2]),
        ("WHERE v = 10 AND name <> 'two'", [1]),
        ("WHERE name LIKE '%w_'", [2]),
        ("WHERE name NOT LIKE 't%'", [1]),
        ("WHERE id >= '2'", [2]),
        ("WHERE v < 100", [1]),
        ("WHERE id NOT IN (1, NULL)", []),
        ("ORDER BY id DESC", [2, 1]),
        ("ORDER BY v", [1, 2]),
    ],
)
def test_conditions_and_order(sim: Simulator, table: str, where: str, found: list[int]) -> None:
    assert [row[0] for row in run(sim.connect(), f"SELECT id FROM {table} {where}")] == found


def test_a_failed_statement_changes_nothing(sim: Simulator, table: str) -> None:
    session = sim.connect(autocommit=False)
    assert error_code(session, f"INSERT INTO {table} VALUES (3, 'c', 0), (1, 'd', 0)") == 1
    assert error_code(session, f"INSERT INTO {table} VALUES (3, 'c', 0), (4, 'far too long', 0)") == 12899
    assert error_code(session, f"UPDATE {table} SET name = NULL") == 1400
    assert error_code(session, f"INSERT INTO {table} VALUES (3)") == 947
    assert error_code(session, f"INSERT INTO {table} VALUES (3, 'c', 0, 0)") == 913
    assert run(session, f"SELECT COUNT(*) FROM {table}") == [(2,)]
    assert affected_rows(sim.connect(), f"UPDATE {table} SET v = id + 1") == 2


def test_changes_are_visible_to_others_only_after_the_commit(sim: Simulator, table: str) -> None:
    writer, reader = sim.connect(autocommit=False), sim.connect()
    run(writer, f"INSERT INTO {table} VALUES (3, 'c', 0)")
    run(writer, f"DELETE FROM {table} WHERE id = 1")
    assert [row[0] for row in run(writer, f"SELECT id FROM {table} ORDER BY id")] == [2, 3]
    assert [row[0] for row in run(reader, f"SELECT id FROM {table} ORDER BY id")] == [1, 2]
    run(writer, "COMMIT")
    assert [row[0] for row in run(reader, f"SELECT id FROM {table} ORDER BY id")] == [2, 3]
    run(writer, f"DELETE FROM {table}")
    run(writer, "ROLLBACK")
    assert run(reader, f"SELECT COUNT(*) FROM {table}") == [(2,)]


def test_a_definition_commits_the_open_transaction(sim: Simulator, table: str) -> None:
    writer = sim.connect(autocommit=False)
    run(writer, f"DELETE FROM {table}")
    run(writer, "CREATE ROLE " + next(names))
    run(writer, "ROLLBACK")
    assert run(sim.connect(), f"SELECT COUNT(*) FROM {table}") == [(0,)]


def test_a_writer_waits_for_the_row_lock_and_then_sees_the_change(sim: Simulator, table: str) -> None:
    admin, holder, waiter = sim.connect(), sim.connect(autocommit=False), sim.connect()
    run(holder, f"UPDATE {table} SET v = v + 1 WHERE id = 1")
    statement = BackgroundStatement(waiter, f"UPDATE {table} SET v = v + 1 WHERE id = 1")
    wait_until_running(admin, waiter, "UPDATE")
    run(holder, "COMMIT")
    assert statement.join() is None
    assert run(admin, f"SELECT v FROM {table} WHERE id = 1") == [(12,)]


def test_a_second_insert_of_a_primary_key_waits_for_the_first(sim: Simulator, table: str) -> None:
    admin, holder, waiter = sim.connect(), sim.connect(autocommit=False), sim.connect()
    run(holder, f"INSERT INTO {table} VALUES (9, 'a', 0)")
    statement = BackgroundStatement(waiter, f"INSERT INTO {table} VALUES (9, 'b', 0)")
    wait_until_running(admin, waiter, "INSERT")
    run(holder, "COMMIT")
    error = statement.join()
    assert error is not None
    assert error.args[0] == 1


def test_waiting_for_a_row_lock_has_a_time_limit(start: Callable[..., Simulator]) -> None:
    sim = start("--lock-wait", "0.05")
    holder, waiter = sim.connect(autocommit=False), sim.connect(autocommit=False)
    run(holder, "CREATE TABLE t (id NUMBER)")
    run(holder, "INSERT INTO t VALUES (1)")
    run(holder, "COMMIT")
    run(holder, "SELECT * FROM t FOR UPDATE")
    assert "-6003" in error_of(waiter, "DELETE FROM t")[1]
    assert error_code(waiter, "SELECT * FROM t FOR UPDATE NOWAIT") == 54
    assert error_code(waiter, "SELECT * FROM t FOR UPDATE WAIT 1") == 30006
    run(holder, "ROLLBACK")
    assert affected_rows(waiter, "DELETE FROM t") == 1


def test_a_client_that_disconnects_while_it_waits_leaves_nothing(sim: Simulator, table: str) -> None:
    admin, holder, waiter = sim.connect(), sim.connect(autocommit=False), sim.connect(autocommit=False)
    run(holder, f"UPDATE {table} SET v = 1 WHERE id = 1")
    run(waiter, f"UPDATE {table} SET v = 2 WHERE id = 2")
    waiter._execute_command(3, f"UPDATE {table} SET v = 2")  # type: ignore[attr-defined]  # noqa: SLF001 - sends without reading the reply
    wait_until_running(admin, waiter, "UPDATE")
    close_abruptly(waiter)
    assert run(admin, f"SELECT id FROM {table} WHERE id = 2 FOR UPDATE WAIT 10") == [(2,)]
    assert session_id(waiter) not in sim.ids()


def test_the_status_flags_show_autocommit_and_transaction(sim: Simulator, table: str) -> None:
    session = sim.connect()

    def status(sql: str) -> int:
        run(session, sql)
        return int(session.server_status)  # type: ignore[attr-defined]  # missing in the stubs

    assert status("SET AUTOCOMMIT = 0") == 0
    assert status(f"DELETE FROM {table}") == 1
    assert status("COMMIT") == 0
    assert status("SET autocommit=ON") == 2
    assert status("START TRANSACTION") == 3
    assert status(f"INSERT INTO {table} VALUES (1, 'a', 1)") == 3
    assert status("ROLLBACK") == 2
    assert run(session, f"SELECT COUNT(*) FROM {table}") == [(0,)]


@pytest.mark.parametrize(
    "sql",
    [
        "SET NAMES utf8mb4 COLLATE utf8mb4_general_ci",
        "SET @@session.ob_query_timeout = 10000000",
        "SET ob_trx_timeout=1, sql_mode = 'x'",
        "SET TRANSACTION ISOLATION LEVEL READ COMMITTED",
        "ALTER SESSION SET NLS_DATE_FORMAT = 'YYYY-MM-DD'",
        "ALTER SESSION SET CURRENT_SCHEMA = SYS",
        "BEGIN NULL; COMMIT; BEGIN NULL; END; END;",
        "SELECT @@version_comment FROM DUAL",
        "SHOW VARIABLES LIKE 'version%'",
        "SHOW SESSION VARIABLES",
        "BEGIN",
        "BEGIN WORK;",
        "SELECT * FROM V$VERSION",
        "SELECT SYSDATE, CURRENT_TIMESTAMP FROM DUAL",
    ],
)
def test_the_statements_of_drivers_are_accepted(sim: Simulator, sql: str) -> None:
    run(sim.connect(), sql)


def prepare(session: Any, sql: str) -> int:
    session._execute_command(0x16, sql)  # noqa: SLF001 - PyMySQL has no prepared statements
    answer = bytes(session._read_packet()._data)  # noqa: SLF001 - as above
    return int.from_bytes(answer[1:5], "little")


def execute(session: Any, statement: int) -> list[bytes]:
    """Executes a prepared statement; returns the packets of its result."""
    session._execute_command(0x17, struct.pack("<IBI", statement, 0, 1))  # noqa: SLF001 - as above
    packets = [bytes(session._read_packet()._data)]  # noqa: SLF001 - as above
    ends = 0
    while packets[0][0] != 0 and ends < 2:
        packets.append(bytes(session._read_packet()._data))  # noqa: SLF001 - as above
        ends += packets[-1][0] == 0xFE
    return packets


def test_a_prepared_kill_ends_a_session(sim: Simulator) -> None:
    session, victim = sim.connect(), sim.connect()
    statement = prepare(session, kill_statement(victim))
    assert execute(session, statement)[0][0] == 0
    assert is_disconnected(victim)
    assert is_usable(session)


def test_a_prepared_query_returns_binary_rows(sim: Simulator) -> None:
    session = sim.connect()
    packets = execute(session, prepare(session, "SELECT 1, NULL, 'x' FROM DUAL"))
    assert packets[-2] == b"\x00\x08" + b"\x011" + b"\x01x"
    assert is_usable(session)


@pytest.mark.parametrize("first", ["SELECT 0 FROM DUAL", "SELECT 0.0 * -1 FROM DUAL"])
def test_a_zero_has_no_sign_whichever_zero_was_shown_before(sim: Simulator, first: str) -> None:
    admin = sim.connect()
    shown = [run(admin, sql) for sql in (first, "SELECT 0.0 * -1 FROM DUAL", "SELECT 0 FROM DUAL")]
    assert [str(number) for [[number]] in shown] == ["0", "0", "0"]
