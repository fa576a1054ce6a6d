"""Other ways for a session to end."""

# ruff: noqa: ARG002, D102 - overriding one step of many, each explained where the honest one stands

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.simulator import errors
from runner.simulator.catalogue import lawful
from runner.simulator.connection import Connection
from runner.simulator.deferring import later, once
from runner.simulator.ending import SessionEnding
from runner.simulator.execute.kill import KillSessionStatement
from runner.simulator.parts import Parts, altered
from runner.simulator.sessions import SESSION_KILLED, Session

if TYPE_CHECKING:
    from runner.simulator.sessions import Registry
    from runner.simulator.sql.statements import KillSession

MOMENT = 0.05
SLOW_SECONDS = 2.0
ROW_SECONDS = 1.0
NEXT_REQUEST_SECONDS = 3.0
LINGERING_SECONDS = 8.0


@lawful
class ErrorPacketBeforeClose(SessionEnding):
    """Idle clients, too, get an error before their connection is closed."""

    def disconnect(self, victim: Session) -> None:
        if victim.statement is None:
            victim.link.disconnect(errors.session_killed())
        else:
            super().disconnect(victim)


@lawful
class ResetInsteadOfClose(Connection):
    """The connection of a killed session is reset instead of closed."""

    def disconnect(self, last_word: errors.SqlError | None) -> None:
        self._channel.reset()


@lawful
class RunningVictimClosedWithoutError(SessionEnding):
    """The connection is closed without an error, also during a running statement."""

    def disconnect(self, victim: Session) -> None:
        if victim.waiting is None:
            super().disconnect(victim)
        else:
            victim.link.disconnect(None)
            victim.interrupt(errors.SessionEndedError())


@lawful
class SlowEnd(SessionEnding):
    """The session is killed 2 seconds after the OK, and its row is removed another second later."""

    def kill(self, victim: Session) -> None:
        later(SLOW_SECONDS, super().kill, victim)

    def unlist(self, victim: Session) -> None:
        later(ROW_SECONDS, super().unlist, victim)


@lawful
class OkBeforeEnd(SessionEnding):
    """The OK is sent a moment before the session is killed."""

    def kill(self, victim: Session) -> None:
        later(MOMENT, super().kill, victim)


@lawful
class RowLeavesFirst(SessionEnding):
    """The row leaves the process list at once, and the connection is closed a second later."""

    def disconnect(self, victim: Session) -> None:
        later(ROW_SECONDS, super().disconnect, victim)


@lawful
class RunningVictimWindsDown(SessionEnding):
    """The row of a session that was running stays for a second, as SESSION_KILLED."""

    def unlist(self, victim: Session) -> None:
        if victim.waiting is None:
            super().unlist(victim)
        else:
            victim.state = SESSION_KILLED
            later(ROW_SECONDS, super().unlist, victim)


@lawful
class LingeringBlockedVictim(SessionEnding):
    """A session that waits for a row lock stays as SESSION_KILLED until it gets the lock, or for 8 seconds."""

    def __init__(self, registry: Registry) -> None:
        super().__init__(registry)
        self.lingering: set[Session] = set()

    def kill(self, victim: Session) -> None:
        if not victim.blocked:
            super().kill(victim)
        elif victim not in self.lingering:
            self.lingering.add(victim)
            victim.state = SESSION_KILLED
            victim.ended = True
            later(LINGERING_SECONDS, self.end, victim)
            once(lambda: not victim.blocked, self.end, victim)

    def end(self, victim: Session) -> None:
        if victim in self.lingering:
            self.lingering.remove(victim)
            super().kill(victim)


@lawful
def closes_on_next_request(parts: Parts) -> Parts:
    """The row of a killed idle session goes at once, its connection closes at its next request or 3 seconds later."""
    return altered(parts, _ClosesIdleLater, _RefusesToServeTheEnded)


@lawful
def error_on_next_request(parts: Parts) -> Parts:
    """A killed idle session gets the error for proxies at its next request, or is closed 3 seconds later."""
    return altered(parts, _ClosesIdleLater, _AnswersTheEnded)


class _ClosesIdleLater(SessionEnding):
    def disconnect(self, victim: Session) -> None:
        if victim.statement is None:
            later(NEXT_REQUEST_SECONDS, victim.link.disconnect, None)
        else:
            super().disconnect(victim)


class _RefusesToServeTheEnded(Connection):
    async def _command(self, session: Session, command: int, body: bytes) -> None:
        if session.ended:
            raise errors.SessionEndedError
        await super()._command(session, command, body)


class _AnswersTheEnded(Connection):
    async def _command(self, session: Session, command: int, body: bytes) -> None:
        if session.ended:
            raise errors.own_session_killed()
        await super()._command(session, command, body)


@lawful
class OwnEndOutsideTheStatement(KillSessionStatement):
    """A session that kills itself gets OK, and its connection is closed a moment later."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if victim is session:
            later(MOMENT, self.ending.kill, victim)
        else:
            await super().end(session, victim, statement)
