"""Tables with transactions: committed rows for everyone, changed rows for their writer, row locks until the end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runner.simulator import errors
from runner.simulator.values import Value, as_number, as_text

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator

    from runner.simulator.accounts import TableName

Values = tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class TableColumn:
    """One column of a table; `size` is the most characters it holds."""

    name: str
    numeric: bool
    size: int | None = None
    nullable: bool = True

    def stored(self, value: Value) -> Value:
        """A value as the column keeps it."""
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
    """One row: what everyone sees, and what the transaction that holds it will make of it."""

    table: Table
    committed: Values | None = None
    pending: Values | None = None
    writer: Transaction | None = None
    keys: set[Values] = field(default_factory=set)

    def seen_by(self, transaction: Transaction) -> Values | None:
        """The row as a transaction reads it."""
        return self.pending if self.writer is transaction else self.committed

    def settle(self) -> None:
        """Lets go of the row; one that holds nothing leaves its table."""
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

    def place(self, column: str) -> int:
        """Where a column stands."""
        for place, candidate in enumerate(self.columns):
            if candidate.name == column:
                return place
        raise errors.invalid_identifier(column)

    def visible(self, transaction: Transaction) -> Iterator[tuple[Row, Values]]:
        """The rows that a transaction sees."""
        for row in tuple(self.rows):
            values = row.seen_by(transaction)
            if values is not None:
                yield row, values

    def rivals(self, values: Values, own: Row | None = None) -> Iterator[Row]:
        """The rows that have, or may come to have, the primary key of `values`."""
        wanted = self.key_of(values)
        for row in tuple(self.index.get(wanted, ())):
            versions = (row.committed, row.pending)
            if row is not own and any(version is not None and self.key_of(version) == wanted for version in versions):
                yield row

    def enter(self, row: Row, values: Values) -> None:
        """Makes a row findable by the primary key that it has, or may come to have."""
        if self.key:
            key = self.key_of(values)
            row.keys.add(key)
            self.index.setdefault(key, {})[row] = None

    def reindex(self, row: Row) -> None:
        """Forgets the keys that a row did not come to have."""
        kept = {self.key_of(row.committed)} & row.keys if row.committed is not None else set()
        for key in row.keys - kept:
            rows = self.index[key]
            del rows[row]
            if not rows:
                del self.index[key]
        row.keys = kept

    def key_of(self, values: Values) -> Values:
        """The primary key in `values`."""
        return tuple(values[place] for place in self.key)


class Transaction:
    """What a session has changed and not yet committed. One object serves a session for all its transactions."""

    __slots__ = ("_changes", "_waiters")

    def __init__(self) -> None:
        self._changes: list[tuple[Row, Values | None, bool]] = []
        self._waiters: list[asyncio.Future[bool]] = []

    @property
    def open(self) -> bool:
        """Whether there is anything to commit or undo."""
        return bool(self._changes)

    def notify(self, waiter: asyncio.Future[bool]) -> None:
        """Resolves `waiter` once rows that this transaction holds may be free."""
        self._waiters.append(waiter)

    def held(self) -> list[tuple[Row, Values | None]]:
        """The rows that it has locked, and what they will be."""
        return [(row, row.pending) for row, _, taken in self._changes if taken]

    def holds_up(self, waiter: asyncio.Future[bool] | None) -> bool:
        """Whether `waiter` waits for rows that this transaction holds."""
        return waiter in self._waiters

    def take(self, row: Row) -> None:
        """Locks a row that no other transaction holds."""
        if row.writer is None:
            row.writer, row.pending = self, row.committed
            self._changes.append((row, None, True))

    def write(self, row: Row, values: Values | None) -> None:
        """Gives a row new values, or with None deletes it."""
        self.take(row)
        self._changes.append((row, row.pending, False))
        row.pending = values
        if values is not None:
            row.table.enter(row, values)

    def insert(self, table: Table, values: Values) -> None:
        """Adds a row."""
        row = Row(table)
        table.rows[row] = None
        self.write(row, values)

    def mark(self) -> int:
        """A point to return to."""
        return len(self._changes)

    def taken(self) -> int:
        """How many of the changes are no more than a lock, up to the first that is more."""
        return next((place for place, change in enumerate(self._changes) if not change[2]), len(self._changes))

    def return_to(self, mark: int) -> None:
        """Undoes everything since a mark."""
        while len(self._changes) > mark:
            row, before, taken = self._changes.pop()
            if taken:
                row.settle()
            else:
                row.pending = before
        self._wake()

    def commit(self) -> None:
        """Shows the changes to everyone and lets go of the rows."""
        for row, _, taken in self._changes:
            if taken:
                row.committed = row.pending
                row.settle()
        self._changes.clear()
        self._wake()

    def roll_back(self) -> None:
        """Undoes everything and lets go of the rows."""
        self.return_to(0)

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(True)


class Tables:
    """Every table, by schema and name."""

    def __init__(self) -> None:
        self._tables: dict[TableName, Table] = {}

    def find(self, name: TableName) -> Table:
        """The table of this name."""
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
        """Takes a table away with all its rows."""
        del self._tables[self.find(name).name]

    def drop_schema(self, schema: str) -> None:
        """Takes all tables of a schema away."""
        for name in self.names():
            if name[0] == schema:
                del self._tables[name]
