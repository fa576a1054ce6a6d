"""Conforming variants of the end of a session: with an error, with a reset, later, in another order."""

# ruff: noqa: ARG002, D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

import asyncio
from typing import Any

from runner.simulator import errors
from runner.simulator.catalogue import variant
from runner.simulator.components import Components
from runner.simulator.connection import Connection
from runner.simulator.execute.kill import KillSessionStatement
from runner.simulator.sessions import SESSION_KILLED, Session, SessionEnding, SessionRegistry
from runner.simulator.sql.statements import KillSession
from runner.simulator.timers import call_later, call_when

MOMENT_SECONDS = 0.05
SLOW_SECONDS = 2.0
ROW_SECONDS = 1.0
NEXT_REQUEST_SECONDS = 3.0
LINGERING_SECONDS = 8.0
ROLLBACK_SECONDS = 3.0
KEPT_SECONDS = 8.0


@variant
class ErrorPacketBeforeClose(SessionEnding):
    """Idle clients, too, get an error before their connection is closed."""

    def disconnect(self, victim: Session) -> None:
        if victim.statement is None:
            victim.connection.disconnect(errors.session_killed())
        else:
            super().disconnect(victim)


@variant
class ResetInsteadOfClose(Connection):
    """The connection of a killed session is reset instead of closed."""

    def disconnect(self, error: errors.SqlError | None) -> None:
        self._stream.reset()


@variant
class RunningVictimClosedWithoutError(SessionEnding):
    """The connection is closed without an error, also during a running statement."""

    def disconnect(self, victim: Session) -> None:
        if victim.waiting is None:
            super().disconnect(victim)
        else:
            victim.connection.disconnect(None)
            victim.interrupt(errors.SessionEndedError())


@variant
class VictimsGetAnotherError(SessionEnding):
    """Idle and running clients get an error without a known code before their connection is closed."""

    def disconnect(self, victim: Session) -> None:
        if victim.statement is None or victim.waiting is not None:
            victim.connection.disconnect(errors.closed_by_a_peer())
            victim.interrupt(errors.SessionEndedError())


@variant
class SlowEnd(SessionEnding):
    """The session is killed 2 seconds after the OK, and its row is removed another second later."""

    def kill(self, victim: Session) -> None:
        call_later(SLOW_SECONDS, super().kill, victim)

    def remove_row(self, victim: Session) -> None:
        call_later(ROW_SECONDS, super().remove_row, victim)


@variant
class OkBeforeEnd(SessionEnding):
    """The OK is sent a moment before the session is killed."""

    def kill(self, victim: Session) -> None:
        call_later(MOMENT_SECONDS, super().kill, victim)


@variant
class RowLeavesFirst(SessionEnding):
    """The row leaves the process list at once, and the connection is closed a second later."""

    def disconnect(self, victim: Session) -> None:
        call_later(ROW_SECONDS, super().disconnect, victim)


@variant
class RunningVictimWindsDown(SessionEnding):
    """The row of a session that was running stays for a second, as SESSION_KILLED."""

    def remove_row(self, victim: Session) -> None:
        if victim.waiting is None:
            super().remove_row(victim)
        else:
            victim.state = SESSION_KILLED
            call_later(ROW_SECONDS, super().remove_row, victim)


@variant
class LingeringBlockedVictim(SessionEnding):
    """A session that waits for a row lock stays as SESSION_KILLED until it gets the lock, or for 8 seconds."""

    def __init__(self, registry: SessionRegistry) -> None:
        super().__init__(registry)
        self.lingering: set[Session] = set()

    def kill(self, victim: Session) -> None:
        if not victim.waits_for_lock:
            super().kill(victim)
        elif victim not in self.lingering:
            self.lingering.add(victim)
            victim.state = SESSION_KILLED
            victim.ended = True
            call_later(LINGERING_SECONDS, self.end, victim)
            call_when(lambda: not victim.waits_for_lock, self.end, victim)

    def end(self, victim: Session) -> None:
        if victim in self.lingering:
            self.lingering.remove(victim)
            super().kill(victim)


@variant
def closes_on_next_request(components: Components) -> Components:
    """The row of a killed idle session goes at once, its connection closes at its next request or 3 seconds later."""
    return components.with_overrides(_ClosesIdleLater, _RefusesToServeTheEnded)


@variant
def error_on_next_request(components: Components) -> Components:
    """A killed idle session gets error 4401 (for proxies) at its next request, or is closed 3 seconds later."""
    return components.with_overrides(_ClosesIdleLater, _AnswersTheEnded)


class _ClosesIdleLater(SessionEnding):
    def disconnect(self, victim: Session) -> None:
        if victim.statement is None:
            call_later(NEXT_REQUEST_SECONDS, victim.connection.disconnect, None)
        else:
            super().disconnect(victim)


class _RefusesToServeTheEnded(Connection):
    async def _run_command(self, session: Session, command: int, body: bytes) -> None:
        if session.ended:
            raise errors.SessionEndedError
        await super()._run_command(session, command, body)


class _AnswersTheEnded(Connection):
    async def _run_command(self, session: Session, command: int, body: bytes) -> None:
        if session.ended:
            raise errors.own_session_killed()
        await super()._run_command(session, command, body)


@variant
class OwnEndOutsideTheStatement(KillSessionStatement):
    """A session that kills itself gets OK, and its connection is closed a moment later."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if victim is session:
            call_later(MOMENT_SECONDS, self.ending.kill, victim)
        else:
            await super().end(session, victim, statement)


@variant
class SlowRollback(SessionEnding):
    """The transaction of a killed session is rolled back, and its locks released, 3 seconds after its end."""

    def roll_back(self, victim: Session) -> None:
        call_later(ROLLBACK_SECONDS, super().roll_back, victim)


LINGERS_SECONDS = 0.3


@variant
class RowOfWhoLeftLingers(SessionEnding):
    """The row of a session stays for a moment after its client disconnected; the statement finds it and replies OK."""

    def client_disconnected(self, session: Session) -> None:
        if not session.ended:
            call_later(LINGERS_SECONDS, self.registry.remove, session)
            session.ended = True
            session.transaction.roll_back()
            session.interrupt(errors.SessionEndedError())


@variant
def row_of_who_left_names_nobody(components: Components) -> Components:
    """The row of a session stays for a moment after its client disconnected; the statement knows no such session."""
    return components.with_overrides(RowOfWhoLeftLingers, _FindsTheLiving)


class _FindsTheLiving(KillSessionStatement):
    def find(self, number: int) -> Session:
        victim = super().find(number)
        if victim.ended:
            raise errors.unknown_session(number)
        return victim


@variant
class KeepsSessionsOfTheDeparted(SessionEnding):
    """The session of a disconnected client stays idle for 8 seconds, as in a connection pool."""

    def client_disconnected(self, session: Session) -> None:
        if not session.ended:
            session.transaction.roll_back()
            session.interrupt(errors.SessionEndedError())
            session.finish_statement()
            call_later(KEPT_SECONDS, super().client_disconnected, session)


IDLE_SECONDS = 2.0


@variant
class ClosesIdleSessions(Connection):
    """Every session is closed after 2 seconds without a statement."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._idle: asyncio.TimerHandle | None = None

    async def _run_commands(self, session: Session) -> None:
        self._wait_for_statement()
        try:
            await super()._run_commands(session)
        finally:
            self._stop_waiting()

    async def _run_command(self, session: Session, command: int, body: bytes) -> None:
        self._stop_waiting()
        await super()._run_command(session, command, body)
        self._wait_for_statement()

    def _wait_for_statement(self) -> None:
        self._idle = asyncio.get_running_loop().call_later(IDLE_SECONDS, self.disconnect, None)

    def _stop_waiting(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
