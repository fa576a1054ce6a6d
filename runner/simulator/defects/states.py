"""Defects of states: of the session that sends the statement, and of the one that it names."""

# ruff: noqa: D102 - overriding one step of many, each explained where the honest one stands

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.simulator import errors
from runner.simulator.catalogue import breaks
from runner.simulator.deferring import later, once
from runner.simulator.ending import SessionEnding
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.kill import KillSessionStatement
from runner.simulator.parts import Parts, altered
from runner.simulator.sessions import LONGEST_PAUSE
from runner.simulator.sql import statements as sql
from runner.simulator.tables import Transaction

if TYPE_CHECKING:
    from runner.simulator.execute.instance import Instance
    from runner.simulator.execute.results import Result
    from runner.simulator.sessions import Registry, Session
    from runner.simulator.tables import Row, Values

PAUSE = 0.05


def in_a_transaction(session: Session) -> bool:
    """Whether a session is in a transaction, with changes or without."""
    return session.transaction.open or session.in_block or not session.autocommit


class _Refuses(KillSessionStatement):
    """Refuses the statement of a session in some state."""

    def refuses(self, session: Session, statement: sql.KillSession) -> bool:
        raise NotImplementedError

    async def run(self, session: Session, statement: sql.KillSession) -> Result:
        if self.refuses(session, statement):
            raise errors.not_supported("KILL SESSION in this state")
        return await super().run(session, statement)


@breaks("PUR-1")
class RefusesInTransactions(_Refuses):
    """The statement is refused in a transaction."""

    def refuses(self, session: Session, statement: sql.KillSession) -> bool:  # noqa: ARG002 - for those that look at it
        return in_a_transaction(session)


@breaks("PUR-1")
class RefusesWhileRowsAreLocked(_Refuses):
    """The statement is refused to a session that holds row locks."""

    def refuses(self, session: Session, statement: sql.KillSession) -> bool:  # noqa: ARG002 - as above
        return session.transaction.open


@breaks("PUR-1")
class RefusesAfterErrors(_Refuses):
    """The statement is refused right after an error."""

    def refuses(self, session: Session, statement: sql.KillSession) -> bool:  # noqa: ARG002 - as above
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
        while session.transaction.holds_up(victim.waiting):
            await session.wait(PAUSE)
        await super().end(session, victim, statement)


class _AfterKill(KillSessionStatement):
    """Does something to the session that has ended another one."""

    def punish(self, session: Session) -> None:
        raise NotImplementedError

    async def end(self, session: Session, victim: Session, statement: sql.KillSession) -> None:
        await super().end(session, victim, statement)
        if victim is not session:
            self.punish(session)


@breaks("IMP-11")
class RollsTheKillerBack(_AfterKill):
    """The statement rolls back the open transaction of its own session."""

    def punish(self, session: Session) -> None:
        session.transaction.roll_back()
        session.in_block = False


@breaks("IMP-11")
class FreesTheKillersRows(_AfterKill):
    """The statement releases the row locks of its own session; its changes are still committed later."""

    def punish(self, session: Session) -> None:
        kept = session.transaction.held()
        session.transaction.roll_back()
        session.transaction = _WithoutLocks(kept)


class _WithoutLocks(Transaction):
    """Writes rows when it commits, whoever has changed them meanwhile."""

    def __init__(self, kept: list[tuple[Row, Values | None]]) -> None:
        super().__init__()
        self.kept = kept

    def commit(self) -> None:
        for row, values in self.kept:
            row.table.rows[row] = None
            row.committed = values
            row.settle()
        self.kept = []
        super().commit()


@breaks("IMP-11")
class SwitchesAutocommitOn(_AfterKill):
    """The statement switches autocommit on for its own session."""

    def punish(self, session: Session) -> None:
        session.autocommit = True


@breaks("IMP-11")
class SwitchesAutocommitOff(_AfterKill):
    """The statement switches autocommit off for its own session."""

    def punish(self, session: Session) -> None:
        session.autocommit = False


@breaks("IMP-11")
def breaks_the_killers_transaction(parts: Parts) -> Parts:
    """After the statement, the sending session's open transaction can only be rolled back."""
    return altered(parts, _MarksTheKiller, _ServesTheUnmarked)


class _MarksTheKiller(_AfterKill):
    def punish(self, session: Session) -> None:
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
    """Does not end sessions in some state."""

    def spares(self, victim: Session) -> bool:
        raise NotImplementedError

    def kill(self, victim: Session) -> None:
        if not self.spares(victim):
            super().kill(victim)


@breaks("PUR-1")
class SparesPreparedStatements(_Spares):
    """Sessions that run a prepared statement are not killed."""

    def spares(self, victim: Session) -> bool:
        return victim.prepared and victim.waiting is not None


@breaks("PUR-1")
class SparesWaitersWithLocks(_Spares):
    """Sessions that wait for a row lock and hold others are not killed."""

    def spares(self, victim: Session) -> bool:
        return victim.blocked and victim.transaction.open


@breaks("PUR-1")
class SparesTransactionsWithoutChanges(_Spares):
    """Sessions with a transaction without changes are not killed."""

    def spares(self, victim: Session) -> bool:
        return in_a_transaction(victim) and not victim.transaction.open


@breaks("PUR-1")
class SparesItselfInTransactions(_Spares):
    """In a transaction, a statement that names its own session replies OK and does nothing."""

    def spares(self, victim: Session) -> bool:
        return victim.statement is not None and victim.waiting is None and in_a_transaction(victim)


@breaks("IMP-10")
class SparesWhoIsSending(_Spares):
    """Sessions whose client does not read its result are not killed."""

    def spares(self, victim: Session) -> bool:
        return victim.sending


@breaks("IMP-10")
class WaitsForTheReader(KillSessionStatement):
    """The statement gets its reply only after the client of the named session has read its whole result."""

    async def end(self, session: Session, victim: Session, statement: sql.KillSession) -> None:
        while victim.sending and not victim.ended:
            await session.wait(PAUSE)
        await super().end(session, victim, statement)


@breaks("IMP-10")
class RowStaysWhileNobodyReads(SessionEnding):
    """The row of a session whose client does not read its result stays until the client reads it."""

    def unlist(self, victim: Session) -> None:
        if victim.sending:
            once(lambda: not victim.sending, later, 1, super().unlist, victim)
        else:
            super().unlist(victim)

    def disconnect(self, victim: Session) -> None:
        if not victim.sending:
            super().disconnect(victim)


@breaks("IMP-5")
class WaitersLeaveTheirLocks(SessionEnding):
    """The row locks of a session that was killed while waiting for another lock are not released."""

    def roll_back(self, victim: Session) -> None:
        if not victim.blocked:
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


class _KnowsWhoLeft(SessionEnding):
    """Remembers the sessions whose clients have left."""

    def __init__(self, registry: Registry) -> None:
        super().__init__(registry)
        self.left: dict[int, Session] = {}

    def leave(self, session: Session) -> None:
        if not session.ended:
            self.left[session.number] = session
        super().leave(session)


@breaks("PUR-1")
class KeepsTheRowsOfWhoLeft(SessionEnding):
    """The row of a session stays permanently after its client disconnected; the statement only replies OK."""

    def leave(self, session: Session) -> None:
        if session.user.administrator or session.ended:
            super().leave(session)
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

    def leave(self, session: Session) -> None:
        if not session.ended:
            session.ended = True
            self.registry.remove(session)
            session.interrupt(errors.SessionEndedError())


@breaks("IMP-10")
def drops_everybody_for_who_left(parts: Parts) -> Parts:
    """If the client of the named session has just disconnected, the statement closes all connections, as in a crash."""
    return altered(parts, _KnowsWhoLeft, _DropsEverybodyForWhoLeft)


class _DropsEverybodyForWhoLeft(KillSessionStatement):
    def find(self, number: int) -> Session:
        if isinstance(self.ending, _KnowsWhoLeft) and number in self.ending.left:
            for other in self.registry:
                self.ending.kill(other)
        return super().find(number)


@breaks("IMP-10")
def never_answers_for_who_left(parts: Parts) -> Parts:
    """If the client of the named session has just disconnected, the statement never gets a reply."""
    return altered(parts, _KnowsWhoLeft, _NeverAnswersForWhoLeft)


class _NeverAnswersForWhoLeft(KillSessionStatement):
    async def run(self, session: Session, statement: sql.KillSession) -> Result:
        if isinstance(self.ending, _KnowsWhoLeft) and self.read_id(statement) in self.ending.left:
            await session.wait(LONGEST_PAUSE)
        return await super().run(session, statement)
