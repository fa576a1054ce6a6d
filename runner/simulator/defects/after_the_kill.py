"""Defects after the kill: in the transactions, statement or user of the killed session or of its sender."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

import contextlib
from typing import ClassVar

from runner.simulator import errors
from runner.simulator.catalogue import breaks
from runner.simulator.components import Components
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.kill import KillSessionStatement
from runner.simulator.execute.results import Done, Result
from runner.simulator.execute.transactions import commit_now
from runner.simulator.sessions import Session, SessionEnding, SessionIds, SessionRegistry
from runner.simulator.sql.statements import Block, Commit, Delete, Insert, KillSession, Statement, Update
from runner.simulator.tables import Row, Transaction, Values
from runner.simulator.timers import call_later, call_when
from runner.simulator.users_and_roles import ALTER_SYSTEM, User

SOON_SECONDS = 0.2
LATE_SECONDS = 10.0
LOCKED_SECONDS = 60.0
OVERWRITTEN_SECONDS = 1.0
POLL_SECONDS = 0.05


@breaks("IMP-5")
class LeavesTheTransaction(SessionEnding):
    """The transaction of the killed session stays open, and its rows stay locked."""

    def roll_back(self, victim: Session) -> None:
        pass


@breaks("IMP-5")
class CommitsTheTransaction(SessionEnding):
    """The changes of the killed session are committed."""

    def roll_back(self, victim: Session) -> None:
        victim.transaction.commit()


@breaks("IMP-5")
class LosesTheLastCommit(Engine):
    """A COMMIT gets its OK before its changes are made, and they are lost if the session is killed then."""

    async def run(self, session: Session, statement: Statement, depth: int = 0) -> Result:
        if not isinstance(statement, Commit):
            return await super().run(session, statement, depth)
        call_later(SOON_SECONDS, commit_now, session)
        return Done()


@breaks("IMP-5")
class CommitsInPart(Engine):
    """A COMMIT that the kill interrupts has committed some of the changes."""

    async def run(self, session: Session, statement: Statement, depth: int = 0) -> Result:
        if isinstance(statement, Commit):
            for row, values in session.transaction.locked_rows()[:1]:
                row.committed = values
            await session.wait(SOON_SECONDS)
        return await super().run(session, statement, depth)


@breaks("IMP-5")
class ChangesInPart(Engine):
    """An UPDATE with autocommit that the kill interrupts has changed some of its rows."""

    async def run(self, session: Session, statement: Statement, depth: int = 0) -> Result:
        result = await super().run(session, statement, depth)
        if isinstance(statement, Update) and session.autocommit:
            for row, values in session.transaction.locked_rows()[:1]:
                row.committed = values
            await session.wait(SOON_SECONDS)
        return result


@breaks("IMP-5")
class RollsBackTooLate(SessionEnding):
    """The transaction of the killed session is rolled back 10 seconds later."""

    def roll_back(self, victim: Session) -> None:
        call_later(LATE_SECONDS, super().roll_back, victim)


@breaks("IMP-5")
class LeavesTheLocks(SessionEnding):
    """The changes of the killed session are rolled back, but its rows stay locked."""

    def roll_back(self, victim: Session) -> None:
        victim.transaction.roll_back_to(victim.transaction.leading_locks())


@breaks("IMP-5")
class LeavesTheLocksThatHadAWaiter(LeavesTheLocks):
    """If a session that waited for a row lock was killed before its holder, the holder's rows stay locked."""

    def __init__(self, registry: SessionRegistry) -> None:
        super().__init__(registry)
        self.waited_for: set[Session] = set()

    def roll_back(self, victim: Session) -> None:
        self.waited_for.update(other for other in self.registry if other.transaction.blocks(victim.waiting))
        if victim in self.waited_for:
            super().roll_back(victim)
        else:
            victim.transaction.roll_back()


@breaks("IMP-5")
class LeavesTheKeysOfInserts(SessionEnding):
    """Inserted rows of the killed session are rolled back, but their primary keys stay in the index."""

    def roll_back(self, victim: Session) -> None:
        inserted = [(row, values) for row, values in victim.transaction.locked_rows() if row.committed is None]
        super().roll_back(victim)
        for row, values in inserted:
            if values is not None and row.table.key:
                row.table.add_key(Row(row.table, committed=values), values)


@breaks("IMP-5")
class CommitsWhatIsBeforeASavepoint(SessionEnding):
    """The killed session's changes before its first savepoint are committed."""

    def roll_back(self, victim: Session) -> None:
        if victim.savepoints:
            victim.transaction.roll_back_to(min(victim.savepoints.values()))
            victim.transaction.commit()
        else:
            super().roll_back(victim)


@breaks("IMP-5")
class ReleasesTheFirstLockOnly(SessionEnding):
    """Only the first row lock of the killed session is released; its changes are rolled back."""

    def roll_back(self, victim: Session) -> None:
        rows = [row for row, _ in victim.transaction.locked_rows()]
        super().roll_back(victim)
        for row in rows[1:]:
            if row.committed is not None:
                Transaction().lock(row)


@breaks("IMP-5")
class RollsBackLaterChangesToo(SessionEnding):
    """A second after the kill, the rows get their old values again, also if others have changed them since."""

    def roll_back(self, victim: Session) -> None:
        old = [(row, row.committed) for row, _ in victim.transaction.locked_rows() if row.committed is not None]
        super().roll_back(victim)
        call_later(OVERWRITTEN_SECONDS, self.restore, old)

    def restore(self, old: list[tuple[Row, Values | None]]) -> None:
        for row, values in old:
            if row.committed is not None:
                row.committed = values


@breaks("IMP-5")
class CommitsTheChangesOfWaiters(SessionEnding):
    """A session killed while it waits for a row lock gets the lock, changes the row, and commits."""

    def kill(self, victim: Session) -> None:
        if victim.waits_for_lock:
            call_when(lambda: victim.waiting is None, call_later, 0, self.end_with_commit, victim)
        else:
            super().kill(victim)

    def end_with_commit(self, victim: Session) -> None:
        victim.transaction.commit()
        super().kill(victim)


@breaks("IMP-5")
class GoesOnWithTheBlock(Engine):
    """Of a PL/SQL block, the kill ends only the present statement; the remaining ones are executed and committed."""

    async def _run_block(self, session: Session, block: Block, depth: int) -> Result:
        for statement in block.statements:
            with contextlib.suppress(errors.SessionEndedError):
                await self.run(session, statement, depth)
        if session.ended:
            commit_now(session)
        return Done()


@breaks("PUR-1")
class EndsTheStatementOfBlocksThatHandleErrors(SessionEnding):
    """In a PL/SQL block that handles errors, a kill is an error of the present statement; the session stays usable."""

    def kill(self, victim: Session) -> None:
        if victim.waiting is not None and "EXCEPTION" in (victim.statement or "").upper():
            victim.interrupt(errors.query_killed())
        else:
            super().kill(victim)


@breaks("IMP-11")
class LeavesTheSchemaOfTheSender(KillSessionStatement):
    """A statement that kills a session sets its sender's current schema back to the one of the login."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        session.schema = session.user.name


class _MarksChanges(Engine):
    """Remembers for each session the state of its transaction before its last change."""

    marks: ClassVar[dict[int, int]] = {}

    async def run(self, session: Session, statement: Statement, depth: int = 0) -> Result:
        if isinstance(statement, Insert | Update | Delete):
            self.marks[session.number] = session.transaction.savepoint()
        return await super().run(session, statement, depth)


class _UndoesTheLastChange(SessionEnding):
    def roll_back(self, victim: Session) -> None:
        victim.transaction.roll_back_to(min(_MarksChanges.marks.get(victim.number, 0), victim.transaction.savepoint()))
        victim.transaction.commit()


@breaks("IMP-5")
def undoes_only_the_last_change(components: Components) -> Components:
    """Of the killed session's transaction, only the last change is rolled back; the others are committed."""
    return components.with_overrides(_MarksChanges, _UndoesTheLastChange)


class _MakesBlockedChanges(SessionEnding):
    """Makes the changes for which killed sessions waited."""

    def makes(self, victim: Session) -> bool:
        raise NotImplementedError

    def goes_on(self, session: Session) -> bool:
        """Whether the session's statement goes on after the kill."""
        return session.waits_for_lock and self.makes(session)

    def mark_as_ended(self, victim: Session) -> None:
        if not self.goes_on(victim):
            super().mark_as_ended(victim)

    def disconnect(self, victim: Session) -> None:
        if self.goes_on(victim):
            victim.connection.disconnect(errors.session_killed())
        else:
            super().disconnect(victim)

    def client_disconnected(self, session: Session) -> None:
        if not self.goes_on(session):
            super().client_disconnected(session)


@breaks("IMP-5")
class MakesTheBlockedChange(_MakesBlockedChanges):
    """A killed session that waited for a row lock is gone, but its change is made when the lock is released."""

    def makes(self, victim: Session) -> bool:  # noqa: ARG002 - for the overrides below
        return True


@breaks("IMP-5")
class MakesTheBlockedInsert(_MakesBlockedChanges):
    """A killed session whose INSERT waited for a key is gone, but its row is inserted when the key is free."""

    def makes(self, victim: Session) -> bool:
        return (victim.statement or "").upper().startswith("INSERT")


@breaks("IMP-5")
class MakesTheBlockedDelete(_MakesBlockedChanges):
    """A killed session whose DELETE waited for a row lock is gone, but the row is deleted when the lock is released."""

    def makes(self, victim: Session) -> bool:
        return (victim.statement or "").upper().startswith("DELETE")


@breaks("IMP-5")
class MakesThePreparedBlockedChange(_MakesBlockedChanges):
    """A killed session whose prepared UPDATE waited is gone, but its change is made when the lock is released."""

    def makes(self, victim: Session) -> bool:
        return victim.prepared


@breaks("IMP-6")
class LetsTheStatementFinish(SessionEnding):
    """The kill of a running session replies OK, but takes effect only after its statement."""

    def kill(self, victim: Session) -> None:
        if victim.waiting is None:
            super().kill(victim)
        else:
            call_when(lambda: victim.ended or victim.statement is None, super().kill, victim)


@breaks("IMP-6")
class WaitsForTheStatement(KillSessionStatement):
    """The kill of a running session replies only after its statement."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        while victim is not session and victim.statement is not None and not victim.ended:
            await session.wait(POLL_SECONDS)
        await super().end(session, victim, statement)


@breaks("IMP-6")
class StatementsRunOn(SessionEnding):
    """The row of a running session leaves the process list, but its client waits until the statement ends."""

    def disconnect(self, victim: Session) -> None:
        if victim.waiting is None:
            super().disconnect(victim)


@breaks("IMP-7")
class LocksTheUserOut(KillSessionStatement):
    """The killed session's user can't log in again."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        if not victim.user.administrator:
            victim.user.lock()


@breaks("IMP-7")
class LocksTheUserOutForAMinute(KillSessionStatement):
    """The killed session's user can't log in for a minute."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        if not victim.user.administrator and victim.user.password_hash:
            call_later(LOCKED_SECONDS, setattr, victim.user, "password_hash", victim.user.password_hash)
            victim.user.lock()


@breaks("IMP-7")
class LastSessionTakesTheUserAlong(KillSessionStatement):
    """A user whose only session is killed can't log in again."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        if not victim.user.administrator and all(other.user is not victim.user for other in self.registry):
            victim.user.lock()


@breaks("IMP-7")
class TakesTheUsersPrivileges(KillSessionStatement):
    """The killed session's user loses the ALTER SYSTEM privilege."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        victim.user.system.pop(ALTER_SYSTEM, None)


@breaks("IMP-7")
class TakesTheUsersRoles(KillSessionStatement):
    """The killed session's user loses its roles."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        if not victim.user.administrator:
            victim.user.roles.clear()


@breaks("IMP-7")
class LastSessionTakesTheUsersPrivileges(KillSessionStatement):
    """A user whose only session is killed loses the ALTER SYSTEM privilege."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        if all(other.user is not victim.user for other in self.registry):
            victim.user.system.pop(ALTER_SYSTEM, None)


@breaks("IMP-7")
class GivesTheOldIdAgain(SessionIds):
    """A user's next session gets the id of its last killed one."""

    def __init__(self) -> None:
        super().__init__()
        self.left: dict[User, list[int]] = {}

    def id_for(self, user: User, number: int) -> int:
        left = self.left.get(user)
        return left.pop() if left else number

    def release(self, user: User | None, number: int) -> None:
        if user is not None and not user.administrator:
            self.left.setdefault(user, []).append(number)


@breaks("IMP-5")
class WakesOnlyTheFirstWaiter(SessionEnding):
    """Of several sessions that wait for row locks of a killed session only the first gets its lock."""

    def roll_back(self, victim: Session) -> None:
        victim.transaction.forget_waiters_but_one()
        super().roll_back(victim)


@breaks("IMP-11")
class DropsTheKillersSavepoints(KillSessionStatement):
    """The savepoints of the session that sends the statement are dropped."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        session.savepoints.clear()


@breaks("IMP-6")
class PreparedStatementsRunOn(SessionEnding):
    """The row of a session that runs a prepared statement leaves the list, but its client waits until this ends."""

    def disconnect(self, victim: Session) -> None:
        if victim.waiting is None or not victim.prepared:
            super().disconnect(victim)


@breaks("IMP-6")
class StatementsInTransactionsRunOn(SessionEnding):
    """The row of a session that runs a statement in a transaction leaves the list, but its client waits for its end."""

    def __init__(self, registry: SessionRegistry) -> None:
        super().__init__(registry)
        self.was_open = False

    def roll_back(self, victim: Session) -> None:
        self.was_open = victim.transaction.open
        super().roll_back(victim)

    def disconnect(self, victim: Session) -> None:
        if victim.waiting is None or not self.was_open:
            super().disconnect(victim)


@breaks("IMP-6")
class AdministratorWaitsForTheStatement(WaitsForTheStatement):
    """The kill of a running session by the administrator replies only after its statement."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if session.user.administrator:
            await super().end(session, victim, statement)
        else:
            await KillSessionStatement.end(self, session, victim, statement)
