"""Defects that affect other sessions than the named one: killed, interrupted, rolled back, or with other settings."""

# ruff: noqa: ARG002, D102 - overrides of steps, which are documented in the base class
# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

import asyncio
from typing import ClassVar

from runner.simulator import errors
from runner.simulator.catalogue import breaks
from runner.simulator.components import Components
from runner.simulator.connection import Connection
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.kill import KillSessionStatement
from runner.simulator.execute.results import Result
from runner.simulator.sessions import LONGEST_PAUSE, Session, SessionEnding, SessionRegistry
from runner.simulator.sql.statements import KillSession, ShowProcessList, Statement
from runner.simulator.timers import call_later

SIXTEEN_BITS = 0xFFFF
EIGHTEEN_BITS = 0x3FFFF
DELAY_SECONDS = 2.0
LONG_DELAY_SECONDS = 3.0
MIN_DIGITS = 4
_MANY_SESSIONS = 8
_KILL_SECONDS = 0.05


@breaks("PAR-1")
class EndsThePrevious(KillSessionStatement):
    """The session before the named one in the process list is killed instead."""

    def find(self, number: int) -> Session:
        sessions = list(self.registry)
        return sessions[sessions.index(super().find(number)) - 1]


@breaks("PAR-1")
class EndsTheNext(KillSessionStatement):
    """The session after the named one in the process list is killed instead."""

    def find(self, number: int) -> Session:
        sessions = list(self.registry)
        return sessions[(sessions.index(super().find(number)) + 1) % len(sessions)]


@breaks("PAR-1")
class EndsOneMore(KillSessionStatement):
    """The named session and the next one of its user are killed."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        mates = [other for other in self.registry if other.user is victim.user and other not in (victim, session)]
        await super().end(session, victim, statement)
        for mate in mates[:1]:
            self.ending.kill(mate)


@breaks("PAR-1")
class EndsTheCallerInstead(KillSessionStatement):
    """The sending session is killed instead of the named one."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, session, statement)


@breaks("PAR-1")
class EndsTheCallerToo(KillSessionStatement):
    """The named session is killed, and then the sending one after its OK."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        if victim is not session:
            call_later(0, self.ending.kill, session)


@breaks("PAR-1")
class EndsEveryone(KillSessionStatement):
    """Every other session of the server is killed with the named one."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        for other in self.registry:
            if other is not session:
                self.ending.kill(other)


@breaks("PAR-1")
class EndsAllOfTheUser(KillSessionStatement):
    """All sessions of the named session's user are killed, except the sending one."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        for other in self.registry:
            if other.user is victim.user and other is not session:
                self.ending.kill(other)


@breaks("PAR-1")
class EndsAllOfTheUserButTheNamed(KillSessionStatement):
    """The other sessions of the named session's user are killed, except the sending one."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        for other in self.registry:
            if other.user is victim.user and other not in (session, victim):
                self.ending.kill(other)


@breaks("PAR-1")
class EndsTheUsersOldest(KillSessionStatement):
    """The oldest session of the named session's user is killed instead."""

    def find(self, number: int) -> Session:
        user = super().find(number).user
        return next(session for session in self.registry if session.user is user)


@breaks("PAR-1")
class EndsTheUsersOldestLater(KillSessionStatement):
    """The named session is killed, and 2 seconds later the oldest other one of its user."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        mates = [other for other in self.registry if other.user is victim.user and other not in (victim, session)]
        for mate in mates[:1]:
            call_later(DELAY_SECONDS, self.ending.kill, mate)


@breaks("PAR-1")
class EndsTheCallerLater(KillSessionStatement):
    """A session that kills another user's session is killed 3 seconds later."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        if victim.user is not session.user:
            call_later(LONG_DELAY_SECONDS, self.ending.kill, session)


@breaks("PAR-1")
class CompletesTheId(KillSessionStatement):
    """An unknown number kills a session whose id begins with it."""

    def find(self, number: int) -> Session:
        if self.registry.find(number) is None and len(str(number)) >= MIN_DIGITS:
            for session in self.registry:
                if str(session.number).startswith(str(number)):
                    return session
        return super().find(number)


@breaks("PAR-1")
class TakesAnyFirstDigits(KillSessionStatement):
    """A number that begins with a session's id kills that session."""

    def read_id(self, statement: KillSession) -> int:
        text = statement.text.partition(",")[0]
        named = [session.number for session in self.registry if text.startswith(str(session.number))]
        return max(named) if named else super().read_id(statement)


@breaks("PAR-1")
class TakesAnyLastDigits(KillSessionStatement):
    """A number that ends with a session's id kills that session."""

    def read_id(self, statement: KillSession) -> int:
        text = statement.text.partition(",")[0]
        named = [session.number for session in self.registry if text.endswith(str(session.number))]
        return max(named) if named else super().read_id(statement)


@breaks("PAR-1")
class CutsIdsToSixteenBits(KillSessionStatement):
    """Only the last 16 bits of an id are compared."""

    def find(self, number: int) -> Session:
        for session in self.registry:
            if (session.number ^ number) & SIXTEEN_BITS == 0:
                return session
        return super().find(number)


@breaks("PAR-1")
class CutsIdsToEighteenBits(KillSessionStatement):
    """Only the last 18 bits of an id, the server's running number, are compared."""

    def find(self, number: int) -> Session:
        for session in self.registry:
            if (session.number ^ number) & EIGHTEEN_BITS == 0:
                return session
        return super().find(number)


@breaks("PAR-1")
class TakesTheNearest(KillSessionStatement):
    """An unknown id kills the session with the nearest lower one."""

    def find(self, number: int) -> Session:
        lower = [session for session in self.registry if session.number <= number]
        return max(lower, key=lambda session: session.number) if lower else super().find(number)


@breaks("IMP-10")
class DropsEveryConnection(KillSessionStatement):
    """The server closes all connections, including the sending one, as after a restart."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        for other in self.registry:
            self.ending.kill(other)


@breaks("IMP-10")
class DropsTheAdministrator(KillSessionStatement):
    """The administrator's connections are closed along with the named session."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        for other in self.registry:
            if other.user.administrator and other is not session:
                self.ending.kill(other)


@breaks("IMP-10")
class DropsTheRunning(KillSessionStatement):
    """Every session with a running statement is killed along with the named one."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        for other in self.registry:
            if other.waiting is not None:
                self.ending.kill(other)


@breaks("IMP-10")
class InterruptsTheUsersStatements(KillSessionStatement):
    """Running statements in other sessions of the killed session's user fail; those sessions stay usable."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        for other in self.registry:
            if other.user is victim.user:
                other.interrupt(errors.query_killed())


@breaks("IMP-10")
class RollsBackTheUsersTransactions(KillSessionStatement):
    """Open transactions in all sessions of the killed session's user are rolled back; those sessions stay usable."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        for other in self.registry:
            if other.user is victim.user:
                other.transaction.roll_back()


@breaks("IMP-10")
class DropsTheRefused(KillSessionStatement):
    """A refused statement kills every other session of its user."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        try:
            return await super().run(session, statement)
        except errors.SqlError:
            for other in self.registry:
                if other.user is session.user and other is not session:
                    self.ending.kill(other)
            raise


class _GivesSlots(SessionRegistry):
    """Each new session gets the slot of the session that ended last."""

    free: ClassVar[list[int]] = []
    successors: ClassVar[dict[int, Session]] = {}

    def add(self, session: Session) -> None:
        super().add(session)
        if self.free:
            self.successors[self.free.pop()] = session

    def remove(self, session: Session) -> None:
        super().remove(session)
        self.free.append(session.number)


class _FindsBySlot(KillSessionStatement):
    def find(self, number: int) -> Session:
        successor = _GivesSlots.successors.get(number)
        if successor is not None and not successor.ended and self.registry.find(number) is None:
            return successor
        return super().find(number)


@breaks("PAR-1")
def old_ids_kill_the_successor(components: Components) -> Components:
    """The id of a session that is gone kills the session that has taken over its slot in the server's memory."""
    return components.with_overrides(_GivesSlots, _FindsBySlot)


@breaks("IMP-10")
class InterruptsStatementsOfOtherUsers(SessionEnding):
    """Running statements in the sessions of other users are interrupted; those sessions stay usable."""

    def kill(self, victim: Session) -> None:
        super().kill(victim)
        for other in self.registry:
            if other.user is not victim.user and not other.waits_for_lock:
                other.interrupt(errors.query_killed())


@breaks("IMP-10")
class OwnKillRollsTheUsersTransactionsBack(SessionEnding):
    """A session that kills itself rolls back the transactions of its user's other sessions."""

    def kill(self, victim: Session) -> None:
        kills_itself = victim.statement is not None and victim.waiting is None
        super().kill(victim)
        for other in self.registry:
            if kills_itself and other.user is victim.user and other.statement is None:
                other.transaction.roll_back()


@breaks("IMP-10")
class RunningVictimInterruptsItsMates(SessionEnding):
    """If the killed session runs a statement, those of the other sessions of its user are interrupted, too."""

    def kill(self, victim: Session) -> None:
        if victim.waiting is not None:
            for other in self.registry:
                if other is not victim and other.user is victim.user:
                    other.interrupt(errors.query_killed())
        super().kill(victim)


@breaks("PAR-1")
class EndsWhoRunsTheSameStatement(SessionEnding):
    """All sessions of the user that run the same statement as the named session are killed with it."""

    def kill(self, victim: Session) -> None:
        running = [other for other in self.registry if other.waiting is not None and other.user is victim.user]
        same = [other for other in running if other is not victim and other.statement == victim.statement]
        for other in (victim, *same):
            super().kill(other)


@breaks("PAR-1")
class EndsTheOldestOfManySessions(KillSessionStatement):
    """If the user has more than eight sessions, its oldest other one is killed as well."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        mates = [other for other in self.registry if other.user is victim.user]
        await super().end(session, victim, statement)
        if len(mates) > _MANY_SESSIONS:
            # Clients that log in together do it in any order: the sender or the named one may be the oldest.
            self.ending.kill(next(other for other in mates if other not in {session, victim}))


@breaks("IMP-10")
class RollsBackSessionsInTheUsersSchema(SessionEnding):
    """Open transactions of other users' sessions are rolled back whose current schema is that of the victim's user."""

    def kill(self, victim: Session) -> None:
        super().kill(victim)
        for other in self.registry:
            if other.schema == victim.user.name and other.user is not victim.user:
                other.transaction.roll_back()


@breaks("PAR-1")
class EndsSessionsInTheUsersSchema(SessionEnding):
    """Sessions of other users are killed as well whose current schema is that of the killed session's user."""

    def kill(self, victim: Session) -> None:
        super().kill(victim)
        for other in self.registry:
            if other.schema == victim.user.name and other.user is not victim.user:
                super().kill(other)


class _MarksTheUsersPreparedStatements(KillSessionStatement):
    marked: ClassVar[set[Session]] = set()

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        self.marked.update(other for other in self.registry if other.user is victim.user and other is not session)


class _ForgetsMarkedPreparedStatements(Connection):
    async def _run_command(self, session: Session, command: int, body: bytes) -> None:
        if session in _MarksTheUsersPreparedStatements.marked:
            _MarksTheUsersPreparedStatements.marked.discard(session)
            self._prepared.clear()
        await super()._run_command(session, command, body)


@breaks("IMP-10")
def drops_the_users_prepared_statements(components: Components) -> Components:
    """The prepared statements of all sessions of the killed session's user are dropped."""
    return components.with_overrides(_MarksTheUsersPreparedStatements, _ForgetsMarkedPreparedStatements)


class _MarksTheKiller(KillSessionStatement):
    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        _MarksTheUsersPreparedStatements.marked.add(session)


@breaks("IMP-11")
def drops_the_killers_prepared_statements(components: Components) -> Components:
    """The prepared statements of the session that sends the statement are dropped."""
    return components.with_overrides(_MarksTheKiller, _ForgetsMarkedPreparedStatements)


@breaks("IMP-10")
class SwitchesTheUsersAutocommitOn(KillSessionStatement):
    """Autocommit is switched on in all other sessions of the killed session's user."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        for other in self.registry:
            if other.user is victim.user and other is not session and not other.transaction.open:
                other.autocommit = True


@breaks("IMP-10")
class DropsTheUsersSavepoints(SessionEnding):
    """The savepoints of all other sessions of the killed session's user are dropped."""

    def kill(self, victim: Session) -> None:
        super().kill(victim)
        for other in self.registry:
            if other.user is victim.user and other.statement is None:
                other.savepoints.clear()


class _TakesAMoment(KillSessionStatement):
    """Notes the sessions that are being killed."""

    in_progress: ClassVar[set[Session]] = set()

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        self.in_progress.add(victim)
        try:
            await asyncio.sleep(_KILL_SECONDS)
            await super().end(session, victim, statement)
        finally:
            self.in_progress.discard(victim)


class _ListWaitsForGood(Engine):
    async def run(self, session: Session, statement: Statement, depth: int = 0) -> Result:
        if isinstance(statement, ShowProcessList) and _TakesAMoment.in_progress:
            await session.wait(LONGEST_PAUSE)
        return await super().run(session, statement, depth)


@breaks("IMP-10")
def list_during_a_kill_gets_no_reply(components: Components) -> Components:
    """SHOW PROCESSLIST never gets a reply if a session is being killed at this moment, as in a deadlock."""
    return components.with_overrides(_TakesAMoment, _ListWaitsForGood)


class _EndsTheNewestToo(_TakesAMoment):
    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        before = set(self.registry)
        await super().end(session, victim, statement)
        for other in set(self.registry) - before:
            self.ending.kill(other)


@breaks("IMP-10")
def logins_during_a_kill_are_lost(components: Components) -> Components:
    """Sessions that log in while another one is being killed are killed as well."""
    return components.with_overrides(_EndsTheNewestToo)
