"""Executes SELECT, SHOW PROCESSLIST, SHOW VARIABLES and the statements that sleep."""

from __future__ import annotations

import itertools
from dataclasses import replace

from runner.simulator import errors
from runner.simulator.execute.dictionary import find_view, system_variables
from runner.simulator.execute.evaluate import Scope, evaluate, holds, like
from runner.simulator.execute.results import Done, Result, Rows, cell
from runner.simulator.execute.server_instance import Instance
from runner.simulator.execute.table_changes import find_table, locked_rows
from runner.simulator.sessions import Session
from runner.simulator.sql.expressions import Call, Expression
from runner.simulator.sql.statements import Count, Select, ShowProcessList, ShowVariables, Sleep
from runner.simulator.values import Value, as_number
from runner.simulator.wire import TYPE_DECIMAL, TYPE_TEXT, Column

_COUNT = Call("COUNT")


async def show_process_list(instance: Instance, session: Session, statement: ShowProcessList) -> Result:
    """SHOW PROCESSLIST."""
    full = statement.full
    rows = instance.process_list.rows(session, full=full)
    return _result(instance.process_list.columns(full=full), rows)


async def show_variables(_: Instance, session: Session, statement: ShowVariables) -> Result:
    """SHOW VARIABLES."""
    pattern = statement.pattern
    shown = [
        (name, value) for name, value in system_variables(session) if pattern is None or like(name, pattern.lower())
    ]
    return _result((Column("VARIABLE_NAME"), Column("VALUE")), list(shown))


async def sleep(_: Instance, session: Session, statement: Sleep) -> Result:
    """DBMS_LOCK.SLEEP; the time has to be greater than 0."""
    seconds = _seconds(session, statement.seconds)
    if seconds <= 0:
        raise errors.no_time_to_sleep()
    await session.wait(seconds)
    return Done()


async def count(_: Instance, session: Session, statement: Count) -> Result:
    """A block that counts in a loop: waits for the time that the loop would take."""
    await session.wait(max(0.0, _seconds(session, statement.seconds)))
    return Done()


async def select(instance: Instance, session: Session, statement: Select) -> Result:
    """SELECT, also with FOR UPDATE."""
    if statement.joined:
        return await _joined(instance, session, statement)
    columns, rows = await _source(instance, session, statement)
    positions = {column.label: position for position, column in enumerate(columns)}
    rows = [row for row in rows if holds(statement.where, Scope(session, positions, row))]
    for key, descending in reversed(statement.order):
        rows.sort(key=lambda row: _sortable(evaluate(key, Scope(session, positions, row))), reverse=descending)
    return _selected(session, statement, columns, rows)


async def _joined(instance: Instance, session: Session, statement: Select) -> Result:
    """A join without conditions: each row of a table with each row of the others."""
    if statement.where or statement.order or statement.lock is not None:
        raise errors.not_supported("a join with more to it")
    first = replace(statement, joined=())
    sources = [
        await _source(instance, session, replace(first, table=table)) for table in (statement.table, *statement.joined)
    ]
    columns = tuple(itertools.chain.from_iterable(columns for columns, _ in sources))
    cells = [[tuple(map(cell, row)) for row in rows] for _, rows in sources]
    rows = (tuple(itertools.chain.from_iterable(row)) for row in itertools.product(*cells))
    return Rows(columns, rows, large=True)


async def _source(
    instance: Instance, session: Session, statement: Select
) -> tuple[tuple[Column, ...], list[tuple[Value, ...]]]:
    if statement.table is None:
        return (Column("DUMMY"),), [("X",)]
    view = find_view(instance, session, statement.table)
    if view is not None:
        return view.columns, view.content(instance, session)
    table = find_table(instance, session, statement.table)
    instance.privileges.require_on(session, table.name, "SELECT")
    if statement.lock is not None:
        instance.privileges.require_on(session, table.name, "UPDATE")
        await locked_rows(instance, session, table, statement.where, statement.lock)
    columns = tuple(Column(column.name, TYPE_DECIMAL if column.numeric else TYPE_TEXT) for column in table.columns)
    return columns, [values for _, values in table.visible(session.transaction)]


def _selected(
    session: Session, statement: Select, columns: tuple[Column, ...], rows: list[tuple[Value, ...]]
) -> Result:
    if any(item.expression == _COUNT for item in statement.items):
        columns, rows = (Column("COUNT(*)", TYPE_DECIMAL),), [(len(rows),)]
    positions = {column.label: position for position, column in enumerate(columns)}
    shown: list[Column] = []
    picked: list[list[Value]] = []
    for item in statement.items:
        if item.expression is None:
            shown += columns
            picked += [[row[position] for row in rows] for position in range(len(columns))]
            continue
        if item.expression == _COUNT:
            values: list[Value] = [rows[0][0]]
        else:
            values = [evaluate(item.expression, Scope(session, positions, row)) for row in rows]
            evaluate(item.expression, Scope(session, positions))  # an unknown name is an error, even without rows
        kind = _kind(item.expression, columns, positions, values)
        shown.append(Column(item.label, kind))
        picked.append(values)
    return _result(tuple(shown), list(zip(*picked, strict=True)))


def _kind(expression: Expression, columns: tuple[Column, ...], positions: dict[str, int], values: list[Value]) -> int:
    name = getattr(expression, "name", None)
    if name in positions and values:
        return columns[positions[name]].kind
    known = [value for value in values if value is not None]
    return TYPE_DECIMAL if known and not any(isinstance(value, str) for value in known) else TYPE_TEXT


def _seconds(session: Session, expression: Expression) -> float:
    return float(as_number(evaluate(expression, Scope(session, {})) or 0))


def _sortable(value: Value) -> tuple[bool, bool, Value]:
    """The key for sorting: numbers, then texts, then NULLs."""
    return (value is None, isinstance(value, str), 0 if value is None else value)


def _result(columns: tuple[Column, ...], rows: list[tuple[Value, ...]]) -> Rows:
    return Rows(columns, tuple(tuple(map(cell, row)) for row in rows))
