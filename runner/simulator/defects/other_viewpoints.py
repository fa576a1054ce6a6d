"""Defects outside the killed session: in other users' lists, and in waiting, killing and refused sessions."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

from typing import Any

from runner.simulator.accounts import ALTER_SYSTEM
from runner.simulator.catalogue import breaks
from runner.simulator.components import Components
from runner.simulator.execute.kill import KillSessionStatement
from runner.simulator.execute.process_list import ProcessList
from runner.simulator.execute.results import Result
from runner.simulator.session_ending import SessionEnding
from runner.simulator.sessions import Registry, Session
from runner.simulator.sql.statements import KillSession
from runner.simulator.values import Value


class _WithGhosts(Registry):
    """The sessions, and those that a statement has killed."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.ghosts: list[Session] = []


class _LeavesGhosts(SessionEnding):
    def kill(self, victim: Session) -> None:
        super().kill(victim)
        if isinstance(self.registry, _WithGhosts):
            self.registry.ghosts.append(victim)


class _ShowsGhostsToTheUser(ProcessList):
    def rows(self, viewer: Session, *, full: bool) -> list[tuple[Value, ...]]:
        rows = super().rows(viewer, full=full)
        if isinstance(self.registry, _WithGhosts) and not viewer.user.administrator:
            rows += [self.row(ghost, full=full) for ghost in self.registry.ghosts if ghost.user is viewer.user]
        return rows


@breaks("PUR-1")
def row_stays_in_the_users_list(components: Components) -> Components:
    """The row of a killed session stays in the process lists of its user, and leaves the administrator's."""
    return components.with_overrides(_WithGhosts, _LeavesGhosts, _ShowsGhostsToTheUser)


@breaks("IMP-5")
class WakesOnlyTheFirstWaiter(SessionEnding):
    """Of several sessions that wait for row locks of a killed session only the first gets its lock."""

    def roll_back(self, victim: Session) -> None:
        victim.transaction.forget_waiters_but_one()
        super().roll_back(victim)


@breaks("PUR-2")
class RefusalRollsTheNamedBack(KillSessionStatement):
    """A statement that is refused for the privilege rolls back the transaction of the session that it names."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        named = None if self.privileges.holds(session, ALTER_SYSTEM) else self.registry.find(self.read_id(statement))
        if named is not None and named is not session and not named.user.administrator:
            named.transaction.roll_back()
        return await super().run(session, statement)


@breaks("IMP-7")
class TakesTheUsersTablePrivileges(SessionEnding):
    """The user of a killed session loses its privileges for tables."""

    def kill(self, victim: Session) -> None:
        super().kill(victim)
        if not victim.user.administrator:
            victim.user.objects.clear()


@breaks("PUR-1")
class SparesSessionsOfTheAdministrator(KillSessionStatement):
    """With serial# or IMMEDIATE, a session of the administrator is not killed."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if not (victim.user.administrator and ("," in statement.text or statement.immediate)):
            await super().end(session, victim, statement)


@breaks("IMP-11")
class DropsTheKillersSavepoints(KillSessionStatement):
    """The savepoints of the session that sends the statement are dropped."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        session.savepoints.clear()


@breaks("PUR-2")
class ChecksThePrivilegeOfAPreparedStatementOnce(KillSessionStatement):
    """The privilege is checked only at the first execution of a prepared statement."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._checked: set[tuple[int, str | None]] = set()

    def check_privilege(self, session: Session) -> None:
        key = (session.number, session.statement)
        if session.prepared and key in self._checked:
            return
        self._checked.add(key)
        self.privileges.require(session, ALTER_SYSTEM)
