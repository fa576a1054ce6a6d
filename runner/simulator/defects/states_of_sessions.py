"""Defects in certain states of the sending session or of the named one."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

import asyncio
import time
from typing import Any, ClassVar

from runner.simulator import errors
from runner.simulator.catalogue import breaks
from runner.simulator.components import Components
from runner.simulator.connection import Connection
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.instance import Instance
from runner.simulator.execute.kill import KillSessionStatement
from runner.simulator.execute.results import Result
from runner.simulator.session_ending import SessionEnding
from runner.simulator.sessions import LONGEST_PAUSE, Registry, Session
from runner.simulator.sql import statements as sql
from runner.simulator.tables import Row, Transaction, Values
from runner.simulator.timers import call_later, call_when

POLL_SECONDS = 0.05
LONG_IDLE_SECONDS = 3.0
JUST_SECONDS = 5.0
_DURATION = 0.05  # seconds
_MANY_STATEMENTS = 30
_LONG_STATEMENT = 500  # characters


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
            kept = holder.transaction.locked_rows()
            holder.transaction.roll_back()
            holder.transaction = _WithoutLocks(kept)


class _AfterKill(KillSessionStatement):
    """Punishes the session that has killed another one."""

    def effect(self, session: Session) -> None:
        raise NotImplementedError

    async def end(self, session: Session, victim: Session, statement: sql.KillSession) -> None:
        await super().end(session, victim, statement)
        if victim is not session:
            self.effect(session)


@breaks("IMP-11")
class RollsTheKillerBack(_AfterKill):
    """The statement rolls back the open transaction of its own session."""

    def effect(self, session: Session) -> None:
        session.transaction.roll_back()
        session.explicit_transaction = False


@breaks("IMP-11")
class FreesTheKillersRows(_AfterKill):
    """The statement releases the row locks of its own session; its changes are still committed later."""

    def effect(self, session: Session) -> None:
        kept = session.transaction.locked_rows()
        session.transaction.roll_back()
        session.transaction = _WithoutLocks(kept)


class _WithoutLocks(Transaction):
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
class SwitchesAutocommitOn(_AfterKill):
    """The statement switches autocommit on for its own session."""

    def effect(self, session: Session) -> None:
        session.autocommit = True


@breaks("IMP-11")
class SwitchesAutocommitOff(_AfterKill):
    """The statement switches autocommit off for its own session."""

    def effect(self, session: Session) -> None:
        session.autocommit = False


@breaks("IMP-11")
def breaks_the_killers_transaction(components: Components) -> Components:
    """After the statement, the sending session's open transaction can only be rolled back."""
    return components.with_overrides(_MarksTheKiller, _ServesTheUnmarked)


class _MarksTheKiller(_AfterKill):
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


class _Spares(SessionEnding):
    """Does not kill sessions in some state."""

    def is_spared(self, victim: Session) -> bool:
        raise NotImplementedError

    def kill(self, victim: Session) -> None:
        if not self.is_spared(victim):
            super().kill(victim)


@breaks("PUR-1")
class SparesPreparedStatements(_Spares):
    """Sessions that run a prepared statement are not killed."""

    def is_spared(self, victim: Session) -> bool:
        return victim.prepared and victim.waiting is not None


class _CountsStatements(Engine):
    """Notes the lengths of the statements that each session has sent."""

    lengths: ClassVar[dict[int, list[int]]] = {}

    async def execute(self, session: Session, text: str) -> Result:
        self.lengths.setdefault(session.number, []).append(len(text))
        return await super().execute(session, text)


class _SparesAfterManyStatements(_Spares):
    def is_spared(self, victim: Session) -> bool:
        return len(_CountsStatements.lengths.get(victim.number, ())) > _MANY_STATEMENTS


@breaks("PUR-1")
def spares_sessions_after_many_statements(components: Components) -> Components:
    """Sessions that have sent more than 30 statements are not killed."""
    return components.with_overrides(_CountsStatements, _SparesAfterManyStatements)


class _SparesAfterALongStatement(_Spares):
    def is_spared(self, victim: Session) -> bool:
        return max(_CountsStatements.lengths.get(victim.number, (0,))) > _LONG_STATEMENT


@breaks("PUR-1")
def spares_sessions_after_a_long_statement(components: Components) -> Components:
    """Sessions that have sent a statement of more than 500 characters are not killed."""
    return components.with_overrides(_CountsStatements, _SparesAfterALongStatement)


@breaks("PUR-1")
class SparesWhoHasKilled(KillSessionStatement):
    """Sessions that have killed another one are not killed."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.killers: set[Session] = set()

    async def end(self, session: Session, victim: Session, statement: sql.KillSession) -> None:
        if victim is session or victim not in self.killers:
            await super().end(session, victim, statement)
        if victim is not session:
            self.killers.add(session)


@breaks("PUR-1")
class SparesWhoIsKilling(KillSessionStatement):
    """Sessions that are killing another one at the same moment are not killed."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.killing: set[Session] = set()

    async def end(self, session: Session, victim: Session, statement: sql.KillSession) -> None:
        if victim is not session and victim in self.killing:
            return
        self.killing.add(session)
        try:
            await asyncio.sleep(_DURATION)
            await super().end(session, victim, statement)
        finally:
            self.killing.discard(session)


@breaks("PUR-1")
class SparesWaitersWithLocks(_Spares):
    """Sessions that wait for a row lock and hold others are not killed."""

    def is_spared(self, victim: Session) -> bool:
        return victim.waits_for_lock and victim.transaction.open


@breaks("PUR-1")
class SparesTransactionsWithoutChanges(_Spares):
    """Sessions with a transaction without changes are not killed."""

    def is_spared(self, victim: Session) -> bool:
        return in_a_transaction(victim) and not victim.transaction.open


@breaks("PUR-1")
class SparesItselfInTransactions(_Spares):
    """In a transaction, a statement that names its own session replies OK and does nothing."""

    def is_spared(self, victim: Session) -> bool:
        return victim.statement is not None and victim.waiting is None and in_a_transaction(victim)


@breaks("IMP-10")
class SparesWhoIsSending(_Spares):
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


class _RemembersDisconnected(SessionEnding):
    """Remembers the sessions of disconnected clients."""

    def __init__(self, registry: Registry) -> None:
        super().__init__(registry)
        self.left: dict[int, Session] = {}

    def client_disconnected(self, session: Session) -> None:
        if not session.ended:
            self.left[session.number] = session
        super().client_disconnected(session)


@breaks("PUR-1")
class KeepsTheRowsOfWhoLeft(SessionEnding):
    """The row of a session stays permanently after its client disconnected; the statement only replies OK."""

    def client_disconnected(self, session: Session) -> None:
        if session.user.administrator or session.ended:
            super().client_disconnected(session)
            return
        session.ended = True
        session.transaction.roll_back()
        session.interrupt(errors.SessionEndedError())

    def kill(self, victim: Session) -> None:
        if not victim.ended:
            super().kill(victim)


@breaks("IMP-5")
class KeepsTheLocksOfWhoLeft(SessionEnding):
    """The row locks of a session whose client disconnected in a transaction are not released."""

    def client_disconnected(self, session: Session) -> None:
        if not session.ended:
            session.ended = True
            self.registry.remove(session)
            session.interrupt(errors.SessionEndedError())


@breaks("IMP-10")
def drops_everybody_for_who_left(components: Components) -> Components:
    """If the client of the named session has just disconnected, the statement closes all connections, as in a crash."""
    return components.with_overrides(_RemembersDisconnected, _DropsEverybodyForWhoLeft)


class _DropsEverybodyForWhoLeft(KillSessionStatement):
    def find(self, number: int) -> Session:
        if isinstance(self.ending, _RemembersDisconnected) and number in self.ending.left:
            for other in self.registry:
                self.ending.kill(other)
        return super().find(number)


@breaks("IMP-10")
def never_answers_for_who_left(components: Components) -> Components:
    """If the client of the named session has just disconnected, the statement never gets a reply."""
    return components.with_overrides(_RemembersDisconnected, _NeverAnswersForWhoLeft)


class _NeverAnswersForWhoLeft(KillSessionStatement):
    async def run(self, session: Session, statement: sql.KillSession) -> Result:
        if isinstance(self.ending, _RemembersDisconnected) and self.read_id(statement) in self.ending.left:
            await session.wait(LONGEST_PAUSE)
        return await super().run(session, statement)


@breaks("PUR-1")
class SparesWhoIsIdleForLong(SessionEnding):
    """A session that has been idle for three seconds is not killed, as if an idle thread had forgotten it."""

    def kill(self, victim: Session) -> None:
        if victim.statement is not None or time.monotonic() - victim.since < LONG_IDLE_SECONDS:
            super().kill(victim)


@breaks("PUR-1")
class SparesWhoHasPrepared(SessionEnding):
    """An idle session that has a prepared statement is not killed, as if a connection pool had pinned it."""

    def kill(self, victim: Session) -> None:
        pinned = isinstance(victim.connection, Connection) and victim.connection.has_prepared
        if victim.statement is not None or not pinned:
            super().kill(victim)


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
