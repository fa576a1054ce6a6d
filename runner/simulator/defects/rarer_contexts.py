"""Defects in rarer contexts: lock waits, savepoints, earlier statements of the sender, resets, long idling."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

import time
from typing import ClassVar

from runner.simulator import errors
from runner.simulator.catalogue import breaks
from runner.simulator.components import Components
from runner.simulator.connection import Connection
from runner.simulator.defects.histories_of_sessions import NotesResets
from runner.simulator.defects.states_of_sessions import Spares
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.kill import KillSessionStatement
from runner.simulator.execute.process_list import ProcessList
from runner.simulator.execute.results import Done, Result
from runner.simulator.privilege_checks import Privileges
from runner.simulator.session_ending import SessionEnding
from runner.simulator.sessions import Session
from runner.simulator.sql import statements as sql
from runner.simulator.sql.statements import KillSession
from runner.simulator.tables import Transaction
from runner.simulator.timers import call_when
from runner.simulator.users_and_roles import ALTER_SYSTEM

FIRST_ROWS = 32
LONG_IDLE = 3.0  # seconds
RIGHT_AFTER = 0.002  # seconds


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


@breaks("IMP-10")
class DropsTheUsersSavepoints(SessionEnding):
    """The savepoints of all other sessions of the killed session's user are dropped."""

    def kill(self, victim: Session) -> None:
        super().kill(victim)
        for other in self.registry:
            if other.user is victim.user and other.statement is None:
                other.savepoints.clear()


@breaks("PAR-4")
class SparesLockWaitersWithImmediate(KillSessionStatement):
    """With IMMEDIATE, sessions that wait for a row lock are not killed."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if not (statement.immediate and victim.waits_for_lock):
            await super().end(session, victim, statement)


@breaks("PAR-3")
class SparesLockWaitersWithASerial(KillSessionStatement):
    """With a serial#, sessions that wait for a row lock are not killed."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if not ("," in statement.text and victim.waits_for_lock):
            await super().end(session, victim, statement)


@breaks("PAR-4")
class ImmediateReachesTheOwnUserOnly(KillSessionStatement):
    """With IMMEDIATE, a holder can kill sessions of its own user only; without it, of every user."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if statement.immediate and victim.user is not session.user and not session.user.administrator:
            raise errors.not_the_owner(victim.number)
        await super().end(session, victim, statement)


@breaks("PAR-3")
class RefusesTheSameSerialAgain(KillSessionStatement):
    """A session's second statement with the same serial# is refused, although it names another session."""

    seen: ClassVar[set[tuple[int, str]]] = set()

    async def run(self, session: Session, statement: KillSession) -> Result:
        serial = statement.text.partition(",")[2].strip()
        key = (session.number, serial)
        if serial and key in self.seen:
            raise errors.invalid_session_id()
        result = await super().run(session, statement)
        self.seen.add(key)
        return result


class _ComparesBits(KillSessionStatement):
    bits = 24

    def find(self, number: int) -> Session:
        mask = (1 << self.bits) - 1
        for session in self.registry:
            if session.number & mask == number & mask:
                return session
        raise errors.unknown_session(number)


@breaks("PAR-1")
class CutsIdsToTwentyFourBits(_ComparesBits):
    """Only the last 24 bits of an id are compared."""


@breaks("PAR-1")
class CutsIdsToThirtyOneBits(_ComparesBits):
    """Only the last 31 bits of an id are compared: the sign bit is ignored."""

    bits = 31


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


@breaks("EXA-6")
class RepeatsTheLastRowCount(Engine):
    """The reply of the statement has the number of rows that its session's last statement has changed."""

    counts: ClassVar[dict[int, int]] = {}

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        result = await super().run(session, statement, depth)
        if isinstance(statement, sql.KillSession) and isinstance(result, Done):
            return Done(self.counts.get(session.number, 0))
        self.counts[session.number] = result.affected if isinstance(result, Done) else 0
        return result


@breaks("EXA-6")
class WarnsAfterAnError(KillSessionStatement):
    """The reply has a warning if the last statement of the session was an error: it is left from there."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        failed = session.last_error is not None
        await super().run(session, statement)
        return Done(0, 1) if failed else Done()


@breaks("EXA-4")
class IdleTransactionsShowQuery(ProcessList):
    """The process list shows an idle session with an open transaction as Query."""

    def command(self, session: Session) -> str:
        return "Query" if session.transaction.open else super().command(session)


class _MissesResetSessions(Privileges):
    def holds(self, session: Session, privilege: str) -> bool:
        if privilege == ALTER_SYSTEM and session in NotesResets.reset and not session.user.administrator:
            return False
        return super().holds(session, privilege)


@breaks("PUR-2")
def reset_loses_the_privilege(components: Components) -> Components:
    """A session that a connection pool has reset (COM_RESET_CONNECTION) no longer has ALTER SYSTEM."""
    return components.with_overrides(NotesResets, _MissesResetSessions)


class _MarksRefused(KillSessionStatement):
    refused: ClassVar[set[int]] = set()

    async def run(self, session: Session, statement: KillSession) -> Result:
        try:
            return await super().run(session, statement)
        except errors.SqlError:
            self.refused.add(session.number)
            raise


class _SparesRefused(Spares):
    def is_spared(self, victim: Session) -> bool:
        return victim.number in _MarksRefused.refused


@breaks("PUR-1")
def spares_who_was_refused(components: Components) -> Components:
    """Sessions whose own statement was refused before are not killed."""
    return components.with_overrides(_MarksRefused, _SparesRefused)


class _NotesIdleTime(Connection):
    idle: ClassVar[dict[int, float]] = {}

    async def _run(self, session: Session, text: str, *, binary: bool) -> None:
        self.idle[session.number] = time.monotonic() - session.since
        await super()._run(session, text, binary=binary)


class _DoesNothing(KillSessionStatement):
    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if _NotesIdleTime.idle.get(session.number, 0) < LONG_IDLE:
            await super().end(session, victim, statement)


@breaks("PUR-1")
def long_idle_senders_do_nothing(components: Components) -> Components:
    """A statement whose session was idle for three seconds replies OK and does nothing."""
    return components.with_overrides(_NotesIdleTime, _DoesNothing)


@breaks("PUR-1")
class LosesKillsAtTheEndOfAStatement(Spares):
    """A kill within 2 ms after the end of a statement of the named session is lost."""

    def is_spared(self, victim: Session) -> bool:
        return victim.statement is None and time.monotonic() - victim.since < RIGHT_AFTER


@breaks("IMP-7")
class WaiterLocksTheUserOut(SessionEnding):
    """The user of a session that was killed while it waited for a row lock can't log in again."""

    def kill(self, victim: Session) -> None:
        if victim.waits_for_lock and not victim.user.administrator:
            victim.user.lock()
        super().kill(victim)
