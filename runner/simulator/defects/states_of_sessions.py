"""Defects in certain states of the sending session or of the named one."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

import time
from typing import Any

from runner.simulator import errors
from runner.simulator.catalogue import breaks
from runner.simulator.components import Components
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.kill import KillSessionStatement
from runner.simulator.execute.results import Result
from runner.simulator.execute.server_state import Instance
from runner.simulator.session_ending import SessionEnding
from runner.simulator.sessions import LONGEST_PAUSE, Session
from runner.simulator.sql import statements as sql
from runner.simulator.tables import Row, Transaction, Values
from runner.simulator.timers import call_later, call_when

POLL_SECONDS = 0.05
JUST_SECONDS = 5.0


def in_a_transaction(session: Session) -> bool:
    """Whether a session is in a transaction, with or without changes."""
    return session.transaction.open or session.explicit_transaction or not session.autocommit


class _Refuses(KillSessionStatement):
    """Refuses the statement in some state of the sending session."""

    def refuses(self, session: Session, statement: sql.KillSession) -> bool:
        raise NotImplementedError

    async def run(self, session: Session, statement: sql.KillSession) -> Result:
        if self.refuses(session, statement):
            raise errors.not_supported("KILL SESSION in this state")
        return await super().run(session, statement)


@breaks("PUR-1")
class RefusesInTransactions(_Refuses):
    """The statement is refused in a transaction."""

    def refuses(self, session: Session, statement: sql.KillSession) -> bool:  # noqa: ARG002 - for the overrides below
        return in_a_transaction(session)


@breaks("PUR-1")
class RefusesInAnotherSchema(_Refuses):
    """The statement is refused to a session whose current schema is that of another user."""

    def refuses(self, session: Session, statement: sql.KillSession) -> bool:  # noqa: ARG002 - in any form
        return session.schema != session.user.name


@breaks("PUR-1")
class RefusesWhileRowsAreLocked(_Refuses):
    """The statement is refused to a session that holds row locks."""

    def refuses(self, session: Session, statement: sql.KillSession) -> bool:  # noqa: ARG002 - for the overrides below
        return session.transaction.open


@breaks("PUR-1")
class RefusesAfterErrors(_Refuses):
    """The statement is refused right after an error."""

    def refuses(self, session: Session, statement: sql.KillSession) -> bool:  # noqa: ARG002 - for the overrides below
        return session.last_error is not None


@breaks("PUR-1")
class RefusesAfterCommits(Engine):
    """The statement is refused right after a COMMIT."""

    def __init__(self, instance: Instance) -> None:
        super().__init__(instance)
        self.committed: set[Session] = set()

    async def execute(self, session: Session, text: str) -> Result:
        if session in self.committed and "KILL" in text.upper():
            raise errors.not_supported("KILL SESSION right after a commit")
        self.committed.discard(session)
        if text.upper() == "COMMIT":
            self.committed.add(session)
        return await super().execute(session, text)


@breaks("PAR-3")
class RefusesSerialInTransactions(_Refuses):
    """The statement with a serial# is refused in a transaction."""

    def refuses(self, session: Session, statement: sql.KillSession) -> bool:
        return "," in statement.text and in_a_transaction(session)


@breaks("PAR-4")
class RefusesImmediateInTransactions(_Refuses):
    """The statement with IMMEDIATE is refused in a transaction."""

    def refuses(self, session: Session, statement: sql.KillSession) -> bool:
        return statement.immediate and in_a_transaction(session)


@breaks("IMP-10")
class NeverAnswersInTransactions(KillSessionStatement):
    """A statement sent in a transaction kills the session, and never gets a reply."""

    async def end(self, session: Session, victim: Session, statement: sql.KillSession) -> None:
        await super().end(session, victim, statement)
        if victim is not session and in_a_transaction(session):
            await session.wait(LONGEST_PAUSE)


@breaks("IMP-10")
class WaitsForWhoWaitsForIt(KillSessionStatement):
    """The kill of a session that waits for a row lock of the sending session causes a deadlock."""

    async def end(self, session: Session, victim: Session, statement: sql.KillSession) -> None:
        while session.transaction.blocks(victim.waiting):
            await session.wait(POLL_SECONDS)
        await super().end(session, victim, statement)


@breaks("IMP-10")
class FreesTheRowsThatTheWaiterWaitsFor(KillSessionStatement):
    """The kill of a session that waits for a row lock releases the lock, although another session holds it."""

    async def end(self, session: Session, victim: Session, statement: sql.KillSession) -> None:
        holders = [each for each in self.registry if each.transaction.blocks(victim.waiting)]
        await super().end(session, victim, statement)
        for holder in holders:
            free_the_rows_of(holder)


class AfterKill(KillSessionStatement):
    """Punishes the session that has killed another one."""

    def effect(self, session: Session) -> None:
        raise NotImplementedError

    async def end(self, session: Session, victim: Session, statement: sql.KillSession) -> None:
        await super().end(session, victim, statement)
        if victim is not session:
            self.effect(session)


@breaks("IMP-11")
class RollsTheKillerBack(AfterKill):
    """The statement rolls back the open transaction of its own session."""

    def effect(self, session: Session) -> None:
        session.transaction.roll_back()
        session.explicit_transaction = False


@breaks("IMP-11")
class FreesTheKillersRows(AfterKill):
    """The statement releases the row locks of its own session; its changes are still committed later."""

    def effect(self, session: Session) -> None:
        free_the_rows_of(session)


def free_the_rows_of(session: Session) -> None:
    """Releases the row locks of a session; its changes are still committed later."""
    kept = session.transaction.locked_rows()
    session.transaction.roll_back()
    session.transaction = WithoutLocks(kept)


class WithoutLocks(Transaction):
    """Writes its rows at the commit, even if others have changed them meanwhile."""

    def __init__(self, kept: list[tuple[Row, Values | None]]) -> None:
        super().__init__()
        self.kept = kept

    def commit(self) -> None:
        for row, values in self.kept:
            row.table.rows[row] = None
            row.committed = values
            row.release()
        self.kept = []
        super().commit()


@breaks("IMP-11")
class SwitchesAutocommitOn(AfterKill):
    """The statement switches autocommit on for its own session."""

    def effect(self, session: Session) -> None:
        session.autocommit = True


@breaks("IMP-11")
class SwitchesAutocommitOff(AfterKill):
    """The statement switches autocommit off for its own session."""

    def effect(self, session: Session) -> None:
        session.autocommit = False


@breaks("IMP-11")
def breaks_the_killers_transaction(components: Components) -> Components:
    """After the statement, the sending session's open transaction can only be rolled back."""
    return components.with_overrides(_MarksTheKiller, _ServesTheUnmarked)


class _MarksTheKiller(AfterKill):
    def effect(self, session: Session) -> None:
        if in_a_transaction(session):
            session.state = _BROKEN


class _ServesTheUnmarked(Engine):
    def __init__(self, instance: Instance) -> None:
        super().__init__(instance)
        self.broken: set[Session] = set()

    async def execute(self, session: Session, text: str) -> Result:
        if session in self.broken and text.upper() != "ROLLBACK":
            raise errors.unexpected()
        self.broken.discard(session)
        try:
            return await super().execute(session, text)
        finally:
            if session.state == _BROKEN:
                self.broken.add(session)


_BROKEN = "BROKEN"


class Spares(SessionEnding):
    """Does not kill sessions in some state."""

    def is_spared(self, victim: Session) -> bool:
        raise NotImplementedError

    def kill(self, victim: Session) -> None:
        if not self.is_spared(victim):
            super().kill(victim)


@breaks("PUR-1")
class SparesPreparedStatements(Spares):
    """Sessions that run a prepared statement are not killed."""

    def is_spared(self, victim: Session) -> bool:
        return victim.prepared and victim.waiting is not None


@breaks("PUR-1")
class SparesWaitersWithLocks(Spares):
    """Sessions that wait for a row lock and hold others are not killed."""

    def is_spared(self, victim: Session) -> bool:
        return victim.waits_for_lock and victim.transaction.open


class _SparesWaiting(Spares):
    """Does not kill sessions whose statement of a certain kind waits for a row lock."""

    word = ""

    def is_spared(self, victim: Session) -> bool:
        return victim.waits_for_lock and self.word in (victim.statement or "").upper()


@breaks("PUR-1")
class SparesWaitingSelects(_SparesWaiting):
    """Sessions whose SELECT … FOR UPDATE waits for a row lock are not killed."""

    word = "FOR UPDATE"


@breaks("PUR-1")
class SparesWaitingInserts(_SparesWaiting):
    """Sessions whose INSERT waits for an uncommitted key are not killed."""

    word = "INSERT"


@breaks("PUR-1")
class SparesWaitingDeletes(_SparesWaiting):
    """Sessions whose DELETE waits for a row lock are not killed."""

    word = "DELETE"


@breaks("PUR-1")
class SparesWaitingTransactions(Spares):
    """Sessions that wait for a row lock in a transaction without changes are not killed."""

    def is_spared(self, victim: Session) -> bool:
        return victim.waits_for_lock and in_a_transaction(victim) and not victim.transaction.open


@breaks("PUR-1")
class SparesTransactionsWithoutChanges(Spares):
    """Sessions with a transaction without changes are not killed."""

    def is_spared(self, victim: Session) -> bool:
        return in_a_transaction(victim) and not victim.transaction.open


@breaks("PUR-1")
class SparesItselfInTransactions(Spares):
    """In a transaction, a statement that names its own session replies OK and does nothing."""

    def is_spared(self, victim: Session) -> bool:
        return victim.statement is not None and victim.waiting is None and in_a_transaction(victim)


@breaks("PUR-1")
class OwnSessionSurvivesPrepared(Spares):
    """A prepared statement that names its own session replies OK and does nothing."""

    def is_spared(self, victim: Session) -> bool:
        return victim.prepared and victim.statement is not None and victim.waiting is None


@breaks("IMP-10")
class SparesWhoIsSending(Spares):
    """Sessions whose client does not read its result are not killed."""

    def is_spared(self, victim: Session) -> bool:
        return victim.sending


@breaks("IMP-10")
class WaitsForTheReader(KillSessionStatement):
    """The statement gets its reply only after the client of the named session has read its whole result."""

    async def end(self, session: Session, victim: Session, statement: sql.KillSession) -> None:
        while victim.sending and not victim.ended:
            await session.wait(POLL_SECONDS)
        await super().end(session, victim, statement)


@breaks("IMP-10")
class RowStaysWhileNobodyReads(SessionEnding):
    """The row of a session whose client does not read its result stays until the client reads it."""

    def remove_row(self, victim: Session) -> None:
        if victim.sending:
            call_when(lambda: not victim.sending, call_later, 1, super().remove_row, victim)
        else:
            super().remove_row(victim)

    def disconnect(self, victim: Session) -> None:
        if not victim.sending:
            super().disconnect(victim)


@breaks("IMP-5")
class WaitersLeaveTheirLocks(SessionEnding):
    """The row locks of a session that was killed while waiting for another lock are not released."""

    def roll_back(self, victim: Session) -> None:
        if not victim.waits_for_lock:
            super().roll_back(victim)


@breaks("IMP-5")
class LeavesTheLocksOfTheRunning(SessionEnding):
    """The row locks of a session that was killed with a running statement are not released."""

    def roll_back(self, victim: Session) -> None:
        if victim.waiting is None:
            super().roll_back(victim)


@breaks("IMP-5")
class CommitsOnesOwn(SessionEnding):
    """The changes of a session are committed when it kills itself."""

    def roll_back(self, victim: Session) -> None:
        if victim.statement is not None and victim.waiting is None:
            victim.transaction.commit()
        else:
            super().roll_back(victim)


@breaks("IMP-5")
class LeavesOnesOwnLocks(SessionEnding):
    """The row locks of a session are not released when it kills itself."""

    def roll_back(self, victim: Session) -> None:
        if victim.statement is None or victim.waiting is not None:
            super().roll_back(victim)


@breaks("PUR-2")
class NeedsNoPrivilegeInTransactions(KillSessionStatement):
    """The privilege is not checked while the sending session is in a transaction."""

    async def run(self, session: Session, statement: sql.KillSession) -> Result:
        self.exempt = in_a_transaction(session)
        return await super().run(session, statement)

    def check_privilege(self, session: Session) -> None:
        if not self.exempt:
            super().check_privilege(session)


@breaks("PUR-2")
class NeedsNoPrivilegeForRunningSessions(NeedsNoPrivilegeInTransactions):
    """The privilege is not checked if the named session executes a statement."""

    async def run(self, session: Session, statement: sql.KillSession) -> Result:
        named = self.registry.find(self.read_id(statement))
        self.exempt = named is not None and named is not session and named.waiting is not None
        return await KillSessionStatement.run(self, session, statement)


@breaks("PUR-2")
class InterruptsWhenRefused(KillSessionStatement):
    """A statement that is refused for a missing privilege interrupts the statement of the named session."""

    async def run(self, session: Session, statement: sql.KillSession) -> Result:
        try:
            self.check_privilege(session)
        except errors.SqlError:
            named = self.registry.find(self.read_id(statement))
            if named is not None and named is not session:
                named.interrupt(errors.query_killed())
            raise
        return await super().run(session, statement)


@breaks("IMP-10")
class NeverAnswersForAKilledId(KillSessionStatement):
    """A statement that names a session killed in the last five seconds never gets a reply."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.killed: dict[int, float] = {}

    async def run(self, session: Session, statement: sql.KillSession) -> Result:
        self.check_privilege(session)
        number = self.read_id(statement)
        if self.registry.find(number) is None and time.monotonic() - self.killed.get(number, 0.0) < JUST_SECONDS:
            await session.wait(LONGEST_PAUSE)
        result = await super().run(session, statement)
        self.killed[number] = time.monotonic()
        return result
