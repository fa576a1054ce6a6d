"""Defects of sessions that wait for row locks, or have waited: their locks, changes and place in the queue."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from itertools import takewhile
from typing import ClassVar

from runner.simulator import errors
from runner.simulator.catalogue import breaks
from runner.simulator.components import Components
from runner.simulator.connection import Connection
from runner.simulator.defects.senders import WithoutLocks, in_a_transaction
from runner.simulator.defects.state_of_the_named_session import Spares
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.evaluate import Scope, evaluate, holds
from runner.simulator.execute.kill import KillSessionStatement
from runner.simulator.execute.results import Result
from runner.simulator.execute.table_changes import find_table
from runner.simulator.sessions import Session, SessionEnding
from runner.simulator.sql import statements as sql
from runner.simulator.sql.statements import KillSession
from runner.simulator.tables import Row, Transaction
from runner.simulator.timers import call_when

_LONG_WAIT_SECONDS = 3.0
_SAME_MOMENT_SECONDS = 0.1


def lock_permanently(rows: Iterable[Row]) -> None:
    """Locks rows for a transaction that never ends."""
    lost = Transaction()
    for row in rows:
        if row.committed is not None:
            lost.lock(row)


def rows_locked_by(session: Session) -> list[Row]:
    """The rows that a session has locked."""
    return [row for row, _ in session.transaction.locked_rows()]


def _commits_each_change(session: Session) -> bool:
    return session.autocommit and not session.explicit_transaction


@breaks("IMP-5")
class LeavesTheLocksOfTheWaitingStatement(SessionEnding):
    """Rows that a killed UPDATE with autocommit has locked before it waited for another row stay locked."""

    def roll_back(self, victim: Session) -> None:
        rows = rows_locked_by(victim) if victim.waits_for_lock and _commits_each_change(victim) else []
        super().roll_back(victim)
        lock_permanently(rows)


@breaks("IMP-5")
class ChangesTheFirstRowsOfAWaitingUpdate(Engine):
    """An UPDATE with autocommit that is killed while it waits for one row has changed the rows before that row."""

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        try:
            return await super().run(session, statement, depth)
        except errors.SessionEndedError:
            if isinstance(statement, sql.Update) and _commits_each_change(session):
                self._change_the_first_rows(session, statement)
            raise

    def _change_the_first_rows(self, session: Session, statement: sql.Update) -> None:
        table = find_table(self.instance, session, statement.table)
        positions = {column.name: position for position, column in enumerate(table.columns)}
        for row in takewhile(lambda row: row.writer is None, tuple(table.rows)):
            scope = Scope(session, positions, row.committed or ())
            if holds(statement.where, scope):
                values = list(scope.row)
                for column, value in statement.changes:
                    values[table.position(column)] = evaluate(value, scope)
                row.committed = tuple(values)


class _KeepsThePlace(SessionEnding):
    """Leaves certain killed sessions in the queue for a row lock, which is given to them for good."""

    def keeps_its_place(self, victim: Session) -> bool:
        raise NotImplementedError

    def kill(self, victim: Session) -> None:
        if victim.waits_for_lock and self.keeps_its_place(victim):
            for holder in self.registry:
                if holder.transaction.blocks(victim.waiting):
                    self.give_its_rows_away(holder)
        super().kill(victim)

    def give_its_rows_away(self, holder: Session) -> None:
        rows = rows_locked_by(holder)
        place: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        holder.transaction.notify_when_released(place)
        place.add_done_callback(lambda _: lock_permanently(rows))


@breaks("IMP-5")
class KilledSelectsGetTheLockLater(_KeepsThePlace):
    """The lock for which the SELECT … FOR UPDATE of a killed session waited is given to it when it is released."""

    def keeps_its_place(self, victim: Session) -> bool:
        return "FOR UPDATE" in (victim.statement or "").upper()


@breaks("IMP-5")
class KilledTransactionsGetTheLockLater(_KeepsThePlace):
    """The lock for which a killed session waited in a transaction is given to it when it is released."""

    def keeps_its_place(self, victim: Session) -> bool:
        return in_a_transaction(victim)


class _NotesLockWaits(Engine):
    """Notes the sessions whose change had to wait for a row lock: only then does a change take several steps."""

    waited: ClassVar[set[Session]] = set()

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        next_step = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(next_step.set_result, None)
        result = await super().run(session, statement, depth)
        if isinstance(statement, sql.Update | sql.Delete | sql.Insert) and next_step.done():
            self.waited.add(session)
        return result


class _LeavesLocksAfterWaits(SessionEnding):
    def roll_back(self, victim: Session) -> None:
        rows = rows_locked_by(victim) if victim in _NotesLockWaits.waited else []
        super().roll_back(victim)
        lock_permanently(rows)


@breaks("IMP-5")
def leaves_locks_that_were_waited_for(components: Components) -> Components:
    """The row locks of a killed session that had to wait for one of them are not released."""
    return components.with_overrides(_NotesLockWaits, _LeavesLocksAfterWaits)


class _SparesAfterWaits(Spares):
    def is_spared(self, victim: Session) -> bool:
        return victim in _NotesLockWaits.waited and not victim.waits_for_lock


@breaks("PUR-1")
def spares_sessions_that_waited(components: Components) -> Components:
    """Sessions that have waited for a row lock and got it are not killed."""
    return components.with_overrides(_NotesLockWaits, _SparesAfterWaits)


@breaks("PUR-1")
class SparesSessionsThatWaitForLong(Spares):
    """Sessions that have waited for a row lock for three seconds are not killed."""

    def is_spared(self, victim: Session) -> bool:
        return victim.waits_for_lock and time.monotonic() - victim.since > _LONG_WAIT_SECONDS


@breaks("IMP-10")
class FreesUnchangedRowsOfTheUser(SessionEnding):
    """Row locks (FOR UPDATE) in the user's other sessions are released if these have changed no row."""

    def kill(self, victim: Session) -> None:
        super().kill(victim)
        for other in self.registry:
            unchanged = other.transaction.leading_locks() == other.transaction.savepoint()
            if other.user is victim.user and other.statement is None and unchanged:
                other.transaction.roll_back()


class _NotesGrants(_NotesLockWaits):
    """Notes the rows that a session has got after a wait, and the time."""

    granted: ClassVar[dict[Session, tuple[float, list[Row]]]] = {}

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        result = await super().run(session, statement, depth)
        if session in self.waited and isinstance(statement, sql.Update):
            self.granted[session] = (time.monotonic(), rows_locked_by(session))
        return result


class _LeavesNewGrants(SessionEnding):
    def roll_back(self, victim: Session) -> None:
        super().roll_back(victim)
        at, rows = _NotesGrants.granted.get(victim, (0.0, []))
        if time.monotonic() - at < _SAME_MOMENT_SECONDS:
            lock_permanently(rows)


@breaks("IMP-5")
def leaves_locks_granted_at_the_kill(components: Components) -> Components:
    """A row lock that a session gets after a wait stays if the session is killed within the next 100 ms."""
    return components.with_overrides(_NotesGrants, _LeavesNewGrants)


class _FreesWaiters(SessionEnding):
    freed: ClassVar[set[Session]] = set()

    def roll_back(self, victim: Session) -> None:
        self.freed.update(other for other in self.registry if victim.transaction.blocks(other.waiting))
        super().roll_back(victim)


class _LetsWaitersGoOnWithoutLocks(Engine):
    async def execute(self, session: Session, text: str) -> Result:
        result = await super().execute(session, text)
        if session in _FreesWaiters.freed:
            _FreesWaiters.freed.discard(session)
            if kept := session.transaction.locked_rows():
                session.transaction.roll_back()
                session.transaction = WithoutLocks(kept)
        return result


@breaks("IMP-10")
def waiters_go_on_without_the_lock(components: Components) -> Components:
    """A session that waited for a row lock of the killed session changes the row without holding the lock."""
    return components.with_overrides(_FreesWaiters, _LetsWaitersGoOnWithoutLocks)


@breaks("PUR-1")
class SparesPreparedLockWaiters(Spares):
    """Sessions whose prepared statement waits for a row lock are not killed."""

    def is_spared(self, victim: Session) -> bool:
        return victim.prepared and victim.waits_for_lock


@breaks("PUR-1")
class SparesBoundedLockWaiters(Spares):
    """Sessions whose SELECT … FOR UPDATE WAIT n waits for a row lock are not killed."""

    def is_spared(self, victim: Session) -> bool:
        return victim.waits_for_lock and "FOR UPDATE WAIT" in (victim.statement or "").upper()


@breaks("PUR-3")
class OthersLockWaitersSurvive(KillSessionStatement):
    """If a holder names another user's session that waits for a row lock, the statement replies OK without effect."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        foreign = victim.user is not session.user and not session.user.administrator
        if not (foreign and victim.waits_for_lock):
            await super().end(session, victim, statement)


class _NotesKills(SessionEnding):
    pending: ClassVar[bool] = False

    def kill(self, victim: Session) -> None:
        super().kill(victim)
        _NotesKills.pending = True


class _InterruptsFirstWait(Connection):
    async def _log_in(self) -> Session:
        session = await super()._log_in()
        if _NotesKills.pending:
            _NotesKills.pending = False
            call_when(lambda: session.waits_for_lock, session.interrupt, errors.query_killed())
        return session


@breaks("IMP-7")
def interrupts_the_first_wait_of_the_next_login(components: Components) -> Components:
    """The first statement that waits for a row lock in the next session that logs in after a kill is interrupted."""
    return components.with_overrides(_NotesKills, _InterruptsFirstWait)


@breaks("IMP-10")
class InterruptsTheUsersLockWaits(SessionEnding):
    """Row lock waits in other sessions of the killed session's user are interrupted; those sessions stay usable."""

    def kill(self, victim: Session) -> None:
        super().kill(victim)
        for other in self.registry:
            if other.user is victim.user and other.waits_for_lock:
                other.interrupt(errors.query_killed())


class _DoesNothingAfterAWait(KillSessionStatement):
    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if session not in _NotesLockWaits.waited:
            await super().end(session, victim, statement)


@breaks("PUR-1")
def senders_that_waited_do_nothing(components: Components) -> Components:
    """If its session has waited for a row lock before, the statement replies OK and does nothing."""
    return components.with_overrides(_NotesLockWaits, _DoesNothingAfterAWait)
