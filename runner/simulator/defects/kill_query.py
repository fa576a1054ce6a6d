"""Defects of the effect of KILL QUERY."""

# ruff: noqa: ARG002, D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

import asyncio
from typing import Any

from runner.simulator import errors
from runner.simulator.catalogue import breaks
from runner.simulator.components import Components
from runner.simulator.connection import Connection
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.kill import PlainKill
from runner.simulator.execute.results import Result
from runner.simulator.execute.server_instance import Instance
from runner.simulator.sessions import Session
from runner.simulator.sql import statements as sql
from runner.simulator.timers import call_later

QUERY_KILLED = "QUERY_KILLED"
SOON_SECONDS = 0.05


@breaks("QUERY-1")
class KillQueryDoesNothing(PlainKill):
    """KILL QUERY replies OK and does nothing."""

    def interrupt(self, session: Session, victim: Session) -> None:
        pass


@breaks("QUERY-5")
class KillQueryMissesPreparedStatements(PlainKill):
    """KILL QUERY does not end a statement that was prepared."""

    def interrupt(self, session: Session, victim: Session) -> None:
        if not victim.prepared:
            super().interrupt(session, victim)


@breaks("QUERY-1")
class KillQueryMissesTransactions(PlainKill):
    """KILL QUERY does not end a statement of a session with an open transaction."""

    def interrupt(self, session: Session, victim: Session) -> None:
        if not victim.transaction.open:
            super().interrupt(session, victim)


@breaks("QUERY-1")
class KillQueryWorksOnce(PlainKill):
    """KILL QUERY ends one statement of each session; later ones are not ended."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.hit: set[Session] = set()

    def interrupt(self, session: Session, victim: Session) -> None:
        if victim not in self.hit:
            super().interrupt(session, victim)
        self.hit.add(victim)


@breaks("QUERY-2")
class KillQueryEndsTheSession(PlainKill):
    """KILL QUERY ends the session too."""

    def interrupt(self, session: Session, victim: Session) -> None:
        self.ending.kill(victim)


@breaks("QUERY-2")
class KillQueryEndsTheSessionAMomentLater(PlainKill):
    """KILL QUERY ends the statement, and 0.05 seconds later the session."""

    def interrupt(self, session: Session, victim: Session) -> None:
        super().interrupt(session, victim)
        call_later(SOON_SECONDS, self.ending.kill, victim)


@breaks("QUERY-2")
class KillQueryHidesTheSession(PlainKill):
    """The row of a session whose statement KILL QUERY ends leaves the process list; the session stays connected."""

    def interrupt(self, session: Session, victim: Session) -> None:
        super().interrupt(session, victim)
        self.ending.remove_row(victim)


@breaks("QUERY-2")
class KillQueryForgetsPreparedStatements(PlainKill):
    """A session whose statement KILL QUERY ends loses the statements that it has prepared."""

    def interrupt(self, session: Session, victim: Session) -> None:
        super().interrupt(session, victim)
        if isinstance(victim.connection, Connection):
            victim.connection._prepared.clear()  # noqa: SLF001 - a defect may use private attributes


@breaks("QUERY-3")
def kill_query_refuses_the_next_statement(components: Components) -> Components:
    """KILL QUERY of an idle session: the next statement of the session fails."""
    return components.with_overrides(_MarksIdleSessions, _RefusesOnce)


class _MarksIdleSessions(PlainKill):
    def interrupt(self, session: Session, victim: Session) -> None:
        if victim.statement is None:
            victim.state = QUERY_KILLED
        else:
            super().interrupt(session, victim)


class _RefusesOnce(Connection):
    async def _run_command(self, session: Session, command: int, body: bytes) -> None:
        if session.state == QUERY_KILLED:
            session.finish_statement()
            self._send_error(errors.query_killed())
        else:
            await super()._run_command(session, command, body)


@breaks("QUERY-3")
def kill_query_waits_for_a_statement(components: Components) -> Components:
    """KILL QUERY of an idle session ends the next statement that has to wait, even much later."""
    return components.with_overrides(_RemembersIdleSessions, _EndsTheNextThatWaits)


class _RemembersIdleSessions(PlainKill):
    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.remembered: set[Session] = set()

    def interrupt(self, session: Session, victim: Session) -> None:
        if victim.statement is None:
            self.remembered.add(victim)
        else:
            super().interrupt(session, victim)


class _EndsTheNextThatWaits(Engine):
    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        call_later(0, self._end, session)
        return await super().run(session, statement, depth)

    def _end(self, session: Session) -> None:
        kill = self.instance.plain_kill
        if not isinstance(kill, _RemembersIdleSessions) or session not in kill.remembered:
            return
        if session.interrupt(errors.query_killed()):
            kill.remembered.discard(session)


@breaks("QUERY-4")
class KillQueryRollsBack(PlainKill):
    """KILL QUERY rolls the open transaction of the session back."""

    def interrupt(self, session: Session, victim: Session) -> None:
        victim.transaction.roll_back()
        super().interrupt(session, victim)


@breaks("QUERY-4")
class KillQueryCommits(PlainKill):
    """KILL QUERY commits the open transaction of the session."""

    def interrupt(self, session: Session, victim: Session) -> None:
        victim.transaction.commit()
        super().interrupt(session, victim)


@breaks("QUERY-4")
class KilledUpdateIsMadeLater(Engine):
    """An UPDATE that KILL QUERY ends while it waits for a row lock is made when the lock is released."""

    def __init__(self, instance: Instance) -> None:
        super().__init__(instance)
        self.tasks: set[asyncio.Task[Result]] = set()

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        try:
            return await super().run(session, statement, depth)
        except errors.SqlError as error:
            if isinstance(statement, sql.Update) and error.sqlstate == errors.query_killed().sqlstate:
                task = asyncio.ensure_future(super().run(session, statement, depth))
                self.tasks.add(task)
                task.add_done_callback(self.tasks.discard)
            raise


@breaks("QUERY-4")
class KilledUpdateIsMade(Engine):
    """An UPDATE that KILL QUERY ends at its last moment gets an error, and its rows stay changed."""

    async def execute(self, session: Session, text: str) -> Result:
        result = await super().execute(session, text)
        if isinstance(self.parse(text), sql.Update):
            await session.wait(SOON_SECONDS)
        return result


@breaks("QUERY-5")
class KillQueryMissesWaitingStatements(PlainKill):
    """KILL QUERY does not end a statement that waits for a row lock."""

    def interrupt(self, session: Session, victim: Session) -> None:
        if not victim.waits_for_lock:
            super().interrupt(session, victim)
