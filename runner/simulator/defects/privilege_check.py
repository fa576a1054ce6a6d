"""Defects of the privilege check: which users may kill which sessions, and the errors for others."""

# ruff: noqa: ARG002, D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

from typing import ClassVar

from runner.simulator import errors
from runner.simulator.catalogue import breaks
from runner.simulator.execute.kill import KillSessionStatement, require_ownership
from runner.simulator.execute.results import Done, Result
from runner.simulator.sessions import Session
from runner.simulator.sql.statements import KillSession
from runner.simulator.timers import call_later
from runner.simulator.users_and_roles import ALTER_SYSTEM, CREATE_SESSION, SHOW_PROCESS, Accounts, User


@breaks("PUR-2")
class NeedsNoPrivilege(KillSessionStatement):
    """Every user may kill every session."""

    def check_privilege(self, session: Session) -> None:
        pass


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
class OwnSessionNeedsNoPrivilege(KillSessionStatement):
    """A session may kill itself without the privilege."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        if self.read_id(statement) == session.number:
            await self.end(session, session, statement)
            return self.reply()
        return await super().run(session, statement)


@breaks("PUR-2")
class SerialFormNeedsNoPrivilege(KillSessionStatement):
    """With a serial# the privilege is not checked."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        if "," in statement.text:
            await self.end(session, self.find(self.read_id(statement)), statement)
            return self.reply()
        return await super().run(session, statement)


@breaks("PUR-2")
class ImmediateNeedsNoPrivilege(KillSessionStatement):
    """With IMMEDIATE the privilege is not checked."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        if statement.immediate:
            await self.end(session, self.find(self.read_id(statement)), statement)
            return self.reply()
        return await super().run(session, statement)


@breaks("PUR-2")
class ChecksAfterTheEffect(KillSessionStatement):
    """Without the privilege the session is killed, and then the missing privilege is reported."""

    def check_privilege(self, session: Session) -> None:
        pass

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        super().check_privilege(session)


@breaks("PUR-2")
class RefusesAndEndsLater(KillSessionStatement):
    """The missing privilege is reported, and a moment later the session is killed."""

    delay = 0.05  # seconds

    async def run(self, session: Session, statement: KillSession) -> Result:
        try:
            return await super().run(session, statement)
        except errors.SqlError:
            victim = self.registry.find(self.read_id(statement))
            if victim is not None:
                call_later(self.delay, self.ending.kill, victim)
            raise


@breaks("PUR-2")
class RefusesAndEndsMuchLater(RefusesAndEndsLater):
    """The missing privilege is reported, and one and a half seconds later the session is killed."""

    delay = 1.5


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


@breaks("PUR-2")
class ChecksOnceForAll(KillSessionStatement):
    """After the first statement with the privilege, the privilege is not checked any more."""

    shown = False

    def check_privilege(self, session: Session) -> None:
        if not self.shown:
            super().check_privilege(session)
            self.shown = True


@breaks("PUR-2")
class ForgetsHoldersAfterARefusal(KillSessionStatement):
    """After the first refusal, every user but the administrator is refused."""

    refused = False

    def check_privilege(self, session: Session) -> None:
        if self.refused and not session.user.administrator:
            raise errors.no_privilege()
        try:
            super().check_privilege(session)
        except errors.SqlError:
            self.refused = True
            raise


@breaks("PUR-2")
class MissingPrivilegeIsAnsweredOk(KillSessionStatement):
    """Without the privilege the reply is OK and nothing happens."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        return await super().run(session, statement) if self.privileges.holds(session, ALTER_SYSTEM) else Done()


@breaks("PUR-2")
class RefusesTheAdministrator(KillSessionStatement):
    """The administrator is refused, because it was not granted the privilege."""

    def check_privilege(self, session: Session) -> None:
        if ALTER_SYSTEM not in session.user.system:
            raise errors.no_privilege()


@breaks("PUR-2")
class AdministratorReachesItsOwnOnly(KillSessionStatement):
    """The administrator can kill only its own sessions."""

    def check_owner(self, session: Session, victim: Session) -> None:
        if session.user.administrator and victim.user is not session.user:
            raise errors.not_the_owner(victim.number)


@breaks("PUR-2")
class RefusesHolders(KillSessionStatement):
    """Only the administrator may kill sessions, whatever was granted."""

    def check_privilege(self, session: Session) -> None:
        if not session.user.administrator:
            raise errors.no_privilege()


@breaks("PUR-2")
class HoldersReachOthersOnly(KillSessionStatement):
    """A holder of the privilege can kill sessions of other users, but none of its own user."""

    def check_owner(self, session: Session, victim: Session) -> None:
        if not session.user.administrator and victim.user is session.user and victim is not session:
            raise errors.not_the_owner(victim.number)


@breaks("PUR-3")
class OwnerOnly(KillSessionStatement):
    """A holder other than the administrator can kill sessions of its own user only, as in OceanBase."""

    def check_owner(self, session: Session, victim: Session) -> None:
        require_ownership(session, victim)


@breaks("PUR-3")
class HoldersAreOutOfReach(KillSessionStatement):
    """A holder can kill sessions of users without the privilege, but none of another holder."""

    def check_owner(self, session: Session, victim: Session) -> None:
        if self.privileges.holds(victim, ALTER_SYSTEM):
            require_ownership(session, victim)


@breaks("PUR-3")
class AdministratorIsOutOfReach(KillSessionStatement):
    """A holder can kill sessions of every user, but none of the administrator."""

    def check_owner(self, session: Session, victim: Session) -> None:
        if victim.user.administrator:
            require_ownership(session, victim)


@breaks("IMP-3")
class MissingPrivilegeIsASyntaxError(KillSessionStatement):
    """Without the privilege the statement is a syntax error."""

    def check_privilege(self, session: Session) -> None:
        if not self.privileges.holds(session, ALTER_SYSTEM):
            raise errors.syntax_error("KILL", 1)


@breaks("IMP-3")
class MissingPrivilegeIsAnUnknownSession(KillSessionStatement):
    """Without the privilege every id is unknown."""

    def check_privilege(self, session: Session) -> None:
        if not self.privileges.holds(session, ALTER_SYSTEM):
            raise errors.unknown_session(0)


@breaks("IMP-4")
class LooksTheIdUpFirst(KillSessionStatement):
    """Without the privilege, existing and unknown ids give different errors."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        self.find(self.read_id(statement))
        return await super().run(session, statement)


@breaks("IMP-4")
class ReadsTheIdFirst(KillSessionStatement):
    """Without the privilege, numbers and other texts give different errors."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        if self.read_id(statement) == 0:
            raise errors.invalid_session_id()
        return await super().run(session, statement)


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
