"""Defects: the kill is incomplete or has no effect in certain states of the named session."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

import time
from typing import Any

from runner.simulator.catalogue import breaks
from runner.simulator.defects.senders import free_the_rows_of, in_a_transaction
from runner.simulator.execute.kill import KillSessionStatement
from runner.simulator.execute.results import Result
from runner.simulator.sessions import LONGEST_PAUSE, Session, SessionEnding
from runner.simulator.sql import statements as sql
from runner.simulator.timers import call_later, call_when

POLL_SECONDS = 0.05
JUST_SECONDS = 5.0


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
