"""Defects: the privilege of another session counts, one that is active at the same moment or was there before."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

import asyncio
from typing import ClassVar

from runner.simulator.catalogue import breaks
from runner.simulator.components import Components
from runner.simulator.connection import Connection
from runner.simulator.execute.kill import KillSessionStatement
from runner.simulator.execute.results import Result
from runner.simulator.privilege_checks import Privileges
from runner.simulator.session_ending import SessionEnding
from runner.simulator.sessions import Session
from runner.simulator.sql.statements import KillSession
from runner.simulator.users_and_roles import ALTER_SYSTEM

_DURATION = 0.05  # seconds


@breaks("PUR-2")
class DroppedUsersNeedNoPrivilege(KillSessionStatement):
    """The privilege is not checked in sessions whose user was dropped."""

    def check_privilege(self, session: Session) -> None:
        if self.privileges.accounts.users.get(session.user.name) is session.user:
            super().check_privilege(session)


@breaks("PUR-2")
class LaterSendersCount(KillSessionStatement):
    """The privilege of the session counts that has sent a statement last, also if that was after this one."""

    last: ClassVar[list[Session]] = []

    async def run(self, session: Session, statement: KillSession) -> Result:
        self.last[:] = [session]
        await asyncio.sleep(_DURATION)
        return await super().run(session, statement)

    def check_privilege(self, session: Session) -> None:  # noqa: ARG002 - the defect
        super().check_privilege(self.last[0])


@breaks("PUR-2")
class NobodyIsCheckedDuringAKill(KillSessionStatement):
    """While the statement of a session with the privilege is executed, no session's privilege is checked."""

    active = 0

    def check_privilege(self, session: Session) -> None:
        if not self.active:
            super().check_privilege(session)

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        self.active += 1
        try:
            await asyncio.sleep(_DURATION)
            await super().end(session, victim, statement)
        finally:
            self.active -= 1


class _LeavesThePrivilege(SessionEnding):
    left: ClassVar[list[Session]] = []
    heirs: ClassVar[set[Session]] = set()

    def kill(self, victim: Session) -> None:
        super().kill(victim)
        if ALTER_SYSTEM in victim.user.system:
            self.left.append(victim)


class _TakesItUp(Connection):
    async def _log_in(self) -> Session:
        session = await super()._log_in()
        if _LeavesThePrivilege.left:
            _LeavesThePrivilege.left.clear()
            _LeavesThePrivilege.heirs.add(session)
        return session


class _HeirsHold(Privileges):
    def holds(self, session: Session, privilege: str) -> bool:
        inherited = privilege == ALTER_SYSTEM and session in _LeavesThePrivilege.heirs
        return inherited or super().holds(session, privilege)


@breaks("PUR-2")
def next_login_has_the_privilege_of_the_killed(components: Components) -> Components:
    """The next session that logs in after the kill of a holder's session has ALTER SYSTEM, whatever its user."""
    return components.with_overrides(_LeavesThePrivilege, _TakesItUp, _HeirsHold)
