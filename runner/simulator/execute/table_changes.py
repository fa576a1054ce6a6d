"""CREATE TABLE, DROP TABLE, INSERT, UPDATE, DELETE: the table that a name means, changes, row locks."""

from __future__ import annotations

import time

from runner.simulator import errors
from runner.simulator.execute.evaluate import Scope, evaluate, holds
from runner.simulator.execute.results import Done, Result
from runner.simulator.execute.server_instance import Instance
from runner.simulator.sessions import Session
from runner.simulator.sql.expressions import Condition
from runner.simulator.sql.statements import CreateTable, Delete, DropTable, Insert, Name, RowLock, Update
from runner.simulator.tables import Row, Table, Values
from runner.simulator.users_and_roles import TableName


def full_name(session: Session, name: Name) -> TableName:
    """A name with its schema: by default the session's."""
    schema, table = name
    return (schema or session.schema, table)


def find_table(instance: Instance, session: Session, name: Name) -> Table:
    """The table that a statement names."""
    return instance.tables.find(full_name(session, name))


async def create_table(instance: Instance, session: Session, statement: CreateTable) -> Result:
    """CREATE TABLE, in the user's schema or in another one."""
    name = full_name(session, statement.table)
    own = name[0] == session.user.name
    if not (own and instance.privileges.holds(session, "CREATE TABLE")):
        instance.privileges.require(session, "CREATE ANY TABLE")
    if name[0] not in instance.accounts.users:
        raise errors.no_such_schema()
    table = Table(name, statement.columns)
    table.key = tuple(table.position(column) for column in statement.key)
    instance.tables.create(table)
    return Done()


async def drop_table(instance: Instance, session: Session, statement: DropTable) -> Result:
    """DROP TABLE, also while other sessions use its rows."""
    table = find_table(instance, session, statement.table)
    if table.name[0] != session.user.name and not instance.privileges.holds(session, "DROP ANY TABLE"):
        instance.privileges.require_on(session, table.name, "DROP")
    instance.tables.drop(table.name)
    instance.accounts.revoke_all_on(table.name)
    return Done()


async def insert(instance: Instance, session: Session, statement: Insert) -> Result:
    """INSERT of all rows or none."""
    table = find_table(instance, session, statement.table)
    instance.privileges.require_on(session, table.name, "INSERT")
    positions = [table.position(column) for column in statement.columns] or list(range(len(table.columns)))
    scope = Scope(session, {})
    for row in statement.rows:
        if len(row) != len(positions):
            raise errors.too_few_values() if len(row) < len(positions) else errors.too_many_values()
        given = dict(zip(positions, (evaluate(value, scope) for value in row), strict=True))
        values = tuple(column.stored(given.get(position)) for position, column in enumerate(table.columns))
        await _wait_for_key(instance, session, table, values)
        session.transaction.insert(table, values)
    return Done(len(statement.rows))


async def update(instance: Instance, session: Session, statement: Update) -> Result:
    """UPDATE of all rows or none."""
    table = find_table(instance, session, statement.table)
    instance.privileges.require_on(session, table.name, "UPDATE")
    targets = {table.position(column): value for column, value in statement.changes}
    positions = _positions(table)
    rows = await locked_rows(instance, session, table, statement.where, RowLock())
    for row, before in rows:
        scope = Scope(session, positions, before)
        values = tuple(
            column.stored(evaluate(targets[position], scope)) if position in targets else before[position]
            for position, column in enumerate(table.columns)
        )
        if table.key_of(values) != table.key_of(before):
            await _wait_for_key(instance, session, table, values, row)
        session.transaction.write(row, values)
    return Done(len(rows))


async def delete(instance: Instance, session: Session, statement: Delete) -> Result:
    """DELETE."""
    table = find_table(instance, session, statement.table)
    instance.privileges.require_on(session, table.name, "DELETE")
    rows = await locked_rows(instance, session, table, statement.where, RowLock())
    for row, _ in rows:
        session.transaction.write(row, None)
    return Done(len(rows))


async def locked_rows(
    instance: Instance, session: Session, table: Table, where: tuple[Condition, ...], lock: RowLock
) -> list[tuple[Row, Values]]:
    """Locks the rows for which the conditions are true; waits for row locks of other transactions.

    After each wait all rows are read again, since they may have changed.
    """
    positions = _positions(table)
    holds(where, Scope(session, positions))  # an unknown name is an error, even if the table is empty
    lock_wait = _LockWait(instance, session, lock)
    while True:
        found = [
            (row, values)
            for row, values in table.visible(session.transaction)
            if holds(where, Scope(session, positions, values))
        ]
        busy = [row for row, _ in found if row.writer not in (None, session.transaction)]
        for row, _ in found:
            session.transaction.lock(row)
        if not busy:
            return found
        await lock_wait.wait_for(busy[0])


async def _wait_for_key(
    instance: Instance, session: Session, table: Table, values: Values, own: Row | None = None
) -> None:
    """Waits for other transactions with uncommitted rows of this primary key; raises an error if the key exists."""
    lock_wait = _LockWait(instance, session, RowLock())
    while True:
        busy: Row | None = None
        for rival in table.rows_with_key(values, own):
            if rival.writer not in (None, session.transaction):
                busy = rival
                continue
            seen = rival.visible_to(session.transaction)
            if seen is not None and table.key_of(seen) == table.key_of(values):
                raise errors.unique_violated()
        if busy is None:
            return
        await lock_wait.wait_for(busy)


class _LockWait:
    """The time limit for all lock waits of one statement."""

    def __init__(self, instance: Instance, session: Session, lock: RowLock) -> None:
        limit = instance.settings.lock_wait_seconds
        self._session = session
        self._lock = lock
        self._until = time.monotonic() + (limit if lock.seconds is None else lock.seconds)

    async def wait_for(self, row: Row) -> None:
        """Waits until the row lock is released; raises an error after the time limit."""
        holder = row.writer
        left = self._until - time.monotonic()
        if holder is not None and (left <= 0 or not await self._session.wait(left, holder.notify_when_released)):
            raise self._error()

    def _error(self) -> errors.SqlError:
        if self._lock.seconds is None:
            return errors.lock_wait_expired()
        return errors.wait_expired() if self._lock.seconds else errors.row_busy()


def _positions(table: Table) -> dict[str, int]:
    return {column.name: position for position, column in enumerate(table.columns)}
