"""Defects of transactions, row locks and waits: of the killed session, of others, of the sender."""

# ruff: noqa: D102, SLF001 - overrides of steps, which are documented in the base class

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import ClassVar

from runner.simulator import errors
from runner.simulator.catalogue import breaks
from runner.simulator.components import Components
from runner.simulator.connection import Connection
from runner.simulator.defects.histories_of_sessions import LONG_IDLE_SECONDS, NotesResets
from runner.simulator.defects.senders import AfterKill, free_the_rows_of
from runner.simulator.defects.waits_for_row_locks import lock_permanently, rows_locked_by
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.kill import KillSessionStatement
from runner.simulator.execute.results import Result
from runner.simulator.sessions import Session, SessionEnding, SessionRegistry
from runner.simulator.sql import statements as sql
from runner.simulator.sql.statements import KillSession
from runner.simulator.tables import Row, Transaction
from runner.simulator.timers import call_later, call_when
from runner.simulator.users_and_roles import User

POOLED_SECONDS = 1.0
MANY_CHANGES = 4
FIRST_ROWS = 32


def is_running(session: Session) -> bool:
    """Whether a session executes a statement that doesn't wait for a row lock."""
    return session.waiting is not None and not session.waits_for_lock


def _blocked_by(registry: SessionRegistry, victim: Session) -> list[Session]:
    return [other for other in registry if other.waiting is not None and victim.transaction.blocks(other.waiting)]


@breaks("PAR-4")
class ImmediateLeavesTheTransactionOfTheRunning(KillSessionStatement):
    """With IMMEDIATE, the transaction of a session with a running statement stays open permanently."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if statement.immediate and victim.waiting is not None:
            self.ending.mark_as_ended(victim)
            self.ending.remove_row(victim)
            self.ending.disconnect(victim)
        else:
            await super().end(session, victim, statement)


@breaks("IMP-5")
class CommitsTheChangesOfTheRunning(SessionEnding):
    """The open transaction of a session that is killed while it executes a statement is committed."""

    def roll_back(self, victim: Session) -> None:
        if is_running(victim):
            victim.transaction.commit()
        else:
            super().roll_back(victim)


@breaks("IMP-5")
class CommitsSavepointsOfTheRunning(SessionEnding):
    """The open transaction of a session that is killed during a statement is committed if it has a savepoint."""

    def roll_back(self, victim: Session) -> None:
        if is_running(victim) and victim.savepoints:
            victim.transaction.commit()
        else:
            super().roll_back(victim)


@breaks("IMP-5")
class CommitsEarlierChangesOfWaiters(SessionEnding):
    """The earlier changes of a session that is killed while it waits for a row lock are committed."""

    def roll_back(self, victim: Session) -> None:
        if victim.waits_for_lock:
            victim.transaction.commit()
        else:
            super().roll_back(victim)


@breaks("IMP-5")
class KeepsRowsThatWereInsertedAndChanged(SessionEnding):
    """Rows that the killed session's transaction has inserted and then changed stay."""

    def roll_back(self, victim: Session) -> None:
        writes = Counter(row for row, _, is_lock in victim.transaction._changes if not is_lock)
        kept = [
            (row, row.pending)
            for row, count in writes.items()
            if count > 1 and row.committed is None and row.pending is not None
        ]
        super().roll_back(victim)
        for row, values in kept:
            row.committed = values
            row.table.rows[row] = None
            row.table.add_key(row, values)


@breaks("IMP-5")
class LosesRowsThatWereReplaced(SessionEnding):
    """A row whose key the killed session's transaction has deleted and inserted again is lost."""

    def roll_back(self, victim: Session) -> None:
        rows = dict.fromkeys(row for row, _, is_lock in victim.transaction._changes if is_lock)
        inserted = [row.pending for row in rows if row.committed is None and row.pending is not None]
        lost = [
            row
            for row in rows
            if row.committed is not None
            and row.pending is None
            and any(row.table.key_of(values) == row.table.key_of(row.committed) for values in inserted)
        ]
        super().roll_back(victim)
        for row in lost:
            row.committed = None
            row.table.rows.pop(row, None)
            row.table.reindex(row)


class _NotesBlocks(Engine):
    changed: ClassVar[set[Session]] = set()

    async def _run_block(self, session: Session, block: sql.Block, depth: int) -> Result:
        before = session.transaction.savepoint()
        result = await super()._run_block(session, block, depth)
        if session.transaction.savepoint() > before:
            self.changed.add(session)
        return result

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        result = await super().run(session, statement, depth)
        if isinstance(statement, sql.Commit | sql.Rollback):
            self.changed.discard(session)
        return result


class _CommitsAfterBlocks(SessionEnding):
    def roll_back(self, victim: Session) -> None:
        if victim in _NotesBlocks.changed:
            victim.transaction.commit()
        else:
            super().roll_back(victim)


@breaks("IMP-5")
def commits_changes_made_in_blocks(components: Components) -> Components:
    """The killed session's open transaction is committed if a PL/SQL block has made changes in it."""
    return components.with_overrides(_NotesBlocks, _CommitsAfterBlocks)


@breaks("IMP-5")
class WaitingInsertsFailAsDuplicates(SessionEnding):
    """An INSERT that waits for an uncommitted key of the killed session gets a unique violation."""

    def roll_back(self, victim: Session) -> None:
        for other in _blocked_by(self.registry, victim):
            if (other.statement or "").upper().startswith("INSERT"):
                other.interrupt(errors.unique_violated())
        super().roll_back(victim)


class _ForgetsWaiters(SessionEnding):
    def forgets(self, victim: Session, other: Session) -> bool:
        raise NotImplementedError

    def roll_back(self, victim: Session) -> None:
        forgotten = {other.waiting for other in _blocked_by(self.registry, victim) if self.forgets(victim, other)}
        transaction = victim.transaction
        transaction._waiters = [waiter for waiter in transaction._waiters if waiter not in forgotten]
        super().roll_back(victim)


@breaks("IMP-5")
class ForgetsWaitingSelects(_ForgetsWaiters):
    """A SELECT … FOR UPDATE that waits for a row lock of the killed session is not woken."""

    def forgets(self, victim: Session, other: Session) -> bool:  # noqa: ARG002 - the statement of the other decides
        return "FOR UPDATE" in (other.statement or "").upper()


@breaks("IMP-5")
class ForgetsWhoWaitsForTheRunning(_ForgetsWaiters):
    """A session that waits for a row lock of one that is killed with a running statement is not woken."""

    def forgets(self, victim: Session, other: Session) -> bool:  # noqa: ARG002 - the state of the victim decides
        return is_running(victim)


@breaks("IMP-5")
class ForgetsSessionsThatWaitForAWaiter(_ForgetsWaiters):
    """A session that waits for a row lock of a killed session which waits itself is not woken."""

    def forgets(self, victim: Session, other: Session) -> bool:  # noqa: ARG002 - the state of the victim decides
        return victim.waits_for_lock


@breaks("IMP-5")
class WakesOneWaiterOfEachRow(_ForgetsWaiters):
    """Of several sessions that wait for the same row of the killed session, only the first is woken."""

    def forgets(self, victim: Session, other: Session) -> bool:
        row = _condition_of(other)
        queue = [each for each in _blocked_by(self.registry, victim) if _condition_of(each) == row]
        return other is not min(queue, key=lambda each: each.since)


def _condition_of(session: Session) -> str:
    return (session.statement or "").upper().rpartition("WHERE")[2]


@breaks("PUR-1")
class SparesTheSecondInAQueue(SessionEnding):
    """A session that waits for a row lock behind another one is not killed."""

    def kill(self, victim: Session) -> None:
        queues = [other.transaction._waiters for other in self.registry]
        if not any(victim.waiting in queue[1:] for queue in queues):
            super().kill(victim)


@breaks("IMP-5")
class LeavesUnchangedLocksOfTheBusy(SessionEnding):
    """Rows that a session has locked FOR UPDATE and not changed stay locked if it is killed during a statement."""

    def roll_back(self, victim: Session) -> None:
        busy = victim.waiting is not None
        rows = [row for row in rows_locked_by(victim) if busy and row.pending is row.committed]
        super().roll_back(victim)
        lock_permanently(rows)


@breaks("IMP-5")
class LeavesTransactionsThatWereIdleForLong(SessionEnding):
    """The transaction of a session that has been idle for three seconds stays open after the kill."""

    def roll_back(self, victim: Session) -> None:
        if victim.statement is not None or time.monotonic() - victim.since < LONG_IDLE_SECONDS:
            super().roll_back(victim)


class _NotesResetTransactions(SessionEnding):
    def roll_back(self, victim: Session) -> None:
        if victim not in NotesResets.reset:
            super().roll_back(victim)


@breaks("IMP-5")
def leaves_transactions_of_reset_sessions(components: Components) -> Components:
    """The transaction of a session that a connection pool has reset before it began stays open after the kill."""
    return components.with_overrides(NotesResets, _NotesResetTransactions)


@breaks("IMP-5")
class KilledWaitersGetAnOk(SessionEnding):
    """The client of an UPDATE that is killed while it waits for a row lock gets OK with one row; nothing is changed."""

    def disconnect(self, victim: Session) -> None:
        if victim.waits_for_lock and (victim.statement or "").upper().startswith("UPDATE"):
            victim.connection._send_ok(victim, 1)  # type: ignore[attr-defined]
            victim.connection.disconnect(None)
            victim.interrupt(errors.SessionEndedError())
        else:
            super().disconnect(victim)


@breaks("IMP-10")
class RollsBackEarlierChangesOfWaiters(SessionEnding):
    """A session that waits for a row lock of the killed one gets it, but its own earlier changes are undone."""

    def roll_back(self, victim: Session) -> None:
        for other in _blocked_by(self.registry, victim):
            other.transaction.roll_back()
        super().roll_back(victim)


class _FreesRowsOfOthers(KillSessionStatement):
    """Releases the row locks of other sessions, too; their changes are still committed later."""

    def frees(self, victim: Session, other: Session) -> bool:
        raise NotImplementedError

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        others = [
            other
            for other in self.registry
            if other not in (session, victim) and other.statement is None and self.frees(victim, other)
        ]
        await super().end(session, victim, statement)
        for other in others:
            free_the_rows_of(other)


@breaks("IMP-10")
class FreesTheTablesRows(_FreesRowsOfOthers):
    """The row locks of other sessions in a table in which the killed session held one are released as well."""

    def frees(self, victim: Session, other: Session) -> bool:
        tables = {row.table for row in rows_locked_by(victim)}
        return any(row.table in tables for row in rows_locked_by(other))


@breaks("IMP-10")
class FreesTheUsersRows(_FreesRowsOfOthers):
    """The row locks of other sessions of the killed session's user are released as well."""

    def frees(self, victim: Session, other: Session) -> bool:
        return other.user is victim.user


@breaks("IMP-10")
class AdministratorsKillInterruptsTheUsersStatements(KillSessionStatement):
    """A kill by the administrator interrupts running statements in other sessions of the killed session's user."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        if session.user.administrator:
            for other in self.registry:
                if other.user is victim.user:
                    other.interrupt(errors.query_killed())


def _when_it_waits(
    session: Session, until: Callable[[], bool], error: errors.SqlError, *, roll_back: bool = False
) -> None:
    def act() -> None:
        if session.waits_for_lock:
            if roll_back:
                session.transaction.roll_back()
            session.interrupt(error)

    call_when(lambda: session.waits_for_lock or session.ended or until(), act)


def _has_no_transaction(session: Session) -> bool:
    return not session.transaction.open


@breaks("IMP-10")
class KilledWaitersStayInTheWaitGraph(SessionEnding):
    """The holder of a lock for which a killed session waited becomes a deadlock victim when it waits itself."""

    def kill(self, victim: Session) -> None:
        holders = [
            other for other in self.registry if victim.waits_for_lock and other.transaction.blocks(victim.waiting)
        ]
        super().kill(victim)
        for holder in holders:
            error = errors.SqlError(60, "40001", "deadlock detected while waiting for resource")
            _when_it_waits(holder, partial(_has_no_transaction, holder), error, roll_back=True)


@breaks("IMP-10")
class InterruptsTheNextWaitOfTheUser(KillSessionStatement):
    """The next row lock wait of each other session of the killed session's user is interrupted."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        for other in self.registry:
            if other.user is victim.user and other is not session and other.statement is None:
                _when_it_waits(other, lambda: False, errors.query_killed())


@breaks("PUR-2")
class RefusalInterruptsTheNextWaitOfTheNamed(KillSessionStatement):
    """A statement that is refused for a missing privilege interrupts the next row lock wait of the named session."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        try:
            self.check_privilege(session)
        except errors.SqlError:
            named = self.registry.find(self.read_id(statement))
            if named is not None and named.statement is None:
                _when_it_waits(named, lambda: False, errors.query_killed())
            raise
        return await super().run(session, statement)


@breaks("IMP-11")
class InterruptsTheKillersNextWait(AfterKill):
    """After the statement, the next row lock wait of its own session is interrupted."""

    def effect(self, session: Session) -> None:
        _when_it_waits(session, lambda: False, errors.query_killed())


@breaks("IMP-11")
class FreesUnchangedRowsOfTheKiller(AfterKill):
    """The statement releases the locks of rows that its own session has locked (FOR UPDATE) but not changed."""

    def effect(self, session: Session) -> None:
        transaction = session.transaction
        rows = {row for row, _ in transaction.locked_rows() if row.pending is row.committed}
        transaction._changes = [change for change in transaction._changes if change[0] not in rows]
        for row in rows:
            row.release()
        transaction._notify_waiters()


@breaks("IMP-11")
class SecondKillInATransactionRollsBack(AfterKill):
    """The second statement in one transaction rolls this transaction back."""

    first: ClassVar[dict[Session, object]] = {}

    def effect(self, session: Session) -> None:
        changes = session.transaction._changes
        if changes and self.first.get(session) is changes[0]:
            session.transaction.roll_back()
        elif changes:
            self.first[session] = changes[0]


@breaks("IMP-5")
class CommitsBeyondTheThirtySecondRow(SessionEnding):
    """Of the killed session's changes, only those of the first 32 rows are rolled back; the others are committed."""

    def roll_back(self, victim: Session) -> None:
        rows = victim.transaction.locked_rows()
        super().roll_back(victim)
        for row, values in rows[32:]:
            row.committed = values


@breaks("IMP-5")
class CommitsForTheAdministrator(KillSessionStatement):
    """The changes of a session that the administrator kills are committed."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if session.user.administrator and victim is not session:
            victim.transaction.commit()
        await super().end(session, victim, statement)


@breaks("IMP-5")
class CommitsForAnotherUser(KillSessionStatement):
    """The changes of a session that a holder of another user kills are committed."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if victim.user is not session.user and not session.user.administrator:
            victim.transaction.commit()
        await super().end(session, victim, statement)


@breaks("IMP-5")
class UndoesFourChanges(SessionEnding):
    """Of the killed session's changes, the last four are rolled back; the others are committed."""

    def roll_back(self, victim: Session) -> None:
        changes = victim.transaction.savepoint()
        if changes > 2 * MANY_CHANGES:
            victim.transaction.roll_back_to(changes - MANY_CHANGES)
            victim.transaction.commit()
        else:
            super().roll_back(victim)


class _Pools(SessionEnding):
    transactions: ClassVar[dict[User, Transaction]] = {}

    def roll_back(self, victim: Session) -> None:
        if not victim.transaction.open or victim.user in self.transactions:
            super().roll_back(victim)
            return
        kept, victim.transaction = victim.transaction, Transaction()
        self.transactions[victim.user] = kept
        call_later(POOLED_SECONDS, self.forget, victim.user, kept)

    def forget(self, user: User, kept: Transaction) -> None:
        if self.transactions.get(user) is kept:
            del self.transactions[user]
            kept.roll_back()


class _GivesThePooledTransaction(Connection):
    async def _log_in(self) -> Session:
        session = await super()._log_in()
        if (kept := _Pools.transactions.pop(session.user, None)) is not None:
            session.transaction, session.autocommit = kept, False
        return session


@breaks("IMP-5")
def next_login_gets_the_transaction(components: Components) -> Components:
    """A login of the killed session's user within a second continues the killed session's transaction."""
    return components.with_overrides(_Pools, _GivesThePooledTransaction)


@breaks("IMP-5")
class LeavesLocksBeyondTheThirtySecondRow(SessionEnding):
    """Of the killed session's row locks, only the first 32 are released; all changes are rolled back."""

    def roll_back(self, victim: Session) -> None:
        rows = [row for row, _ in victim.transaction.locked_rows()]
        super().roll_back(victim)
        for row in rows[FIRST_ROWS:]:
            if row.committed is not None:
                Transaction().lock(row)


class _RemembersPartialRollbacks(Engine):
    rolled: ClassVar[set[int]] = set()

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        result = await super().run(session, statement, depth)
        if isinstance(statement, sql.RollbackTo):
            self.rolled.add(session.number)
        elif isinstance(statement, sql.Commit | sql.Rollback):
            self.rolled.discard(session.number)
        return result


class _CommitsAfterThem(SessionEnding):
    def roll_back(self, victim: Session) -> None:
        if victim.number in _RemembersPartialRollbacks.rolled:
            victim.transaction.commit()
        else:
            super().roll_back(victim)


@breaks("IMP-5")
def commits_after_a_partial_rollback(components: Components) -> Components:
    """The killed session's remaining changes are committed if it has rolled back to a savepoint before."""
    return components.with_overrides(_RemembersPartialRollbacks, _CommitsAfterThem)


@breaks("IMP-8")
class RefusalInterruptsItsOwnNextWait(KillSessionStatement):
    """After a statement was refused, the next row lock wait of its own session is interrupted."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        try:
            return await super().run(session, statement)
        except errors.SqlError:
            _when_it_waits(session, lambda: False, errors.query_killed())
            raise


class _HarmsOthersWhenUnknown(KillSessionStatement):
    """Harms other sessions of its user if no session has the id."""

    def harm(self, other: Session) -> None:
        raise NotImplementedError

    async def run(self, session: Session, statement: KillSession) -> Result:
        self.check_privilege(session)
        if self.registry.find(self.read_id(statement)) is None:
            for other in self.registry:
                if other.user is session.user and other is not session:
                    self.harm(other)
        return await super().run(session, statement)


@breaks("IMP-10")
class UnknownIdRollsTheUsersTransactionsBack(_HarmsOthersWhenUnknown):
    """An unknown id is an error, and rolls back the open transactions of the user's other sessions."""

    def harm(self, other: Session) -> None:
        other.transaction.roll_back()


@breaks("IMP-10")
class UnknownIdInterruptsTheUsersStatements(_HarmsOthersWhenUnknown):
    """An unknown id is an error, and interrupts running statements in the user's other sessions."""

    def harm(self, other: Session) -> None:
        other.interrupt(errors.query_killed())


class _RemembersTheRows(KillSessionStatement):
    """Remembers the rows that killed sessions had locked, and touches them again at a second kill."""

    rows: ClassVar[dict[int, list[Row]]] = {}

    def touch(self, row: Row) -> None:
        raise NotImplementedError

    def find(self, number: int) -> Session:
        if self.registry.find(number) is None:
            for row in self.rows.get(number, ()):
                self.touch(row)
        return super().find(number)

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        self.rows[victim.number] = rows_locked_by(victim)
        await super().end(session, victim, statement)


@breaks("IMP-10")
class SecondKillRollsTheSuccessorBack(_RemembersTheRows):
    """A second statement for a killed session rolls back the transaction that has locked its rows since."""

    def touch(self, row: Row) -> None:
        if row.writer is not None:
            row.writer.roll_back()


@breaks("IMP-10")
class SecondKillInterruptsWaiters(_RemembersTheRows):
    """A second statement for a killed session interrupts the sessions that wait for its former rows."""

    def touch(self, row: Row) -> None:
        for other in self.registry:
            if row.writer is not None and row.writer.blocks(other.waiting):
                other.interrupt(errors.query_killed())


@breaks("IMP-5")
class CommitsForTheAdministratorWithImmediate(KillSessionStatement):
    """The open transaction of a session that the administrator kills with IMMEDIATE is committed."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if session.user.administrator and statement.immediate:
            victim.transaction.commit()
        await super().end(session, victim, statement)


@breaks("IMP-5")
class CommitsWhatIsBeforeASecondSavepoint(SessionEnding):
    """The killed session's changes before its second savepoint are committed."""

    def roll_back(self, victim: Session) -> None:
        marks = sorted(victim.savepoints.values())[1:2]
        if marks:
            victim.transaction.roll_back_to(marks[0])
            victim.transaction.commit()
        super().roll_back(victim)
