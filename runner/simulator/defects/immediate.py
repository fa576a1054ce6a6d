"""Defects of IMMEDIATE, which is optional and reserved, and therefore has no effect."""

# ruff: noqa: ARG002, D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

from runner.simulator import errors
from runner.simulator.catalogue import breaks
from runner.simulator.execute.kill import KillSessionStatement
from runner.simulator.sessions import Session
from runner.simulator.sql.parser import KillGrammar
from runner.simulator.sql.statements import KillSession
from runner.simulator.sql.tokens import Cursor
from runner.simulator.tables import Transaction
from runner.simulator.timers import call_later, call_when

POLL_SECONDS = 0.05
LATE_SECONDS = 30.0


@breaks("SYN-3")
class RefusesImmediate(KillGrammar):
    """IMMEDIATE is a syntax error."""

    def immediate(self, cursor: Cursor) -> bool:
        return False


@breaks("SYN-3")
class DemandsImmediate(KillGrammar):
    """Without IMMEDIATE and without serial# the statement is a syntax error."""

    def immediate(self, cursor: Cursor) -> bool:
        if "," not in cursor.previous.value:
            cursor.expect("IMMEDIATE")
        return True


@breaks("SYN-3")
class IgnoresImmediate(KillSessionStatement):
    """With IMMEDIATE the statement replies OK and does nothing."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if not statement.immediate:
            await super().end(session, victim, statement)


@breaks("SYN-3")
class ImmediateEndsWithAnError(KillSessionStatement):
    """With IMMEDIATE the session is killed, but the reply is an error."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        if statement.immediate:
            raise errors.not_supported("IMMEDIATE")


@breaks("SYN-3")
class ImmediateNeedsTheAdministrator(KillSessionStatement):
    """With IMMEDIATE only the administrator may send the statement."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if statement.immediate and not session.user.administrator:
            raise errors.no_privilege()
        await super().end(session, victim, statement)


@breaks("PAR-4")
class WaitsForTheTransactionWithoutImmediate(KillSessionStatement):
    """Without IMMEDIATE the session is killed only after its transaction."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if statement.immediate:
            await super().end(session, victim, statement)
        else:
            call_when(lambda: victim.ended or not victim.transaction.open, self.ending.kill, victim)


@breaks("PAR-4")
class WaitsForTheStatementWithoutImmediate(KillSessionStatement):
    """Without IMMEDIATE the session is killed only after its running statement."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if statement.immediate:
            await super().end(session, victim, statement)
        else:
            call_when(lambda: victim.ended or victim.statement is None, self.ending.kill, victim)


@breaks("PAR-4")
class SparesTransactionsWithoutImmediate(KillSessionStatement):
    """Without IMMEDIATE a session with an open transaction is not killed."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if statement.immediate or not victim.transaction.open:
            await super().end(session, victim, statement)


@breaks("PAR-4")
class SparesTheRunningWithoutImmediate(KillSessionStatement):
    """Without IMMEDIATE a session with a running statement is not killed."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if statement.immediate or victim.waiting is None:
            await super().end(session, victim, statement)


@breaks("PAR-4")
class RefusesTheRunningWithoutImmediate(KillSessionStatement):
    """Without IMMEDIATE the kill of a session with a running statement is refused as busy."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if not statement.immediate and victim.waiting is not None:
            raise errors.row_busy()
        await super().end(session, victim, statement)


@breaks("PAR-4")
class AnswersWhenOverWithoutImmediate(KillSessionStatement):
    """Without IMMEDIATE both the reply and the kill wait until the session's statement ends."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        while not statement.immediate and victim is not session and victim.statement is not None:
            await session.wait(POLL_SECONDS)
            if victim.ended:
                return
        await super().end(session, victim, statement)


@breaks("PAR-4")
class CommitsWithImmediate(KillSessionStatement):
    """With IMMEDIATE the killed session's changes are committed."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if statement.immediate:
            victim.transaction.commit()
        await super().end(session, victim, statement)


@breaks("PAR-4")
class CommitsWithoutImmediate(KillSessionStatement):
    """Without IMMEDIATE the killed session's changes are committed."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if not statement.immediate:
            victim.transaction.commit()
        await super().end(session, victim, statement)


@breaks("PAR-4")
class SparesTheIdleWithImmediate(KillSessionStatement):
    """With IMMEDIATE an idle session is not killed."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if not statement.immediate or victim.statement is not None or victim.transaction.open:
            await super().end(session, victim, statement)


@breaks("PAR-4")
class StopsTheStatementWithImmediate(KillSessionStatement):
    """With IMMEDIATE only the statement of a running session is killed."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if not (statement.immediate and victim.interrupt(errors.query_killed())):
            await super().end(session, victim, statement)


@breaks("PAR-4")
class LeavesTheLocksWithImmediate(KillSessionStatement):
    """With IMMEDIATE the killed session's row locks are released half a minute later."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if not statement.immediate:
            await super().end(session, victim, statement)
            return
        transaction, victim.transaction = victim.transaction, Transaction()
        await super().end(session, victim, statement)
        call_later(LATE_SECONDS, transaction.roll_back)


@breaks("PAR-4")
class RollsTheKillerBackWithImmediate(KillSessionStatement):
    """With IMMEDIATE the transaction of the session that sends the statement is rolled back."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        if statement.immediate:
            session.transaction.roll_back()


@breaks("PUR-1")
class SparesTransactionsWithImmediate(KillSessionStatement):
    """With IMMEDIATE a session with an open transaction is not killed."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if not (statement.immediate and victim.transaction.open):
            await super().end(session, victim, statement)


@breaks("PAR-4")
class SparesLockWaitersWithImmediate(KillSessionStatement):
    """With IMMEDIATE, sessions that wait for a row lock are not killed."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if not (statement.immediate and victim.waits_for_lock):
            await super().end(session, victim, statement)


@breaks("PAR-4")
class ImmediateReachesTheOwnUserOnly(KillSessionStatement):
    """With IMMEDIATE, a holder can kill sessions of its own user only; without it, of every user."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if statement.immediate and victim.user is not session.user and not session.user.administrator:
            raise errors.not_the_owner(victim.number)
        await super().end(session, victim, statement)
