"""Defects of roles, and of users that lack the privilege in unusual ways."""

# ruff: noqa: D102 - overriding one step of many, each explained where the honest one stands

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from runner.simulator.accounts import ALTER_SYSTEM, Accounts
from runner.simulator.catalogue import breaks
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.kill import KillSessionStatement
from runner.simulator.execute.results import Done, Result
from runner.simulator.sql import statements as sql

if TYPE_CHECKING:
    from runner.simulator.accounts import Grantee, User
    from runner.simulator.execute.instance import Instance
    from runner.simulator.sessions import Session


class _Lenient(KillSessionStatement):
    """Takes something else for the privilege."""

    def will_do(self, session: Session) -> bool:
        raise NotImplementedError

    def check_privilege(self, session: Session) -> None:
        if not self.will_do(session):
            super().check_privilege(session)

    def roles(self, session: Session) -> list[Grantee]:
        """The roles of a session that were granted to it."""
        known = self.privileges.accounts.roles
        return [known[name] for name in session.roles if name in known and name != "PUBLIC"]


@breaks("PUR-2")
class AnyRoleWillDo(_Lenient):
    """Users with any role may kill sessions."""

    def will_do(self, session: Session) -> bool:
        return bool(self.roles(session))


@breaks("PUR-2")
class AnEmptyRoleWillDo(_Lenient):
    """An empty role has all privileges."""

    def will_do(self, session: Session) -> bool:
        return any(not role.system for role in self.roles(session))


@breaks("PUR-2")
class AnyPrivilegeOfARoleWillDo(_Lenient):
    """Users with a role that has any privilege may kill sessions."""

    def will_do(self, session: Session) -> bool:
        return any(role.system for role in self.roles(session))


@breaks("PUR-2")
class AnybodysRoleWillDo(_Lenient):
    """While a role other than DBA has the privilege, every user may kill sessions."""

    def will_do(self, session: Session) -> bool:  # noqa: ARG002 - it is not looked at
        roles = self.privileges.accounts.roles.values()
        return any(ALTER_SYSTEM in role.system for role in roles if role.name != "DBA")


@breaks("PUR-2")
class LongerNamesWillDo(_Lenient):
    """Users whose name begins with a holder's name may kill sessions."""

    def will_do(self, session: Session) -> bool:
        users = self.privileges.accounts.users.values()
        return any(ALTER_SYSTEM in user.system and session.user.name.startswith(user.name) for user in users)


@breaks("PUR-2")
class ShorterNamesWillDo(_Lenient):
    """Users whose name is the beginning of a holder's name may kill sessions."""

    def will_do(self, session: Session) -> bool:
        users = self.privileges.accounts.users.values()
        return any(ALTER_SYSTEM in user.system and user.name.startswith(session.user.name) for user in users)


@breaks("PUR-2")
class SerialFormIsOpenToRoles(KillSessionStatement):
    """With a serial# the privilege of users with a role is not checked."""

    async def run(self, session: Session, statement: sql.KillSession) -> Result:
        if "," in statement.text and session.user.roles:
            await self.end(session, self.find(self.read_id(statement)), statement)
            return self.answer()
        return await super().run(session, statement)


@breaks("PUR-2")
class ImmediateIsOpenToRoles(KillSessionStatement):
    """With IMMEDIATE the privilege of users with a role is not checked."""

    async def run(self, session: Session, statement: sql.KillSession) -> Result:
        if statement.immediate and session.user.roles:
            await self.end(session, self.find(self.read_id(statement)), statement)
            return self.answer()
        return await super().run(session, statement)


@breaks("PUR-2")
class RolesKeepWhatTheyHeld(Engine):
    """REVOKE of a privilege from a role replies OK, and the role keeps it."""

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        roles = self.instance.accounts.roles.keys()
        if isinstance(statement, sql.Revoke) and statement.privileges and roles >= set(statement.grantees):
            return Done()
        return await super().run(session, statement, depth)


@breaks("PUR-2")
class UsersKeepTheirRoles(Engine):
    """REVOKE of a role from a user replies OK, and the user keeps it."""

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        if isinstance(statement, sql.Revoke) and statement.roles:
            return Done()
        return await super().run(session, statement, depth)


@breaks("PUR-2")
class DroppedRolesLiveOn(Accounts):
    """Users keep the privileges of a dropped role."""

    def drop_role(self, name: str) -> None:
        role = self.roles.get(name)
        members = [user for user in self.users.values() if name in user.roles]
        super().drop_role(name)
        for user in members:
            user.system.update(role.system if role else {})


@breaks("PUR-2")
class OldRolesComeBack(Accounts):
    """A new role has the privileges of a dropped role with the same name."""

    def __init__(self, admin_password: str) -> None:
        self.dropped: dict[str, dict[str, bool]] = {}
        super().__init__(admin_password)

    def create_role(self, name: str) -> None:
        super().create_role(name)
        self.roles[name].system.update(self.dropped.get(name, {}))

    def drop_role(self, name: str) -> None:
        held = dict(self.roles[name].system) if name in self.roles else {}
        super().drop_role(name)
        self.dropped[name] = held


@breaks("PUR-2")
class NewUsersHaveOldRoles(Accounts):
    """A new user has the roles of a dropped user with the same name."""

    def __init__(self, admin_password: str) -> None:
        self.dropped: dict[str, dict[str, bool]] = {}
        super().__init__(admin_password)

    def create_user(self, name: str, password: str) -> User:
        user = super().create_user(name, password)
        user.roles.update(self.dropped.get(name, {}))
        return user

    def drop_user(self, name: str) -> None:
        self.dropped[name] = dict(self.users[name].roles)
        super().drop_user(name)


@breaks("IMP-9")
class RolesShieldFromRevoke(Engine):
    """A user with a role keeps its own privilege after REVOKE."""

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        if isinstance(statement, sql.Revoke) and statement.privileges:
            accounts = self.instance.accounts
            grantees = tuple(name for name in statement.grantees if not accounts.grantee(name).roles)
            if not grantees:
                return Done()
            statement = replace(statement, grantees=grantees)
        return await super().run(session, statement, depth)


class _AnswersOk(Engine):
    """Answers KILL of some texts with OK where the privilege is missing."""

    def __init__(self, instance: Instance) -> None:
        super().__init__(instance)
        self.kill = instance.kill

    def passes_over(self, statement: sql.KillSession) -> bool:
        raise NotImplementedError

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        lacks = not self.instance.privileges.holds(session, ALTER_SYSTEM)
        if lacks and isinstance(statement, sql.KillSession) and self.passes_over(statement):
            return Done()
        return await super().run(session, statement, depth)


@breaks("PUR-2")
class UnknownIdsNeedNoPrivilege(_AnswersOk):
    """Without the privilege an unknown id replies OK."""

    def passes_over(self, statement: sql.KillSession) -> bool:
        number = self.kill.read_id(statement)
        return number != 0 and self.instance.registry.find(number) is None


@breaks("PUR-2")
class ZeroNeedsNoPrivilege(_AnswersOk):
    """Without the privilege the id 0 replies OK."""

    def passes_over(self, statement: sql.KillSession) -> bool:
        return statement.text.partition(",")[0].strip() == "0"


@breaks("PUR-2")
class TextThatIsNoIdNeedsNoPrivilege(_AnswersOk):
    """Without the privilege a text that is not an id replies OK."""

    def passes_over(self, statement: sql.KillSession) -> bool:
        return not statement.text.partition(",")[0].strip().isdigit()
