"""Defects: another privilege suffices, or the privilege of another user, role or session."""

# ruff: noqa: ARG002, D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

import asyncio
from typing import ClassVar

from runner.simulator import errors
from runner.simulator.catalogue import breaks
from runner.simulator.components import Components
from runner.simulator.connection import Connection
from runner.simulator.defects.histories_of_sessions import NotesResets
from runner.simulator.defects.revoke_and_roles import AcceptsSomethingElse
from runner.simulator.execute.kill import KillSessionStatement
from runner.simulator.execute.results import Result
from runner.simulator.session_privileges import Privileges
from runner.simulator.sessions import Session, SessionEnding
from runner.simulator.sql.statements import KillSession
from runner.simulator.users_and_roles import ALTER_SYSTEM, CREATE_SESSION, SHOW_PROCESS, Accounts, User


@breaks("PUR-2")
class AnyPrivilegeWillDo(KillSessionStatement):
    """Users with any privilege, even CREATE SESSION only, may kill sessions."""

    def check_privilege(self, session: Session) -> None:
        if not self.privileges.held(session):
            super().check_privilege(session)


@breaks("PUR-2")
class AnotherPrivilegeWillDo(KillSessionStatement):
    """Users with any privilege besides CREATE SESSION may kill sessions."""

    def check_privilege(self, session: Session) -> None:
        if self.privileges.held(session) in ([], [CREATE_SESSION]):
            super().check_privilege(session)


@breaks("PUR-2")
class OwnersNeedNoPrivilege(KillSessionStatement):
    """Sessions of the same user may be killed without the privilege, as with the plain KILL."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        victim = self.registry.find(self.read_id(statement))
        if victim is not None and victim.user is session.user:
            await self.end(session, victim, statement)
            return self.reply()
        return await super().run(session, statement)


@breaks("PUR-2")
class PrivilegesToAlterWillDo(KillSessionStatement):
    """Users with a privilege that begins like ALTER SYSTEM, such as ALTER SESSION, may kill sessions."""

    def check_privilege(self, session: Session) -> None:
        if not any(privilege.startswith("ALTER S") for privilege in self.privileges.held(session)):
            super().check_privilege(session)


@breaks("PUR-2")
class ShowingWillDo(KillSessionStatement):
    """Users that may see all sessions may kill them."""

    def check_privilege(self, session: Session) -> None:
        if not self.privileges.holds(session, SHOW_PROCESS):
            super().check_privilege(session)


@breaks("PUR-2")
class OldPrivilegesComeBack(Accounts):
    """A new user gets the privileges of a dropped user with the same name."""

    def __init__(self, admin_password: str) -> None:
        self.dropped: dict[str, dict[str, bool]] = {}
        super().__init__(admin_password)

    def create_user(self, name: str, password: str) -> User:
        user = super().create_user(name, password)
        user.system.update(self.dropped.get(name, {}))
        return user

    def drop_user(self, name: str) -> None:
        self.dropped[name] = dict(self.users[name].system)
        super().drop_user(name)


@breaks("PUR-2")
class ChecksTheVictimsUser(KillSessionStatement):
    """The privilege of the named session's user is checked, not that of the sending one."""

    def check_privilege(self, session: Session) -> None:
        pass

    def check_owner(self, session: Session, victim: Session) -> None:
        super().check_privilege(victim)


class _OtherPrivilegesWillDo(KillSessionStatement):
    """Users with a certain other privilege may kill sessions."""

    others: ClassVar[tuple[str, ...]]

    def check_privilege(self, session: Session) -> None:
        if not any(self.privileges.holds(session, other) for other in self.others):
            super().check_privilege(session)


@breaks("PUR-2")
class AlterDatabaseWillDo(_OtherPrivilegesWillDo):
    """Users with ALTER DATABASE may kill sessions."""

    others = ("ALTER DATABASE",)


@breaks("PUR-2")
class AuditSystemWillDo(_OtherPrivilegesWillDo):
    """Users with AUDIT SYSTEM may kill sessions."""

    others = ("AUDIT SYSTEM",)


@breaks("PUR-2")
class ReadingTheDictionaryWillDo(_OtherPrivilegesWillDo):
    """Users with SELECT ANY DICTIONARY may kill sessions."""

    others = ("SELECT ANY DICTIONARY",)


@breaks("PUR-2")
class AnyRightToAlterWillDo(_OtherPrivilegesWillDo):
    """Users with ALTER TABLESPACE, ALTER PROFILE, or ALTER ANY TABLE may kill sessions."""

    others = ("ALTER TABLESPACE", "ALTER PROFILE", "ALTER ANY TABLE")


@breaks("PUR-2")
class CreateRoleWillDo(_OtherPrivilegesWillDo):
    """Users with CREATE ROLE may kill sessions."""

    others = ("CREATE ROLE",)


@breaks("PUR-2")
class LongerNamesWillDo(AcceptsSomethingElse):
    """Users whose name begins with a holder's name may kill sessions."""

    def is_accepted(self, session: Session) -> bool:
        users = self.privileges.accounts.users.values()
        return any(ALTER_SYSTEM in user.system and session.user.name.startswith(user.name) for user in users)


@breaks("PUR-2")
class ShorterNamesWillDo(AcceptsSomethingElse):
    """Users whose name is the beginning of a holder's name may kill sessions."""

    def is_accepted(self, session: Session) -> bool:
        users = self.privileges.accounts.users.values()
        return any(ALTER_SYSTEM in user.system and user.name.startswith(session.user.name) for user in users)


@breaks("PUR-2")
class TheSameNameInCapitalsWillDo(AcceptsSomethingElse):
    """Users whose name in capitals is a holder's name may kill sessions, as if privileges were kept by folded names."""

    def is_accepted(self, session: Session) -> bool:
        user = self.privileges.accounts.users.get(session.user.name.upper())
        return user is not None and ALTER_SYSTEM in user.system


@breaks("PUR-2")
class TheOwnerOfTheSchemaCounts(AcceptsSomethingElse):
    """The privilege is checked for the owner of the session's current schema, not for the session's user."""

    def is_accepted(self, session: Session) -> bool:
        owner = self.privileges.accounts.users.get(session.schema)
        return owner is not None and (owner.administrator or ALTER_SYSTEM in owner.system)


@breaks("PUR-2")
class AlterOnATableWillDo(KillSessionStatement):
    """Users with the privilege ALTER on any table may kill sessions."""

    def check_privilege(self, session: Session) -> None:
        if not any(privilege == "ALTER" for _, privilege in session.user.objects):
            super().check_privilege(session)


class _ComparesTheUserOfTheLogin(KillSessionStatement):
    def check_owner(self, session: Session, victim: Session) -> None:
        first = NotesResets.first_users.get(session)
        if first is not None and victim.user is not first and not first.administrator:
            raise errors.not_the_owner(victim.number)
        super().check_owner(session, victim)


@breaks("PUR-2")
def the_sender_is_the_user_of_the_login(components: Components) -> Components:
    """A session whose user was changed to a holder (COM_CHANGE_USER) can't kill sessions of this holder."""
    return components.with_overrides(NotesResets, _ComparesTheUserOfTheLogin)


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

    def check_privilege(self, session: Session) -> None:
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
