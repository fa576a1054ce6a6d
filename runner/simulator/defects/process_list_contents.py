"""Defects of the process list after a kill: rows that stay, are hidden, or show another command."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

import time
from typing import ClassVar

from runner.simulator.catalogue import breaks
from runner.simulator.components import Components
from runner.simulator.connection import Connection
from runner.simulator.execute.kill import KillSessionStatement
from runner.simulator.execute.process_list import ProcessList
from runner.simulator.sessions import ACTIVE, Session, SessionEnding, SessionRegistry
from runner.simulator.sql.statements import KillSession
from runner.simulator.values import Value


class _RemembersKills(SessionEnding):
    killed: ClassVar[list[tuple[float, Session]]] = []

    def kill(self, victim: Session) -> None:
        self.killed.append((time.monotonic(), victim))
        super().kill(victim)


class _RemembersLogins(SessionRegistry):
    logins: ClassVar[dict[Session, float]] = {}

    def add(self, session: Session) -> None:
        self.logins[session] = time.monotonic()
        super().add(session)


class _ListsTheKilled(ProcessList):
    def rows(self, viewer: Session, *, full: bool) -> list[tuple[Value, ...]]:
        since = _RemembersLogins.logins[viewer]
        late = [
            self.row(victim, full=full)
            for at, victim in _RemembersKills.killed
            if victim.user is viewer.user and not viewer.user.administrator and at < since < at + 20
        ]
        return super().rows(viewer, full=full) + late


@breaks("PUR-1")
def rows_stay_in_the_lists_of_later_logins(components: Components) -> Components:
    """Sessions of the user that log in after the kill see the killed session's row: their node has a stale copy."""
    return components.with_overrides(_RemembersKills, _RemembersLogins, _ListsTheKilled)


class _NotesSenders(KillSessionStatement):
    sent: ClassVar[dict[Session, str | None]] = {}

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        self.sent[session] = session.statement


class _ListsSendersAsActive(ProcessList):
    def command(self, session: Session) -> str:
        return "Query" if session in _NotesSenders.sent else super().command(session)

    def state(self, session: Session) -> str:
        return ACTIVE if session in _NotesSenders.sent else super().state(session)

    def info(self, session: Session) -> str | None:
        return super().info(session) or _NotesSenders.sent.get(session)


@breaks("EXA-4")
def senders_stay_active(components: Components) -> Components:
    """The process list shows a session that has killed another one as active with this statement, permanently."""
    return components.with_overrides(_NotesSenders, _ListsSendersAsActive)


class _HidesAMate(SessionEnding):
    hidden: ClassVar[set[Session]] = set()

    def kill(self, victim: Session) -> None:
        mates = [
            other
            for other in self.registry
            if other.user is victim.user and other is not victim and other.statement is None
        ]
        if not victim.user.administrator:
            self.hidden.update(mates[:1])
        super().kill(victim)


class _ListsNoHidden(ProcessList):
    def rows(self, viewer: Session, *, full: bool) -> list[tuple[Value, ...]]:
        shown = super().rows(viewer, full=full)
        numbers = {session.number for session in _HidesAMate.hidden if session is not viewer}
        return [row for row in shown if row[0] not in numbers]


@breaks("EXA-4")
def hides_another_row_of_the_user(components: Components) -> Components:
    """The row of another, idle session of the killed session's user leaves the process list as well, permanently."""
    return components.with_overrides(_HidesAMate, _ListsNoHidden)


@breaks("EXA-4")
class IdleTransactionsShowQuery(ProcessList):
    """The process list shows an idle session with an open transaction as Query."""

    def command(self, session: Session) -> str:
        return "Query" if session.transaction.open else super().command(session)


@breaks("EXA-4")
class RefusedSessionsShowTheirStatement(ProcessList):
    """The process list shows an idle session as ACTIVE after its statement was refused, until its next one."""

    def state(self, session: Session) -> str:
        return super().state(session) if session.last_error is None else ACTIVE


@breaks("EXA-4")
class SessionsThatHavePreparedShowExecute(ProcessList):
    """The process list shows idle sessions that have prepared a statement as Execute."""

    def command(self, session: Session) -> str:
        client = session.connection
        idle = session.statement is None and isinstance(client, Connection) and client.has_prepared
        return "Execute" if idle else super().command(session)
