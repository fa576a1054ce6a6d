"""Defects of the effect: the session is killed only in part, too late, or not at all."""

# ruff: noqa: ARG002, D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

import time
from typing import Any

from runner.simulator import errors
from runner.simulator.catalogue import breaks
from runner.simulator.components import Components
from runner.simulator.connection import Connection
from runner.simulator.defects.state_of_the_named_session import Spares
from runner.simulator.execute.kill import KillSessionStatement
from runner.simulator.execute.process_list import ProcessList
from runner.simulator.sessions import SESSION_KILLED, Session, SessionEnding, SessionRegistry
from runner.simulator.sql.statements import KillSession
from runner.simulator.timers import call_later
from runner.simulator.users_and_roles import ALTER_SYSTEM
from runner.simulator.values import Value

RIGHT_AFTER = 0.002  # seconds


LATE_SECONDS = 10.0
SOON_SECONDS = 0.05
DELAY_SECONDS = 2.0
GHOST_SECONDS = 20.0
_MANY_ROWS = 20
UNTIL_LOST_SECONDS = 0.3


@breaks("PUR-1")
class DoesNothing(KillSessionStatement):
    """Replies OK and does nothing."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        pass


@breaks("PUR-1")
class HidesTheRowOnly(SessionEnding):
    """The row leaves the process list, the session stays usable."""

    def kill(self, victim: Session) -> None:
        self.remove_row(victim)


@breaks("PUR-1")
class MarksTheRowOnly(SessionEnding):
    """The row shows SESSION_KILLED, the session stays usable."""

    def kill(self, victim: Session) -> None:
        victim.state = SESSION_KILLED


@breaks("PUR-1")
class LeavesTheRow(SessionEnding):
    """The connection is closed, the row stays in the process list permanently."""

    def remove_row(self, victim: Session) -> None:
        pass


@breaks("PUR-1")
class LeavesTheRowOfTransactions(SessionEnding):
    """The row of a session with an open transaction stays in the process list permanently."""

    def remove_row(self, victim: Session) -> None:
        if not victim.transaction.open:
            super().remove_row(victim)


@breaks("PUR-1")
class LeavesTheRowOfRunningSessions(SessionEnding):
    """The row of a session with a running statement stays in the process list permanently."""

    def remove_row(self, victim: Session) -> None:
        if victim.waiting is None:
            super().remove_row(victim)


@breaks("PUR-1")
def closes_the_sending_half_only(components: Components) -> Components:
    """The server stops sending, but the session stays usable and its row stays."""
    return components.with_overrides(_OnlyDisconnects, _StopsSending)


class _OnlyDisconnects(SessionEnding):
    def kill(self, victim: Session) -> None:
        victim.connection.disconnect(None)


class _StopsSending(Connection):
    def disconnect(self, error: errors.SqlError | None) -> None:
        self._stream.send_fin()


@breaks("PUR-1")
class KeepsTheConnection(SessionEnding):
    """The row is removed and the transaction rolled back, but the connection stays open and doesn't reply any more."""

    def disconnect(self, victim: Session) -> None:
        pass


@breaks("PUR-1")
class IdleSessionsSurvive(KillSessionStatement):
    """Only sessions with a running statement are killed."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if victim.statement is not None:
            await super().end(session, victim, statement)


@breaks("PUR-1")
class RunningSessionsSurvive(KillSessionStatement):
    """Sessions with a running statement are not killed."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if victim.waiting is None:
            await super().end(session, victim, statement)


@breaks("PUR-1")
class LongRunningSessionsSurvive(KillSessionStatement):
    """Sessions whose statement has run for longer than a second are not killed."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if victim.waiting is None or victim.seconds_in_state() < 1:
            await super().end(session, victim, statement)


@breaks("PUR-1")
class StopsTheStatementOnly(KillSessionStatement):
    """If the session runs a statement, only the statement is killed."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if not victim.interrupt(errors.query_killed()):
            await super().end(session, victim, statement)


@breaks("PUR-1")
class TransactionsSurvive(KillSessionStatement):
    """Sessions with an open transaction are not killed."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if not victim.transaction.open:
            await super().end(session, victim, statement)


@breaks("PUR-1")
class OwnSessionSurvives(KillSessionStatement):
    """A statement that names its own session replies OK and does nothing."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if victim is not session:
            await super().end(session, victim, statement)


@breaks("PUR-1")
class OwnSessionSurvivesWithASerial(KillSessionStatement):
    """A statement with a serial# that names its own session replies OK and does nothing."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if victim is not session or "," not in statement.text:
            await super().end(session, victim, statement)


@breaks("PUR-1")
class OwnSessionSurvivesImmediate(KillSessionStatement):
    """A statement with IMMEDIATE that names its own session replies OK and does nothing."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if victim is not session or not statement.immediate:
            await super().end(session, victim, statement)


@breaks("PUR-1")
class LockWaitersSurvive(KillSessionStatement):
    """Sessions that wait for a row lock are not killed."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if not victim.waits_for_lock:
            await super().end(session, victim, statement)


@breaks("PUR-1")
class RowComesBack(SessionEnding):
    """The row of a killed session leaves the process list, and returns permanently 2 seconds later."""

    def remove_row(self, victim: Session) -> None:
        super().remove_row(victim)
        call_later(DELAY_SECONDS, self.registry.add, victim)


@breaks("PUR-1")
class HoldersSurvive(KillSessionStatement):
    """The administrator's statement does not kill sessions of users with ALTER SYSTEM."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if not (session.user.administrator and ALTER_SYSTEM in victim.user.system):
            await super().end(session, victim, statement)


@breaks("PUR-1")
class EndsTooLate(SessionEnding):
    """The session is killed 10 seconds after the OK."""

    def kill(self, victim: Session) -> None:
        call_later(LATE_SECONDS, super().kill, victim)


@breaks("PUR-1")
class RowGoesTooLate(SessionEnding):
    """The connection is closed at once, the row leaves the process list 10 seconds later."""

    def remove_row(self, victim: Session) -> None:
        call_later(LATE_SECONDS, super().remove_row, victim)


@breaks("PUR-1")
class ConnectionGoesTooLate(SessionEnding):
    """The row leaves the process list at once, the connection is closed 10 seconds later."""

    def disconnect(self, victim: Session) -> None:
        call_later(LATE_SECONDS, super().disconnect, victim)


@breaks("PUR-1")
class WorksOncePerSession(KillSessionStatement):
    """A session's first statement kills a session; its later ones reply OK and kill none."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.used: set[int] = set()

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if session.number not in self.used:
            self.used.add(session.number)
            await super().end(session, victim, statement)


@breaks("PUR-1")
class RemembersOneOrderOnly(SessionEnding):
    """Sessions are killed with a short delay, and a statement during this delay replaces the one before."""

    def __init__(self, registry: SessionRegistry) -> None:
        super().__init__(registry)
        self.next: Session | None = None

    def kill(self, victim: Session) -> None:
        if self.next is None:
            call_later(SOON_SECONDS, self.kill_next)
        self.next = victim

    def kill_next(self) -> None:
        victim, self.next = self.next, None
        if victim is not None:
            super().kill(victim)


class _KnowsKilled(SessionRegistry):
    """Has the killed sessions, too."""

    def __init__(self) -> None:
        super().__init__()
        self.killed: list[Session] = []


class _RemembersKilled(SessionEnding):
    def kill(self, victim: Session) -> None:
        super().kill(victim)
        if isinstance(self.registry, _KnowsKilled):
            self.registry.killed.append(victim)
            call_later(GHOST_SECONDS, self.registry.killed.remove, victim)


class _ListsKilledInTurn(ProcessList):
    reads = 0

    def rows(self, viewer: Session, *, full: bool) -> list[tuple[Value, ...]]:
        rows = super().rows(viewer, full=full)
        self.reads += 1
        killed = self.registry.killed if isinstance(self.registry, _KnowsKilled) and self.reads % 2 else ()
        sees_all = self.sees_all(viewer)
        return rows + [self.row(session, full=full) for session in killed if sees_all or self.sees(viewer, session)]


@breaks("PUR-1")
def rows_stay_in_every_second_list(components: Components) -> Components:
    """The rows of killed sessions are in every second process list for another 20 seconds: one of two copies lags."""
    return components.with_overrides(_KnowsKilled, _RemembersKilled, _ListsKilledInTurn)


class _ListsKilledToTheUser(ProcessList):
    def rows(self, viewer: Session, *, full: bool) -> list[tuple[Value, ...]]:
        rows = super().rows(viewer, full=full)
        killed = self.registry.killed if isinstance(self.registry, _KnowsKilled) else ()
        return rows + [
            self.row(session, full=full)
            for session in killed
            if session.user is viewer.user and not viewer.user.administrator
        ]


@breaks("PUR-1")
def row_stays_in_the_users_list(components: Components) -> Components:
    """The row of a killed session stays in its user's process lists for 20 seconds, and leaves the administrator's."""
    return components.with_overrides(_KnowsKilled, _RemembersKilled, _ListsKilledToTheUser)


@breaks("PUR-1")
class LostIfTheSenderDisconnects(KillSessionStatement):
    """A session is killed 0.3 s after the reply, and not at all if the client that sent the statement is gone."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if victim is session:
            await super().end(session, victim, statement)
        else:
            call_later(UNTIL_LOST_SECONDS, lambda: None if session.ended or victim.ended else self.ending.kill(victim))


class _KillsWithTheNextCommand(KillSessionStatement):
    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.delayed: dict[Session, list[Session]] = {}

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if victim is session:
            await super().end(session, victim, statement)
        else:
            self.delayed.setdefault(session, []).append(victim)


class _FirstRunsWhatIsDelayed(Connection):
    async def _run_command(self, session: Session, command: int, body: bytes) -> None:
        kill = self._instance.kill
        if isinstance(kill, _KillsWithTheNextCommand):
            for victim in kill.delayed.pop(session, []):
                if not victim.ended:
                    self._instance.ending.kill(victim)
        await super()._run_command(session, command, body)


@breaks("PUR-1")
def killed_at_the_senders_next_command(components: Components) -> Components:
    """A session is killed only when the session that sent the statement sends its next command."""
    return components.with_overrides(_KillsWithTheNextCommand, _FirstRunsWhatIsDelayed)


@breaks("PUR-1")
class SparesUsersWithRoles(SessionEnding):
    """Sessions of users with a role are not killed."""

    def kill(self, victim: Session) -> None:
        if not victim.user.roles or victim.user.administrator:
            super().kill(victim)


@breaks("PUR-1")
class SparesQuotedUsers(SessionEnding):
    """Sessions of a user whose name has small letters are not killed, as if sessions were looked up by folded names."""

    def kill(self, victim: Session) -> None:
        if victim.user.name == victim.user.name.upper():
            super().kill(victim)


@breaks("PUR-3")
class OthersRunningSessionsSurvive(KillSessionStatement):
    """A holder's statement that names a running session of another user ends only its statement."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        foreign = victim.user is not session.user and not session.user.administrator
        if not (foreign and victim.interrupt(errors.query_killed())):
            await super().end(session, victim, statement)


@breaks("PUR-1")
class LosesKillsAtTheEndOfAStatement(Spares):
    """A kill within 2 ms after the end of a statement of the named session is lost."""

    def is_spared(self, victim: Session) -> bool:
        return victim.statement is None and time.monotonic() - victim.since < RIGHT_AFTER


@breaks("PUR-1")
class LeavesTheRowOfLargeTransactions(SessionEnding):
    """The row of a session that has changed more than 20 rows stays permanently, as if it were still rolled back."""

    def kill(self, victim: Session) -> None:
        changed = len(victim.transaction.locked_rows())
        super().kill(victim)
        if changed > _MANY_ROWS:
            self.registry.add(victim)
