"""The grammar of tables and of the statements that read and change them."""

from __future__ import annotations

from runner.simulator import errors
from runner.simulator.sql.expressions import Expression, arguments, expression, where
from runner.simulator.sql.statements import (
    CreateTable,
    Delete,
    DropTable,
    Insert,
    Item,
    Name,
    RowLock,
    Select,
    Statement,
    Update,
)
from runner.simulator.sql.tokens import QUOTED, Cursor
from runner.simulator.tables import TableColumn

_NUMERIC = frozenset("NUMBER INT INTEGER SMALLINT BIGINT DECIMAL NUMERIC FLOAT DEC".split())  # noqa: SIM905 - one word each
_TEXT = frozenset("VARCHAR2 VARCHAR NVARCHAR2 CHAR NCHAR CLOB DATE TIMESTAMP".split())  # noqa: SIM905 - one word each
_SIZED = frozenset("VARCHAR2 VARCHAR NVARCHAR2 CHAR NCHAR".split())  # noqa: SIM905 - one word each


def create_table(cursor: Cursor) -> Statement:
    """Reads CREATE TABLE after its keywords."""
    table = cursor.qualified_name()
    cursor.expect_symbol("(")
    columns: list[TableColumn] = []
    key: tuple[str, ...] = ()
    while True:
        if cursor.accept("CONSTRAINT"):
            cursor.name()
        if cursor.accept("PRIMARY", "KEY"):
            cursor.expect_symbol("(")
            key = _names(cursor)
        else:
            column, is_key = _column(cursor)
            columns.append(column)
            key = (column.name,) if is_key else key
        if not cursor.symbol(","):
            break
    cursor.expect_symbol(")")
    return CreateTable(table, tuple(columns), key)


def drop_table(cursor: Cursor) -> Statement:
    """Reads DROP TABLE after its keywords."""
    table = cursor.qualified_name()
    cursor.accept("CASCADE", "CONSTRAINTS")
    cursor.accept("PURGE")
    return DropTable(table)


def insert(cursor: Cursor) -> Statement:
    """Reads INSERT after its keywords."""
    cursor.expect("INTO")
    table = cursor.qualified_name()
    columns = _names(cursor) if cursor.symbol("(") else ()
    cursor.expect("VALUES")
    rows: list[tuple[Expression, ...]] = []
    while True:
        cursor.expect_symbol("(")
        rows.append(arguments(cursor))
        if not cursor.symbol(","):
            return Insert(table, columns, tuple(rows))


def update(cursor: Cursor) -> Statement:
    """Reads UPDATE after its keywords."""
    table = cursor.qualified_name()
    cursor.expect("SET")
    changes: list[tuple[str, Expression]] = []
    while True:
        column = cursor.name()
        cursor.expect_symbol("=")
        changes.append((column, expression(cursor)))
        if not cursor.symbol(","):
            return Update(table, tuple(changes), where(cursor))


def delete(cursor: Cursor) -> Statement:
    """Reads DELETE after its keywords."""
    cursor.accept("FROM")
    return Delete(cursor.qualified_name(), where(cursor))


def select(cursor: Cursor) -> Statement:
    """Reads SELECT after its keywords."""
    items = [_item(cursor)]
    while cursor.symbol(","):
        items.append(_item(cursor))
    cursor.expect("FROM")
    table, *more = _tables(cursor)
    joined = tuple(more)
    if joined and [item.expression for item in items] != [None]:
        raise errors.not_supported("columns of a join by their names")
    return Select(
        tuple(items),
        None if table == (None, "DUAL") else table,
        where(cursor),
        _order(cursor),
        _lock(cursor),
        joined,
    )


def _tables(cursor: Cursor) -> list[Name]:
    """One table, or several between commas, each with an alias or without."""
    tables: list[Name] = []
    while True:
        tables.append(cursor.qualified_name())
        if cursor.may_be_name() and not cursor.sees("LIMIT"):
            cursor.name()
        if not cursor.symbol(","):
            return tables


def _column(cursor: Cursor) -> tuple[TableColumn, bool]:
    name = cursor.name()
    kind = cursor.one_of(*_NUMERIC, *_TEXT)
    if kind is None:
        cursor.fail()
    sizes: list[int] = []
    if cursor.symbol("("):
        sizes.append(cursor.integer())
        cursor.one_of("CHAR", "BYTE")
        if cursor.symbol(","):
            sizes.append(cursor.integer())
        cursor.expect_symbol(")")
    is_key, nullable = False, True
    while True:
        if cursor.accept("PRIMARY", "KEY"):
            is_key = True
        elif cursor.accept("NOT", "NULL"):
            nullable = False
        elif not cursor.accept("NULL"):
            break
    size = sizes[0] if sizes and kind in _SIZED else None
    return TableColumn(name, kind in _NUMERIC, size, nullable and not is_key), is_key


def _names(cursor: Cursor) -> tuple[str, ...]:
    found = [cursor.name()]
    while cursor.symbol(","):
        found.append(cursor.name())
    cursor.expect_symbol(")")
    return tuple(found)


def _item(cursor: Cursor) -> Item:
    if cursor.symbol("*"):
        return Item("*", None)
    start = cursor.now
    value = expression(cursor)
    written = cursor.sql[start.start : cursor.previous.end]
    label = start.value if start.kind == QUOTED else written.upper()
    if cursor.accept("AS") or cursor.may_be_name():
        label = cursor.name()
    return Item(label, value)


def _order(cursor: Cursor) -> tuple[tuple[Expression, bool], ...]:
    if not cursor.accept("ORDER", "BY"):
        return ()
    found: list[tuple[Expression, bool]] = []
    while True:
        value = expression(cursor)
        found.append((value, cursor.one_of("ASC", "DESC") == "DESC"))
        if not cursor.symbol(","):
            return tuple(found)


def _lock(cursor: Cursor) -> RowLock | None:
    if not cursor.accept("FOR", "UPDATE"):
        return None
    if cursor.accept("NOWAIT"):
        return RowLock(0)
    return RowLock(cursor.integer() if cursor.accept("WAIT") else None)
