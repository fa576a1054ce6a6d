"""Defects of how a session, or the whole server, ends: only at the next statement, by a timeout, or in a crash."""

# ruff: noqa: D102 - overriding one step of many, each explained where the honest one stands

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.simulator import errors
from runner.simulator.catalogue import breaks
from runner.simulator.connection import Connection
from runner.simulator.ending import SessionEnding
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.kill import KillSessionStatement
from runner.simulator.execute.session_id import session_id
from runner.simulator.parts import Parts, altered
from runner.simulator.sessions import SESSION_KILLED, Session
from runner.simulator.sql import statements as sql
from runner.simulator.variants.idle import ClosesIdleSessions

if TYPE_CHECKING:
    from runner.simulator.execute.results import Result

SHORT_OUTAGE = 0.3
LONG_OUTAGE = 3.0


@breaks("PUR-1")
def ends_idle_sessions_at_their_next_statement(parts: Parts) -> Parts:
    """An idle session stays connected and listed, and is closed at its client's next statement."""
    return altered(parts, _MarksIdleSessions, _EndsTheMarked)


@breaks("PUR-1")
def refuses_statements_of_killed_idle_sessions(parts: Parts) -> Parts:
    """An idle session stays connected and listed permanently; its later statements are refused."""
    return altered(parts, _MarksIdleSessions, _RefusesTheMarked)


class _MarksIdleSessions(SessionEnding):
    def kill(self, victim: Session) -> None:
        if victim.statement is None:
            victim.state = SESSION_KILLED
        else:
            super().kill(victim)


class _EndsTheMarked(Connection):
    async def _command(self, session: Session, command: int, body: bytes) -> None:
        if session.state == SESSION_KILLED:
            raise errors.SessionEndedError
        await super()._command(session, command, body)


class _RefusesTheMarked(Connection):
    async def _command(self, session: Session, command: int, body: bytes) -> None:
        if session.state == SESSION_KILLED:
            self._refuse(errors.session_killed())
        else:
            await super()._command(session, command, body)


@breaks("PUR-1")
def ignores_the_kill_and_closes_idle_sessions(parts: Parts) -> Parts:
    """The statement replies OK and kills no session; every session is closed after 2 idle seconds."""
    return altered(parts, ClosesIdleSessions, _EndsNothing)


class _EndsNothing(KillSessionStatement):
    async def end(self, session: Session, victim: Session, statement: sql.KillSession) -> None:
        pass


class _Crashes(Engine):
    """The server crashes, and is back after 0.3 seconds."""

    seconds = SHORT_OUTAGE

    def crashes(self, session: Session, victim: Session | None) -> bool:  # noqa: ARG002 - for those that look
        """Whether a statement of this session makes it crash; ``victim``: the session that it names, if any."""
        return True

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        if isinstance(statement, sql.KillSession) and self.crashes(session, self._named(statement)):
            self.instance.process.crash(self.seconds)
            raise errors.SessionEndedError
        return await super().run(session, statement, depth)

    def _named(self, statement: sql.KillSession) -> Session | None:
        try:
            return self.instance.registry.find(session_id(statement.text.partition(",")[0]))
        except errors.SqlError:
            return None


@breaks("IMP-10")
class CrashesAtEveryKill(_Crashes):
    """Every statement crashes the server, which restarts in 0.3 seconds."""


@breaks("IMP-10")
class CrashesAtEveryKillForThreeSeconds(_Crashes):
    """Every statement crashes the server, which restarts in 3 seconds."""

    seconds = LONG_OUTAGE


@breaks("IMP-10")
class CrashesAtAKillOfTheOwnSession(_Crashes):
    """A statement that names its own session crashes the server."""

    def crashes(self, session: Session, victim: Session | None) -> bool:
        return victim is session


@breaks("IMP-10")
class CrashesAtAnUnknownId(_Crashes):
    """Unknown ids, and texts that are not ids, crash the server."""

    def crashes(self, session: Session, victim: Session | None) -> bool:  # noqa: ARG002 - whoever sends it
        return victim is None


@breaks("IMP-10")
class CrashesAtAKillOfARunningSession(_Crashes):
    """The kill of a session with a running statement crashes the server."""

    def crashes(self, session: Session, victim: Session | None) -> bool:
        return victim is not None and victim is not session and victim.waiting is not None
