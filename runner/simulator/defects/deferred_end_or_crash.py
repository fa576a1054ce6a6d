"""Defects of the way a session ends: only at its next statement, by an idle timeout, or in a crash of the server."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

from runner.simulator import errors
from runner.simulator.catalogue import breaks
from runner.simulator.components import Components
from runner.simulator.connection import Connection
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.kill import KillSessionStatement, session_id
from runner.simulator.execute.results import Result
from runner.simulator.sessions import SESSION_KILLED, Session, SessionEnding
from runner.simulator.sql import statements as sql
from runner.simulator.variants.ending_of_sessions import ClosesIdleSessions

SHORT_OUTAGE_SECONDS = 0.3
LONG_OUTAGE_SECONDS = 3.0


@breaks("PUR-1")
def ends_idle_sessions_at_their_next_statement(components: Components) -> Components:
    """An idle session stays connected and listed, and is closed at its client's next statement."""
    return components.with_overrides(_MarksIdleSessions, _EndsTheMarked)


@breaks("PUR-1")
def refuses_statements_of_killed_idle_sessions(components: Components) -> Components:
    """An idle session stays connected and listed permanently; its later statements are refused."""
    return components.with_overrides(_MarksIdleSessions, _RefusesTheMarked)


class _MarksIdleSessions(SessionEnding):
    def kill(self, victim: Session) -> None:
        if victim.statement is None:
            victim.state = SESSION_KILLED
        else:
            super().kill(victim)


class _EndsTheMarked(Connection):
    async def _run_command(self, session: Session, command: int, body: bytes) -> None:
        if session.state == SESSION_KILLED:
            raise errors.SessionEndedError
        await super()._run_command(session, command, body)


class _RefusesTheMarked(Connection):
    async def _run_command(self, session: Session, command: int, body: bytes) -> None:
        if session.state == SESSION_KILLED:
            self._send_error(errors.session_killed())
        else:
            await super()._run_command(session, command, body)


@breaks("PUR-1")
def ignores_the_kill_and_closes_idle_sessions(components: Components) -> Components:
    """The statement replies OK and kills no session; every session is closed after 2 idle seconds."""
    return components.with_overrides(ClosesIdleSessions, _EndsNothing)


class _EndsNothing(KillSessionStatement):
    async def end(self, session: Session, victim: Session, statement: sql.KillSession) -> None:
        pass


class _Crashes(Engine):
    """The server crashes, and restarts after 0.3 seconds."""

    seconds = SHORT_OUTAGE_SECONDS

    def crashes(self, session: Session, victim: Session | None) -> bool:  # noqa: ARG002 - for the overrides below
        """Whether a statement of this session crashes the server; ``victim`` is the session that it names, or None."""
        return True

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        if isinstance(statement, sql.KillSession) and self.crashes(session, self._named(statement)):
            self.instance.crash_switch.crash(self.seconds)
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

    seconds = LONG_OUTAGE_SECONDS


@breaks("IMP-10")
class CrashesAtAKillOfTheOwnSession(_Crashes):
    """A statement that names its own session crashes the server."""

    def crashes(self, session: Session, victim: Session | None) -> bool:
        return victim is session


@breaks("IMP-10")
class CrashesAtAnUnknownId(_Crashes):
    """Unknown ids, and texts that are not ids, crash the server."""

    def crashes(self, session: Session, victim: Session | None) -> bool:  # noqa: ARG002 - for every sender
        return victim is None


@breaks("IMP-10")
class CrashesAtAKillOfARunningSession(_Crashes):
    """The kill of a session with a running statement crashes the server."""

    def crashes(self, session: Session, victim: Session | None) -> bool:
        return victim is not None and victim is not session and victim.waiting is not None


@breaks("IMP-10")
class CrashesAtAKillOfALockWaiter(_Crashes):
    """The kill of a session that waits for a row lock crashes the server."""

    def crashes(self, session: Session, victim: Session | None) -> bool:  # noqa: ARG002 - for every sender
        return victim is not None and victim.waits_for_lock
