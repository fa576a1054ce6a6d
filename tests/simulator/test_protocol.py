"""The commands of the protocol: prepared statements, multiple statements, reset, change of user."""

# ruff: noqa: S608 - the tests write their own SQL

from __future__ import annotations

import struct
from itertools import count
from typing import Any

import pymysql
import pytest
from pymysql._auth import scramble_native_password
from pymysql.constants import CLIENT, COMMAND

from tests.support.simulator_clients import (
    ORACLE_MODE,
    Connection,
    Simulator,
    error_code,
    is_disconnected,
    is_usable,
    kill_statement,
    run,
    session_id,
)

SEVERAL = ORACLE_MODE | CLIENT.MULTI_STATEMENTS
_names = (f"P{place}" for place in count())


@pytest.fixture
def table(sim: Simulator) -> str:
    name = next(_names)
    run(sim.connect(), f"CREATE TABLE {name} (ID NUMBER PRIMARY KEY, V VARCHAR2(30))")
    return f"SYS.{name}"


def packet(connection: Any) -> bytes:
    """The next packet, also an error packet."""
    head = connection._read_bytes(4)  # noqa: SLF001 - PyMySQL raises errors
    connection._next_seq_id = (head[3] + 1) % 256  # noqa: SLF001 - as above
    return bytes(connection._read_bytes(int.from_bytes(head[:3], "little")))  # noqa: SLF001 - as above


def command(connection: Any, number: int, body: bytes = b"") -> bytes:
    """Sends a command and returns the first packet of its reply."""
    connection._execute_command(number, body)  # noqa: SLF001 - PyMySQL has no way to send any command
    return packet(connection)


def error_of(answer: bytes) -> int:
    return int.from_bytes(answer[1:3], "little") if answer[0] == 0xFF else 0


def prepare(connection: Connection, sql: str) -> tuple[int, int]:
    """Prepares a statement; returns its id and its number of parameters."""
    head = command(connection, COMMAND.COM_STMT_PREPARE, sql.encode())
    assert head[0] == 0, head
    (statement, columns, parameters) = struct.unpack_from("<IHH", head, 1)
    assert columns == 0
    for _ in range(parameters + 1 if parameters else 0):
        packet(connection)
    return statement, parameters


def sent(value: str | float | None) -> tuple[int, bytes]:
    """The type and the encoded value of a parameter."""
    if value is None:
        return 6, b""
    if isinstance(value, int):
        return 8, value.to_bytes(8, "little", signed=True)
    if isinstance(value, float):
        return 5, struct.pack("<d", value)
    data = value.encode()
    return 253, bytes((len(data),)) + data


def execute(connection: Connection, statement: int, *values: str | float | None, types: bool = True) -> bytes:
    """Executes a prepared statement and reads its reply; returns the first packet."""
    nulls = sum((value is None) << place for place, value in enumerate(values))
    body = struct.pack("<IBI", statement, 0, 1)
    if values:
        body += nulls.to_bytes((len(values) + 7) // 8, "little") + bytes((types,))
        kinds = [sent(value) for value in values]
        body += b"".join(struct.pack("<H", kind) for kind, _ in kinds) if types else b""
        body += b"".join(data for _, data in kinds)
    return command(connection, COMMAND.COM_STMT_EXECUTE, body)


def test_parameters_of_every_type_are_bound(sim: Simulator, table: str) -> None:
    session = sim.connect()
    insert, parameters = prepare(session, f"INSERT INTO {table} VALUES (?, ?) /* ? '?' */")
    assert parameters == 2
    for values in ((1, "it's"), (2.0, None), (-3, "?"), ("4", "väl")):
        assert execute(session, insert, *values)[:2] == b"\x00\x01"
    assert run(session, f"SELECT ID, V FROM {table} ORDER BY ID") == [(-3, "?"), (1, "it's"), (2, None), (4, "väl")]
    change, _ = prepare(session, f"UPDATE {table} SET V = ? WHERE ID = 1 - ?")
    assert execute(session, change, "last", 4)[:2] == b"\x00\x01"
    assert execute(session, change, "again", 4, types=False)[:2] == b"\x00\x01"
    assert run(session, f"SELECT V FROM {table} WHERE ID = -3") == [("again",)]


def test_the_id_can_be_a_parameter(sim: Simulator) -> None:
    admin, victim = sim.connect(), sim.connect()
    statement, parameters = prepare(admin, "ALTER SYSTEM KILL SESSION ?")
    assert parameters == 1
    assert execute(admin, statement, f"{session_id(victim)}, 7")[0] == 0
    assert is_disconnected(victim)
    assert error_of(execute(admin, statement, str(session_id(victim)))) == 600
    assert is_usable(admin)


def test_malformed_parameters_are_an_error_and_the_session_stays_usable(sim: Simulator) -> None:
    session = sim.connect()
    statement, _ = prepare(session, "UPDATE NOWHERE SET V = ?")
    for body in (b"", b"\x00" * 5, b"\x00" * 5 + b"\x00\x00", b"\x00" * 5 + b"\x00\x01\x0c\x00"):
        answer = command(session, COMMAND.COM_STMT_EXECUTE, struct.pack("<I", statement) + body)
        assert error_of(answer) == 1210
    assert error_of(execute(session, statement, "x")) == 942
    assert is_usable(session)


def results(connection: Connection, sql: str) -> list[Any]:
    """The results of several statements: rows, number of affected rows, or error code, which is the last one."""
    found: list[Any] = []
    with connection.cursor() as cursor:
        try:
            cursor.execute(sql)
            while True:
                found.append(list(cursor.fetchall()) if cursor.description else cursor.rowcount)
                if not cursor.nextset():
                    return found
        except pymysql.err.MySQLError as error:
            return [*found, error.args[0]]


def test_several_statements_in_a_text_are_executed_if_switched_on(sim: Simulator, table: str) -> None:
    session = sim.connect(client_flag=SEVERAL)
    text = f"INSERT INTO {table} VALUES (1, 'a;b'); BEGIN NULL; COMMIT; END; SELECT V FROM {table};"
    assert results(session, text) == [1, 0, [("a;b",)]]
    assert results(session, f"DELETE FROM {table};") == [1]
    assert is_usable(session)


def test_the_statements_of_a_text_are_executed_until_one_fails(sim: Simulator, table: str) -> None:
    session = sim.connect(client_flag=SEVERAL)
    text = f"INSERT INTO {table} VALUES (1, 'x'); {{}}; INSERT INTO {table} VALUES (2, 'y')"
    assert results(session, text.format("DELETE FROM NOWHERE")) == [1, 942]
    assert results(session, text.format("WHATEVER").replace("(1,", "(3,")) == [1, 900]
    assert run(session, f"SELECT ID FROM {table} ORDER BY ID") == [(1,), (3,)]


def test_statements_after_the_kill_of_the_own_session_are_not_executed(sim: Simulator, table: str) -> None:
    session = sim.connect(client_flag=SEVERAL)
    results(session, f"{kill_statement(session)}; INSERT INTO {table} VALUES (1, 'x')")
    assert is_disconnected(session)
    assert run(sim.connect(), f"SELECT COUNT(*) FROM {table}") == [(0,)]


def test_multiple_statements_can_be_switched_on_and_off(sim: Simulator) -> None:
    session = sim.connect()
    text = "SELECT 1 FROM DUAL; SELECT 2 FROM DUAL"
    assert error_code(session, text) == 900
    assert command(session, COMMAND.COM_SET_OPTION, b"\x00\x00")[0] == 0xFE
    assert results(session, text) == [[(1,)], [(2,)]]
    assert command(session, COMMAND.COM_SET_OPTION, b"\x01\x00")[0] == 0xFE
    assert error_code(session, text) == 900


def test_a_reset_connection_is_as_after_its_login(sim: Simulator, table: str) -> None:
    session = sim.connect()
    own = session_id(session)
    statement, _ = prepare(session, "COMMIT")
    run(session, "SET AUTOCOMMIT = 0")
    run(session, f"INSERT INTO {table} VALUES (1, 'x')")
    assert command(session, 0x1F)[:3] == b"\x00\x00\x00"
    assert run(session, f"SELECT COUNT(*) FROM {table}") == [(0,)]
    run(session, f"INSERT INTO {table} VALUES (2, 'y')")
    assert run(sim.connect(), f"SELECT ID FROM {table}") == [(2,)]
    assert error_of(execute(session, statement)) == 1243
    assert run(session, "SELECT USERENV('SID') FROM DUAL") == [(own,)]


def change_user(connection: Any, user: str, password: str) -> bytes:
    token = scramble_native_password(password.encode(), connection.salt)
    body = user.encode() + b"\0" + bytes((len(token),)) + token + b"\0" + struct.pack("<H", 45)
    return command(connection, COMMAND.COM_CHANGE_USER, body + b"mysql_native_password\0")


def test_a_connection_can_change_its_user(sim: Simulator, table: str) -> None:
    user, session = sim.new_user(), sim.connect()
    own = session_id(session)
    run(session, "START TRANSACTION")
    run(session, f"INSERT INTO {table} VALUES (1, 'x')")
    assert change_user(session, f"{user}@oracle", user.lower())[0] == 0
    assert run(session, "SELECT USER, USERENV('SID') FROM DUAL") == [(user, own)]
    assert [row[:4:3] for row in run(session, "SHOW PROCESSLIST")] == [(own, user)]
    assert error_code(session, kill_statement(1)) == 1031
    assert run(sim.connect(), f"SELECT COUNT(*) FROM {table}") == [(0,)]


@pytest.mark.parametrize(
    ("login", "password"), [("SYS@oracle", "wrong"), ("SYS", "simulator"), ("SYS@other", "simulator")]
)
def test_a_refused_change_of_user_closes_the_connection(sim: Simulator, login: str, password: str) -> None:
    session = sim.connect()
    assert error_of(change_user(session, login, password)) == 1045
    assert is_disconnected(session)
    assert session_id(session) not in sim.ids()


def test_statistics_are_a_text(sim: Simulator) -> None:
    session = sim.connect()
    assert command(session, COMMAND.COM_STATISTICS).isascii()
    assert is_usable(session)


def test_variables_are_shown(sim: Simulator) -> None:
    session = sim.connect()
    with session.cursor() as cursor:
        cursor.execute("SHOW VARIABLES LIKE 'ob_compat%'")
        assert [column[0] for column in cursor.description] == ["VARIABLE_NAME", "VALUE"]
        assert list(cursor.fetchall()) == [("ob_compatibility_mode", "ORACLE")]
    assert ("autocommit", "ON") in run(session, "SHOW VARIABLES")


@pytest.mark.parametrize("begin", ["BEGIN", "BEGIN WORK", "START TRANSACTION", "SET AUTOCOMMIT = 0"])
def test_a_transaction_is_rolled_back_to_a_savepoint(sim: Simulator, table: str, begin: str) -> None:
    session = sim.connect()
    run(session, begin)
    for number_, point in enumerate(("one", "two", "three"), 1):
        run(session, f"INSERT INTO {table} VALUES ({number_}, 'x')")
        run(session, f"SAVEPOINT {point}")
    run(session, "ROLLBACK TO SAVEPOINT two")
    assert run(session, f"SELECT ID FROM {table} ORDER BY ID") == [(1,), (2,)]
    assert error_code(session, "ROLLBACK TO three") == 1086
    run(session, "ROLLBACK WORK TO one")
    run(session, "COMMIT")
    assert error_code(session, "ROLLBACK TO one") == 1086
    assert run(sim.connect(), f"SELECT ID FROM {table}") == [(1,)]
