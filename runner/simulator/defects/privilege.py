"""Defects of the privilege: who may end whose sessions."""

# ruff: noqa: ARG002, D102 - overriding one step of many, each explained where the honest one stands

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.simulator import errors
from runner.simulator.accounts import ALTER_SYSTEM, CREATE_SESSION, SHOW_PROCESS, Accounts
from runner.simulator.catalogue import breaks
from runner.simulator.deferring import later
from runner.simulator.execute.kill import KillSessionStatement, demand_ownership
from runner.simulator.execute.results import Done, Result

if TYPE_CHECKING:
    from runner.simulator.accounts import User
    from runner.simulator.sessions import Session
    from runner.simulator.sql.statements import KillSession


@breaks("PUR-2")
class NeedsNoPrivilege(KillSessionStatement):
    """Everybody may end every session."""

    def check_privilege(self, session: Session) -> None:
        pass


@breaks("PUR-2")
class AnyPrivilegeWillDo(KillSessionStatement):
    """Whoever holds any privilege at all, CREATE SESSION included, may end sessions."""

    def check_privilege(self, session: Session) -> None:
        if not self.privileges.held(session):
            super().check_privilege(session)


@breaks("PUR-2")
class AnotherPrivilegeWillDo(KillSessionStatement):
    """Whoever holds a privilege beyond CREATE SESSION may end sessions."""

    def check_privilege(self, session: Session) -> None:
        if self.privileges.held(session) in ([], [CREATE_SESSION]):
            super().check_privilege(session)


@breaks("PUR-2")
class OwnersNeedNoPrivilege(KillSessionStatement):
    """Sessions of one's own user may be ended without the privilege, as the plain KILL allows it."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        victim = self.registry.find(self.read_id(statement))
        if victim is not None and victim.user is session.user:
            await self.end(session, victim, statement)
            return self.answer()
        return await super().run(session, statement)


@breaks("PUR-2")
class OwnSessionNeedsNoPrivilege(KillSessionStatement):
    """A session may end itself without the privilege."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        if self.read_id(statement) == session.number:
            await self.end(session, session, statement)
            return self.answer()
        return await super().run(session, statement)


@breaks("PUR-2")
class SerialFormNeedsNoPrivilege(KillSessionStatement):
    """With a serial# nobody asks for the privilege."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        if "," in statement.text:
            await self.end(session, self.find(self.read_id(statement)), statement)
            return self.answer()
        return await super().run(session, statement)


@breaks("PUR-2")
class ImmediateNeedsNoPrivilege(KillSessionStatement):
    """With IMMEDIATE nobody asks for the privilege."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        if statement.immediate:
            await self.end(session, self.find(self.read_id(statement)), statement)
            return self.answer()
        return await super().run(session, statement)


@breaks("PUR-2")
class ChecksAfterTheEffect(KillSessionStatement):
    """Who lacks the privilege is told so, after the session has ended."""

    def check_privilege(self, session: Session) -> None:
        pass

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        super().check_privilege(session)


@breaks("PUR-2")
class RefusesAndEndsLater(KillSessionStatement):
    """Who lacks the privilege is told so, and a moment later the session ends all the same."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        try:
            return await super().run(session, statement)
        except errors.SqlError:
            victim = self.registry.find(self.read_id(statement))
            if victim is not None:
                later(0.05, self.ending.kill, victim)
            raise


@breaks("PUR-2")
class RefusesAndEndsMuchLater(KillSessionStatement):
    """Who lacks the privilege is told so, and one and a half seconds later the session ends all the same."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        try:
            return await super().run(session, statement)
        except errors.SqlError:
            victim = self.registry.find(self.read_id(statement))
            if victim is not None:
                later(1.5, self.ending.kill, victim)
            raise


@breaks("PUR-2")
class PrivilegesToAlterWillDo(KillSessionStatement):
    """Whoever holds a privilege that begins like ALTER SYSTEM, such as ALTER SESSION, may end sessions."""

    def check_privilege(self, session: Session) -> None:
        if not any(privilege.startswith("ALTER S") for privilege in self.privileges.held(session)):
            super().check_privilege(session)


@breaks("PUR-2")
class ShowingWillDo(KillSessionStatement):
    """Whoever may see all sessions may end them."""

    def check_privilege(self, session: Session) -> None:
        if not self.privileges.holds(session, SHOW_PROCESS):
            super().check_privilege(session)


@breaks("PUR-2")
class OldPrivilegesComeBack(Accounts):
    """A new user gets the privileges that a dropped one of the same name had."""

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
    """It is the user of the named session that needs the privilege, not the one that says it."""

    def check_privilege(self, session: Session) -> None:
        pass

    def check_owner(self, session: Session, victim: Session) -> None:
        super().check_privilege(victim)


@breaks("PUR-2")
class ChecksOnceForAll(KillSessionStatement):
    """Once somebody has shown the privilege, nobody is asked for it any more."""

    shown = False

    def check_privilege(self, session: Session) -> None:
        if not self.shown:
            super().check_privilege(session)
            self.shown = True


@breaks("PUR-2")
class ForgetsHoldersAfterARefusal(KillSessionStatement):
    """Once somebody was refused, every user but the administrator is."""

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
    """Without the privilege the answer is OK and nothing happens."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        return await super().run(session, statement) if self.privileges.holds(session, ALTER_SYSTEM) else Done()


@breaks("PUR-2")
class RefusesTheAdministrator(KillSessionStatement):
    """The administrator is refused, since nobody has granted it the privilege."""

    def check_privilege(self, session: Session) -> None:
        if ALTER_SYSTEM not in session.user.system:
            raise errors.no_privilege()


@breaks("PUR-2")
class AdministratorReachesItsOwnOnly(KillSessionStatement):
    """The administrator reaches its own sessions only."""

    def check_owner(self, session: Session, victim: Session) -> None:
        if session.user.administrator and victim.user is not session.user:
            raise errors.not_the_owner(victim.number)


@breaks("PUR-2")
class RefusesHolders(KillSessionStatement):
    """Nobody but the administrator may end sessions, whatever was granted."""

    def check_privilege(self, session: Session) -> None:
        if not session.user.administrator:
            raise errors.no_privilege()


@breaks("PUR-2")
class HoldersReachOthersOnly(KillSessionStatement):
    """A holder of the privilege reaches other users' sessions, but none of its own user."""

    def check_owner(self, session: Session, victim: Session) -> None:
        if not session.user.administrator and victim.user is session.user and victim is not session:
            raise errors.not_the_owner(victim.number)


@breaks("PUR-3")
class OwnerOnly(KillSessionStatement):
    """A holder that is no administrator reaches its own user's sessions only, as OceanBase has it."""

    def check_owner(self, session: Session, victim: Session) -> None:
        demand_ownership(session, victim)


@breaks("PUR-3")
class HoldersAreOutOfReach(KillSessionStatement):
    """A holder ends sessions of users without the privilege, but none of another holder."""

    def check_owner(self, session: Session, victim: Session) -> None:
        if self.privileges.holds(victim, ALTER_SYSTEM):
            demand_ownership(session, victim)


@breaks("PUR-3")
class AdministratorIsOutOfReach(KillSessionStatement):
    """A holder ends sessions of every user, but none of the administrator."""

    def check_owner(self, session: Session, victim: Session) -> None:
        if victim.user.administrator:
            demand_ownership(session, victim)


@breaks("IMP-3")
class MissingPrivilegeIsASyntaxError(KillSessionStatement):
    """Without the privilege the statement is a syntax error."""

    def check_privilege(self, session: Session) -> None:
        if not self.privileges.holds(session, ALTER_SYSTEM):
            raise errors.syntax_error("KILL", 1)


@breaks("IMP-3")
class MissingPrivilegeIsAnUnknownSession(KillSessionStatement):
    """Without the privilege every session is unknown."""

    def check_privilege(self, session: Session) -> None:
        if not self.privileges.holds(session, ALTER_SYSTEM):
            raise errors.unknown_session(0)


@breaks("IMP-4")
class LooksTheIdUpFirst(KillSessionStatement):
    """Who lacks the privilege learns whether a session has this id."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        self.find(self.read_id(statement))
        return await super().run(session, statement)


@breaks("IMP-4")
class ReadsTheIdFirst(KillSessionStatement):
    """Who lacks the privilege learns whether the text is a number."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        if self.read_id(statement) == 0:
            raise errors.invalid_session_id()
        return await super().run(session, statement)
