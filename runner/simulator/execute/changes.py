"""Tables: creating and dropping them, changing and locking their rows."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from runner.simulator import errors
from runner.simulator.execute.evaluate import Scope, evaluate, holds
from runner.simulator.execute.names import full_name, table_named
from runner.simulator.execute.results import Done, Result
from runner.simulator.sql.statements import RowLock
from runner.simulator.tables import Table

if TYPE_CHECKING:
    from runner.simulator.execute.instance import Instance
    from runner.simulator.sessions import Session
    from runner.simulator.sql.expressions import Condition
    from runner.simulator.sql.statements import CreateTable, Delete, DropTable, Insert, Update
    from runner.simulator.tables import Row, Values


async def create_table(instance: Instance, session: Session, statement: CreateTable) -> Result:
    """Creates an empty table, in one's own schema or in another's."""
    name = full_name(session, statement.table)
    own = name[0] == session.user.name
    if not (own and instance.privileges.holds(session, "CREATE TABLE")):
        instance.privileges.demand(session, "CREATE ANY TABLE")
    if name[0] not in instance.accounts.users:
        raise errors.no_such_schema()
    table = Table(name, statement.columns)
    table.key = tuple(table.place(column) for column in statement.key)
    instance.tables.create(table)
    return Done()


async def drop_table(instance: Instance, session: Session, statement: DropTable) -> Result:
    """Drops a table, whoever still uses its rows."""
    table = table_named(instance, session, statement.table)
    if table.name[0] != session.user.name and not instance.privileges.holds(session, "DROP ANY TABLE"):
        instance.privileges.demand_on(session, table.name, "DROP")
    instance.tables.drop(table.name)
    instance.accounts.forget_table(table.name)
    return Done()


async def insert(instance: Instance, session: Session, statement: Insert) -> Result:
    """Adds rows; all of them, or none."""
    table = table_named(instance, session, statement.table)
    instance.privileges.demand_on(session, table.name, "INSERT")
    places = [table.place(column) for column in statement.columns] or list(range(len(table.columns)))
    scope = Scope(session, {})
    for row in statement.rows:
        if len(row) != len(places):
            raise errors.too_few_values() if len(row) < len(places) else errors.too_many_values()
        given = dict(zip(places, (evaluate(value, scope) for value in row), strict=True))
        values = tuple(column.stored(given.get(place)) for place, column in enumerate(table.columns))
        await _free_key(instance, session, table, values)
        session.transaction.insert(table, values)
    return Done(len(statement.rows))


async def update(instance: Instance, session: Session, statement: Update) -> Result:
    """Changes rows; all of them, or none."""
    table = table_named(instance, session, statement.table)
    instance.privileges.demand_on(session, table.name, "UPDATE")
    targets = {table.place(column): value for column, value in statement.changes}
    places = _places(table)
    rows = await locked_rows(instance, session, table, statement.where, RowLock())
    for row, before in rows:
        scope = Scope(session, places, before)
        values = tuple(
            column.stored(evaluate(targets[place], scope)) if place in targets else before[place]
            for place, column in enumerate(table.columns)
        )
        if table.key_of(values) != table.key_of(before):
            await _free_key(instance, session, table, values, row)
        session.transaction.write(row, values)
    return Done(len(rows))


async def delete(instance: Instance, session: Session, statement: Delete) -> Result:
    """Deletes rows."""
    table = table_named(instance, session, statement.table)
    instance.privileges.demand_on(session, table.name, "DELETE")
    rows = await locked_rows(instance, session, table, statement.where, RowLock())
    for row, _ in rows:
        session.transaction.write(row, None)
    return Done(len(rows))


async def locked_rows(
    instance: Instance, session: Session, table: Table, where: tuple[Condition, ...], lock: RowLock
) -> list[tuple[Row, Values]]:
    """Locks the rows that meet the conditions, waiting for those that others hold.

    While the statement waits the rows may become others: after a wait it looks at all of them again.
    """
    places = _places(table)
    holds(where, Scope(session, places))  # an unknown name is an error in an empty table too
    patience = _Patience(instance, session, lock)
    while True:
        found = [
            (row, values)
            for row, values in table.visible(session.transaction)
            if holds(where, Scope(session, places, values))
        ]
        busy = [row for row, _ in found if row.writer not in (None, session.transaction)]
        for row, _ in found:
            session.transaction.take(row)
        if not busy:
            return found
        await patience.wait_for(busy[0])


async def _free_key(instance: Instance, session: Session, table: Table, values: Values, own: Row | None = None) -> None:
    """Waits for other transactions that may or may not keep a row with this key; refuses a key that is taken."""
    patience = _Patience(instance, session, RowLock())
    while True:
        busy: Row | None = None
        for rival in table.rivals(values, own):
            if rival.writer not in (None, session.transaction):
                busy = rival
                continue
            seen = rival.seen_by(session.transaction)
            if seen is not None and table.key_of(seen) == table.key_of(values):
                raise errors.unique_violated()
        if busy is None:
            return
        await patience.wait_for(busy)


class _Patience:
    """How long one statement waits for locks, all its waits together."""

    def __init__(self, instance: Instance, session: Session, lock: RowLock) -> None:
        limit = instance.settings.lock_wait_seconds
        self._session = session
        self._lock = lock
        self._until = time.monotonic() + (limit if lock.seconds is None else lock.seconds)

    async def wait_for(self, row: Row) -> None:
        """Waits until the transaction that holds a row lets go of it, or fails."""
        holder = row.writer
        left = self._until - time.monotonic()
        if holder is not None and (left <= 0 or not await self._session.wait(left, holder.notify)):
            raise self._error()

    def _error(self) -> errors.SqlError:
        if self._lock.seconds is None:
            return errors.lock_wait_expired()
        return errors.wait_expired() if self._lock.seconds else errors.row_busy()


def _places(table: Table) -> dict[str, int]:
    return {column.name: place for place, column in enumerate(table.columns)}
