"""Defects: the kill changes settings of other sessions, or drops their savepoints or prepared statements."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

from typing import ClassVar

from runner.simulator.catalogue import breaks
from runner.simulator.components import Components
from runner.simulator.connection import Connection
from runner.simulator.execute.kill import KillSessionStatement
from runner.simulator.session_ending import SessionEnding
from runner.simulator.sessions import Session
from runner.simulator.sql.statements import KillSession


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
