"""A server with optimistic transactions, on which no statement waits for a row lock."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

from dataclasses import replace

from runner.simulator import errors
from runner.simulator.catalogue import environment
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.results import Done, Result
from runner.simulator.execute.server_instance import Instance
from runner.simulator.execute.transactions import commit_now
from runner.simulator.sessions import Session
from runner.simulator.sql import statements as sql

_NO_WAIT = 0.001

_BUSY = {errors.row_busy().text, errors.wait_expired().text, errors.lock_wait_expired().text}


@environment
class OptimisticTransactions(Engine):
    """No statement waits for a row lock; a commit fails if another transaction has changed the same rows before."""

    def __init__(self, instance: Instance) -> None:
        super().__init__(replace(instance, settings=replace(instance.settings, lock_wait_seconds=_NO_WAIT)))
        self._conflicting: set[Session] = set()

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        if isinstance(statement, sql.Commit | sql.Rollback | sql.StartTransaction) and session in self._conflicting:
            self._conflicting.remove(session)
            session.transaction.roll_back()
            commit_now(session)
            if isinstance(statement, sql.Commit):
                raise errors.write_conflict()
        try:
            return await super().run(session, statement, depth)
        except errors.SqlError as error:
            if error.text not in _BUSY:
                raise
            if session.autocommit and not session.explicit_transaction:
                self._overtake(session, getattr(statement, "table", None))
                return await super().run(session, statement, depth)
        self._conflicting.add(session)  # its commit will fail
        if isinstance(statement, sql.Select):
            return await super().run(session, replace(statement, lock=None), depth)
        return Done(1)

    def _overtake(self, session: Session, table: sql.Name | None) -> None:
        """Makes all other open transactions with changes of a table fail: the first commit wins."""
        for other in self.instance.registry:
            locked = {row.table.name[-1] for row, _ in other.transaction.locked_rows()}
            if other is not session and table is not None and table[-1] in locked:
                other.transaction.roll_back()
                self._conflicting.add(other)
