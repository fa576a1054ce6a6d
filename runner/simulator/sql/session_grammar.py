"""The grammar of SET, SHOW VARIABLES, ALTER SESSION, transactions, CALL and PL/SQL blocks."""

from __future__ import annotations

from collections.abc import Callable

from runner.simulator import errors
from runner.simulator.sql.expressions import Expression, Literal, Operation, expression
from runner.simulator.sql.statements import (
    Block,
    Commit,
    Count,
    ExecuteImmediate,
    Nothing,
    Rollback,
    RollbackTo,
    Savepoint,
    SetAutocommit,
    SetGlobal,
    SetSchema,
    ShowVariables,
    Sleep,
    StartTransaction,
    Statement,
)
from runner.simulator.sql.tokens import NUMBER, QUOTED, STRING, VARIABLE, WORD, Cursor

_SWITCH = {"0": False, "1": True, "OFF": False, "ON": True, "FALSE": False, "TRUE": True}
_PACKAGES = frozenset({"DBMS_LOCK", "DBMS_SESSION"})
_SLEEPS = "DBMS_LOCK"
"""The package with a procedure SLEEP. Oracle's newer DBMS_SESSION.SLEEP is not in OceanBase's package of that name."""

_ROUNDS_A_SECOND = 100_000_000
"""The assumed speed of a loop. The simulator waits instead of counting."""


def set_(cursor: Cursor) -> Statement:
    """Reads SET after its keywords."""
    if cursor.accept("NAMES") or cursor.accept("CHARACTER", "SET") or cursor.accept("CHARSET"):
        _value(cursor)
        if cursor.accept("COLLATE"):
            _value(cursor)
        return Nothing()
    if cursor.accept("TRANSACTION") or cursor.accept("SESSION", "TRANSACTION"):
        return _transaction_mode(cursor)
    return _assignments(cursor)


def alter_session(cursor: Cursor) -> Statement:
    """Reads ALTER SESSION after its keywords."""
    cursor.expect("SET")
    if cursor.accept("CURRENT_SCHEMA"):
        cursor.expect_symbol("=")
        return SetSchema(cursor.name())
    cursor.name()
    cursor.expect_symbol("=")
    _value(cursor)
    return Nothing()


def commit(cursor: Cursor) -> Statement:
    """Reads COMMIT after its keywords."""
    cursor.accept("WORK")
    return Commit()


def rollback(cursor: Cursor) -> Statement:
    """Reads ROLLBACK after its keywords."""
    cursor.accept("WORK")
    if not cursor.accept("TO"):
        return Rollback()
    cursor.accept("SAVEPOINT")
    return RollbackTo(cursor.name())


def savepoint(cursor: Cursor) -> Statement:
    """Reads SAVEPOINT after its keywords."""
    return Savepoint(cursor.name())


def show_variables(cursor: Cursor) -> Statement:
    """Reads SHOW VARIABLES after its keywords."""
    return ShowVariables(cursor.string() if cursor.accept("LIKE") else None)


def start(cursor: Cursor) -> Statement:
    """Reads START TRANSACTION after the first word."""
    cursor.expect("TRANSACTION")
    if cursor.accept("READ"):
        _one_of(cursor, "ONLY", "WRITE")
    return StartTransaction()


def call(cursor: Cursor) -> Statement:
    """Reads CALL of DBMS_LOCK.SLEEP after its keyword."""
    return _sleep(cursor)


def begin(cursor: Cursor, inner: Callable[[Cursor], Statement]) -> Statement:
    """Reads BEGIN [WORK], or BEGIN … END after the first word; ``inner`` reads a statement inside the block."""
    if cursor.accept("WORK") or cursor.ends():
        return StartTransaction()
    cursor.enter_level()
    statements: list[Statement] = []
    handler: list[Statement] = []
    part = statements
    while not cursor.accept("END"):
        if statements and part is statements and cursor.accept("EXCEPTION"):
            cursor.expect("WHEN", "OTHERS", "THEN")
            part = handler
        part.append(_in_block(cursor, inner))
        cursor.expect_symbol(";")
    if not statements:
        cursor.fail()
    cursor.leave_level()
    return Block(tuple(statements), tuple(handler))


def _in_block(cursor: Cursor, inner: Callable[[Cursor], Statement]) -> Statement:
    if cursor.accept("EXECUTE", "IMMEDIATE"):
        return ExecuteImmediate(cursor.string())
    if cursor.accept("NULL"):
        return Nothing()
    if cursor.now.kind == WORD and cursor.now.value in (*_PACKAGES, "SYS"):
        return _sleep(cursor)
    if cursor.now.kind == WORD and cursor.now.value in ("INSERT", "UPDATE", "DELETE", "COMMIT", "ROLLBACK", "BEGIN"):
        return inner(cursor)
    return cursor.fail()


def counting(cursor: Cursor) -> Statement:
    """Reads the only supported loop: DECLARE n NUMBER := 0; BEGIN WHILE n < … LOOP n := n + 1; END LOOP; END."""
    counter = cursor.name()
    cursor.expect("NUMBER")
    cursor.expect_symbol(":=")
    start = expression(cursor)
    cursor.expect_symbol(";")
    cursor.expect("BEGIN", "WHILE", counter)
    cursor.expect_symbol("<")
    end = expression(cursor)
    cursor.expect("LOOP", counter)
    cursor.expect_symbol(":=")
    cursor.expect(counter)
    cursor.expect_symbol("+")
    step = expression(cursor)
    cursor.expect_symbol(";")
    cursor.expect("END", "LOOP")
    cursor.expect_symbol(";")
    cursor.expect("END")
    rounds = Operation("/", Operation("-", end, start), step)
    return Count(Operation("/", rounds, Literal(_ROUNDS_A_SECOND)))


def _sleep(cursor: Cursor) -> Statement:
    if cursor.accept("SYS"):
        cursor.expect_symbol(".")
    package = cursor.one_of(*_PACKAGES) or cursor.fail()
    cursor.expect_symbol(".")
    cursor.expect("SLEEP")
    cursor.expect_symbol("(")
    seconds: Expression = expression(cursor)
    cursor.expect_symbol(")")
    if package != _SLEEPS:
        raise errors.undeclared("SLEEP")
    return Sleep(seconds)


def _transaction_mode(cursor: Cursor) -> Statement:
    if cursor.accept("ISOLATION", "LEVEL"):
        if not (cursor.accept("READ", "COMMITTED") or cursor.accept("REPEATABLE", "READ")):
            cursor.expect("SERIALIZABLE")
    else:
        cursor.expect("READ")
        _one_of(cursor, "ONLY", "WRITE")
    return Nothing()


def _assignments(cursor: Cursor) -> Statement:
    found: Statement = Nothing()
    while True:
        scope = cursor.one_of("GLOBAL", "SESSION", "LOCAL")
        name = cursor.take(WORD, VARIABLE).value.lstrip("@")
        if name.startswith("GLOBAL."):
            scope = "GLOBAL"
        if not (cursor.symbol("=") or cursor.symbol(":=")):
            cursor.fail()
        token = cursor.now
        value = _value(cursor)
        if scope == "GLOBAL":
            found = SetGlobal()
        elif name.rpartition(".")[2] == "AUTOCOMMIT":
            if value not in _SWITCH:
                cursor.fail_at(token)
            found = SetAutocommit(_SWITCH[value])
        if not cursor.symbol(","):
            return found


def _value(cursor: Cursor) -> str:
    if cursor.symbol("-"):
        return "-" + cursor.take(NUMBER).value
    return cursor.take(WORD, QUOTED, STRING, NUMBER, VARIABLE).value


def _one_of(cursor: Cursor, *words: str) -> None:
    if cursor.one_of(*words) is None:
        cursor.fail()
