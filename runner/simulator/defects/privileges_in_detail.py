"""Privileges that are missed or invented in details: options, roles, resets, texts."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

from typing import ClassVar

from runner.simulator import errors
from runner.simulator.accounts import ALTER_SYSTEM
from runner.simulator.catalogue import breaks
from runner.simulator.components import Components
from runner.simulator.defects.histories_of_sessions import NotesResets
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.kill import KillSessionStatement
from runner.simulator.execute.results import Result
from runner.simulator.privilege_checks import Privileges
from runner.simulator.sessions import Session
from runner.simulator.sql import statements as sql
from runner.simulator.sql.statements import KillSession


@breaks("PUR-2")
class AdminOptionIsNotThePrivilege(Privileges):
    """A user to whom ALTER SYSTEM was granted WITH ADMIN OPTION is refused."""

    def holds(self, session: Session, privilege: str) -> bool:
        if privilege != ALTER_SYSTEM or session.user.administrator:
            return super().holds(session, privilege)
        return any(grantee.system.get(privilege) is False for grantee in self._sources(session))


@breaks("PUR-2")
class RolesShadowGrants(Privileges):
    """A user with ALTER SYSTEM that also has a role without it is refused: only its roles are looked at."""

    def holds(self, session: Session, privilege: str) -> bool:
        roles = session.roles - {"PUBLIC"}
        if privilege != ALTER_SYSTEM or session.user.administrator or not roles:
            return super().holds(session, privilege)
        return any(privilege in self.accounts.roles[name].system for name in roles if name in self.accounts.roles)


class _TrustsResetSessions(KillSessionStatement):
    def check_privilege(self, session: Session) -> None:
        if session not in NotesResets.reset:
            super().check_privilege(session)


@breaks("PUR-2")
def reset_sessions_need_no_privilege(components: Components) -> Components:
    """In a session that a connection pool has reset (COM_RESET_CONNECTION), the privilege is not checked."""
    return components.with_overrides(NotesResets, _TrustsResetSessions)


@breaks("PUR-2")
class PaddedIdsNeedNoPrivilege(KillSessionStatement):
    """If there are blanks around the id, the privilege is not checked."""

    padded = False

    async def run(self, session: Session, statement: KillSession) -> Result:
        text = statement.text.partition(",")[0]
        self.padded = text != text.strip()
        return await super().run(session, statement)

    def check_privilege(self, session: Session) -> None:
        if not self.padded:
            super().check_privilege(session)


@breaks("PUR-2")
class AlterOnATableWillDo(KillSessionStatement):
    """Users with the privilege ALTER on any table may kill sessions."""

    def check_privilege(self, session: Session) -> None:
        if not any(privilege == "ALTER" for _, privilege in session.user.objects):
            super().check_privilege(session)


@breaks("PUR-2")
class GrantOfAnotherPrivilegeTakesIt(Engine):
    """GRANT of another system privilege revokes ALTER SYSTEM, which was granted before."""

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        result = await super().run(session, statement, depth)
        if isinstance(statement, sql.Grant) and statement.privileges and ALTER_SYSTEM not in statement.privileges:
            for name in statement.grantees:
                self.instance.accounts.grantee(name).system.pop(ALTER_SYSTEM, None)
        return result


@breaks("IMP-4")
class PreparedStatementsLookTheIdUpFirst(KillSessionStatement):
    """Without the privilege, existing and unknown ids give different errors in prepared statements."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        if session.prepared:
            self.find(self.read_id(statement))
        return await super().run(session, statement)


@breaks("IMP-4")
class KilledIdsHaveAnErrorOfTheirOwn(KillSessionStatement):
    """Without the privilege, the id of a session that was killed gets another error than other ids."""

    killed: ClassVar[set[int]] = set()

    async def run(self, session: Session, statement: KillSession) -> Result:
        number = self.read_id(statement)
        if number in self.killed:
            raise errors.unknown_session(number)
        return await super().run(session, statement)

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        self.killed.add(victim.number)
