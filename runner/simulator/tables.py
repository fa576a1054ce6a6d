"""Tables with transactions: changes are visible to others after the commit; row locks last as long as a transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field

from runner.simulator import errors
from runner.simulator.users_and_roles import TableName
from runner.simulator.values import Value, as_number, as_text

Values = tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class TableColumn:
    """One column of a table; ``size`` is the maximum number of characters."""

    name: str
    numeric: bool
    size: int | None = None
    nullable: bool = True

    def stored(self, value: Value) -> Value:
        """Converts a value to the column's type."""
        if value is None or value == "":
            if not self.nullable:
                raise errors.null_not_allowed(self.name)
            return None
        if self.numeric:
            return as_number(value)
        text = as_text(value)
        if self.size is not None and len(text) > self.size:
            raise errors.value_too_large(self.name)
        return text


@dataclass(slots=True, eq=False)
class Row:
    """One row: the committed values, and the changed values of the transaction that holds its lock."""

    table: Table
    committed: Values | None = None
    pending: Values | None = None
    writer: Transaction | None = None
    keys: set[Values] = field(default_factory=set)

    def visible_to(self, transaction: Transaction) -> Values | None:
        """The row's values as a transaction sees them, or None."""
        return self.pending if self.writer is transaction else self.committed

    def release(self) -> None:
        """Releases the row lock; removes the row from its table if it has no committed values."""
        self.writer = self.pending = None
        if self.committed is None:
            self.table.rows.pop(self, None)
        self.table.reindex(self)


@dataclass(slots=True, eq=False)
class Table:
    """One table. Its rows are in the order of their insertion."""

    name: TableName
    columns: tuple[TableColumn, ...]
    key: tuple[int, ...] = ()
    rows: dict[Row, None] = field(default_factory=dict)
    index: dict[Values, dict[Row, None]] = field(default_factory=dict)

    def position(self, column: str) -> int:
        """The position of a column."""
        for position, candidate in enumerate(self.columns):
            if candidate.name == column:
                return position
        raise errors.invalid_identifier(column)

    def visible(self, transaction: Transaction) -> Iterator[tuple[Row, Values]]:
        """The rows that a transaction sees, with their values."""
        for row in tuple(self.rows):
            values = row.visible_to(transaction)
            if values is not None:
                yield row, values

    def rows_with_key(self, values: Values, own: Row | None = None) -> Iterator[Row]:
        """The rows whose committed or changed values have the primary key of ``values``."""
        wanted = self.key_of(values)
        for row in tuple(self.index.get(wanted, ())):
            versions = (row.committed, row.pending)
            if row is not own and any(version is not None and self.key_of(version) == wanted for version in versions):
                yield row

    def add_key(self, row: Row, values: Values) -> None:
        """Adds a row to the index of the primary key."""
        if self.key:
            key = self.key_of(values)
            row.keys.add(key)
            self.index.setdefault(key, {})[row] = None

    def reindex(self, row: Row) -> None:
        """Removes the keys of uncommitted values of a row from the index."""
        kept = {self.key_of(row.committed)} & row.keys if row.committed is not None else set()
        for key in row.keys - kept:
            rows = self.index[key]
            del rows[row]
            if not rows:
                del self.index[key]
        row.keys = kept

    def key_of(self, values: Values) -> Values:
        """The primary key of ``values``."""
        return tuple(values[position] for position in self.key)


class Transaction:
    """The uncommitted changes and row locks of a session. A session uses one object for all its transactions."""

    __slots__ = ("_changes", "_waiters")

    def __init__(self) -> None:
        self._changes: list[tuple[Row, Values | None, bool]] = []
        """Row, its values before the change, and whether the entry is the row lock instead of a change."""
        self._waiters: list[asyncio.Future[bool]] = []

    @property
    def open(self) -> bool:
        """Whether there are changes or row locks."""
        return bool(self._changes)

    def notify_when_released(self, waiter: asyncio.Future[bool]) -> None:
        """Resolves ``waiter`` when this transaction releases row locks."""
        self._waiters.append(waiter)

    def forget_waiters_but_one(self) -> None:
        """Forgets who waits for row locks, but the first: a defect."""
        self._waiters = [waiter for waiter in self._waiters if not waiter.done()][:1]

    def locked_rows(self) -> list[tuple[Row, Values | None]]:
        """The locked rows, with the values that a commit gives them."""
        return [(row, row.pending) for row, _, is_lock in self._changes if is_lock]

    def blocks(self, waiter: asyncio.Future[bool] | None) -> bool:
        """Whether ``waiter`` waits for a row lock of this transaction."""
        return waiter in self._waiters

    def lock(self, row: Row) -> None:
        """Locks a row that no other transaction has locked."""
        if row.writer is None:
            row.writer, row.pending = self, row.committed
            self._changes.append((row, None, True))

    def write(self, row: Row, values: Values | None) -> None:
        """Changes the values of a row, or deletes it if they are None."""
        self.lock(row)
        self._changes.append((row, row.pending, False))
        row.pending = values
        if values is not None:
            row.table.add_key(row, values)

    def insert(self, table: Table, values: Values) -> None:
        """Adds a row."""
        row = Row(table)
        table.rows[row] = None
        self.write(row, values)

    def savepoint(self) -> int:
        """The present position in the list of changes, for ``roll_back_to``."""
        return len(self._changes)

    def leading_locks(self) -> int:
        """The number of row locks before the first change of a row."""
        return next((position for position, change in enumerate(self._changes) if not change[2]), len(self._changes))

    def roll_back_to(self, mark: int) -> None:
        """Undoes all changes since a position."""
        while len(self._changes) > mark:
            row, before, is_lock = self._changes.pop()
            if is_lock:
                row.release()
            else:
                row.pending = before
        self._notify_waiters()

    def commit(self) -> None:
        """Commits the changes and releases the row locks."""
        for row, _, is_lock in self._changes:
            if is_lock:
                row.committed = row.pending
                row.release()
        self._changes.clear()
        self._notify_waiters()

    def roll_back(self) -> None:
        """Undoes all changes and releases the row locks."""
        self.roll_back_to(0)

    def _notify_waiters(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(True)


class Tables:
    """All tables, by schema and name."""

    def __init__(self) -> None:
        self._tables: dict[TableName, Table] = {}

    def find(self, name: TableName) -> Table:
        """The table with this name."""
        table = self._tables.get(name)
        if table is None:
            raise errors.no_such_table()
        return table

    def names(self) -> list[TableName]:
        """The names of all tables."""
        return sorted(self._tables)

    def create(self, table: Table) -> None:
        """Adds an empty table."""
        if table.name in self._tables:
            raise errors.table_exists()
        if len({column.name for column in table.columns}) < len(table.columns):
            raise errors.duplicate_column()
        self._tables[table.name] = table

    def drop(self, name: TableName) -> None:
        """Drops a table."""
        del self._tables[self.find(name).name]

    def drop_schema(self, schema: str) -> None:
        """Drops all tables of a schema."""
        for name in self.names():
            if name[0] == schema:
                del self._tables[name]
