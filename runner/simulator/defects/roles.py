"""Defects of roles."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

from dataclasses import replace

from runner.simulator.catalogue import breaks
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.kill import KillSessionStatement
from runner.simulator.execute.results import Done, Result
from runner.simulator.sessions import Session
from runner.simulator.sql import statements as sql
from runner.simulator.users_and_roles import ALTER_SYSTEM, Accounts, Grantee, User


class AcceptsSomethingElse(KillSessionStatement):
    """Accepts something else in place of the privilege."""

    def is_accepted(self, session: Session) -> bool:
        raise NotImplementedError

    def check_privilege(self, session: Session) -> None:
        if not self.is_accepted(session):
            super().check_privilege(session)

    def roles(self, session: Session) -> list[Grantee]:
        """The granted roles of a session."""
        known = self.privileges.accounts.roles
        return [known[name] for name in session.roles if name in known and name != "PUBLIC"]


@breaks("PUR-2")
class AnyRoleWillDo(AcceptsSomethingElse):
    """Users with any role may kill sessions."""

    def is_accepted(self, session: Session) -> bool:
        return bool(self.roles(session))


@breaks("PUR-2")
class AnEmptyRoleWillDo(AcceptsSomethingElse):
    """An empty role has all privileges."""

    def is_accepted(self, session: Session) -> bool:
        return any(not role.system for role in self.roles(session))


@breaks("PUR-2")
class AnyPrivilegeOfARoleWillDo(AcceptsSomethingElse):
    """Users with a role that has any privilege may kill sessions."""

    def is_accepted(self, session: Session) -> bool:
        return any(role.system for role in self.roles(session))


@breaks("PUR-2")
class AnybodysRoleWillDo(AcceptsSomethingElse):
    """While a role other than DBA has the privilege, every user may kill sessions."""

    def is_accepted(self, session: Session) -> bool:  # noqa: ARG002 - the same for every session
        roles = self.privileges.accounts.roles.values()
        return any(ALTER_SYSTEM in role.system for role in roles if role.name != "DBA")


@breaks("PUR-2")
class SerialFormIsOpenToRoles(KillSessionStatement):
    """With a serial# the privilege of users with a role is not checked."""

    async def run(self, session: Session, statement: sql.KillSession) -> Result:
        if "," in statement.text and session.user.roles:
            await self.end(session, self.find(self.read_id(statement)), statement)
            return self.reply()
        return await super().run(session, statement)


@breaks("PUR-2")
class ImmediateIsOpenToRoles(KillSessionStatement):
    """With IMMEDIATE the privilege of users with a role is not checked."""

    async def run(self, session: Session, statement: sql.KillSession) -> Result:
        if statement.immediate and session.user.roles:
            await self.end(session, self.find(self.read_id(statement)), statement)
            return self.reply()
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


@breaks("PUR-2")
class AdminOptionOfARoleSurvivesRevoke(Engine):
    """REVOKE of a role that was granted WITH ADMIN OPTION replies OK, and the user keeps the role."""

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        if isinstance(statement, sql.Revoke) and statement.roles:
            grantees = [self.instance.accounts.grantee(name) for name in statement.grantees]
            if any(grantee.roles.get(role) for grantee in grantees for role in statement.roles):
                return Done()
        return await super().run(session, statement, depth)


@breaks("PUR-2")
class RevokeOfARoleTakesItsPrivileges(Engine):
    """REVOKE of a role also revokes the role's privileges from the user, to whom they were granted directly."""

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        result = await super().run(session, statement, depth)
        if isinstance(statement, sql.Revoke):
            accounts = self.instance.accounts
            for privilege in {held for role in statement.roles for held in accounts.roles[role].system}:
                for name in statement.grantees:
                    accounts.grantee(name).system.pop(privilege, None)
        return result


@breaks("PUR-2")
class DropRoleTakesItsPrivileges(Accounts):
    """DROP ROLE also revokes the role's privileges from its users, to whom they were granted directly."""

    def drop_role(self, name: str) -> None:
        held = tuple(self.roles[name].system) if name in self.roles else ()
        users = [user for user in self.users.values() if name in user.roles and not user.administrator]
        super().drop_role(name)
        for user in users:
            for privilege in held:
                user.system.pop(privilege, None)
