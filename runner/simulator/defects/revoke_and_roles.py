"""Defects of REVOKE and of roles: wrong privileges or users are changed, or at a wrong time."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any, ClassVar

from runner.simulator import errors
from runner.simulator.catalogue import breaks
from runner.simulator.components import Components
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.kill import KillSessionStatement, require_ownership
from runner.simulator.execute.results import Done, Result
from runner.simulator.execute.server_instance import Instance
from runner.simulator.sessions import Session
from runner.simulator.sql import statements as sql
from runner.simulator.sql.statements import KillSession
from runner.simulator.users_and_roles import ALTER_SYSTEM, Accounts, Grantee, User


@breaks("IMP-9")
class RevokeDoesNothing(Engine):
    """REVOKE replies OK and revokes nothing."""

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        return Done() if isinstance(statement, sql.Revoke) else await super().run(session, statement, depth)


@breaks("IMP-9")
class RevokeTakesItFromEverybody(Engine):
    """REVOKE revokes the privilege from every user."""

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        result = await super().run(session, statement, depth)
        if isinstance(statement, sql.Revoke):
            for user in self.instance.accounts.users.values():
                for privilege in statement.privileges:
                    user.system.pop(privilege, None)
        return result


@breaks("PUR-2")
class RevokeOfAnotherPrivilegeTakesItToo(Engine):
    """REVOKE of another system privilege revokes ALTER SYSTEM from the user as well."""

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        result = await super().run(session, statement, depth)
        if isinstance(statement, sql.Revoke) and statement.privileges:
            for name in statement.grantees:
                self.instance.accounts.grantee(name).system.pop(ALTER_SYSTEM, None)
        return result


@breaks("IMP-9")
class RemembersUsersThatHadIt(KillSessionStatement):
    """A user that once killed a session with the privilege may do so for good."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.trusted: set[User] = set()

    def check_privilege(self, session: Session) -> None:
        if session.user not in self.trusted:
            super().check_privilege(session)
            self.trusted.add(session.user)


@breaks("IMP-9")
class RevokeCountsOnceAllHaveLeft(KillSessionStatement):
    """A user keeps a revoked privilege while it has sessions that were opened before."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.cached: dict[User, set[Session]] = {}

    def check_privilege(self, session: Session) -> None:
        mates = {other for other in self.registry if other.user is session.user}
        if self.privileges.holds(session, ALTER_SYSTEM):
            self.cached[session.user] = mates
        elif not self.cached.get(session.user, set()) & mates:
            super().check_privilege(session)


@breaks("IMP-9")
class RevokedReachTheirOwn(Engine):
    """After a REVOKE a user may still kill sessions of the same user."""

    def __init__(self, instance: Instance) -> None:
        super().__init__(instance)
        self.losers: set[str] = set()

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        if isinstance(statement, sql.Revoke):
            self.losers.update(statement.grantees)
        if isinstance(statement, sql.KillSession) and session.user.name in self.losers:
            kill = self.instance.kill
            victim = kill.find(kill.read_id(statement))
            require_ownership(session, victim)
            await kill.end(session, victim, statement)
            return kill.reply()
        return await super().run(session, statement, depth)


@breaks("IMP-9")
class RevokeTakesOneGrantBack(Engine):
    """A privilege that was granted twice has to be revoked twice."""

    def __init__(self, instance: Instance) -> None:
        super().__init__(instance)
        self.granted: Counter[str] = Counter()

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        if isinstance(statement, sql.Grant):
            self.granted.update(statement.grantees if ALTER_SYSTEM in statement.privileges else ())
        if isinstance(statement, sql.Revoke):
            self.granted.subtract(statement.grantees)
            if all(self.granted[name] > 0 for name in statement.grantees):
                return Done()
        return await super().run(session, statement, depth)


class _KnowsRevokes(Accounts):
    """Has the names of the users of whom ALTER SYSTEM was revoked once."""

    def __init__(self, password: str) -> None:
        super().__init__(password)
        self.revoked_once: set[str] = set()


class _RemembersRevokes(Engine):
    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        result = await super().run(session, statement, depth)
        accounts = self.instance.accounts
        if isinstance(statement, sql.Revoke) and isinstance(accounts, _KnowsRevokes):
            accounts.revoked_once.update(statement.grantees if ALTER_SYSTEM in statement.privileges else ())
        return result


class _RefusesOnceRevoked(KillSessionStatement):
    def check_privilege(self, session: Session) -> None:
        super().check_privilege(session)
        accounts = self.privileges.accounts
        if isinstance(accounts, _KnowsRevokes) and session.user.name in accounts.revoked_once:
            raise errors.no_privilege()


@breaks("PUR-2")
def grant_after_revoke_does_nothing(components: Components) -> Components:
    """After a REVOKE, a GRANT of the privilege to the same user has no effect, also after a new login."""
    return components.with_overrides(_KnowsRevokes, _RemembersRevokes, _RefusesOnceRevoked)


class _RemembersUses(KillSessionStatement):
    """Accepts some statements also from users that have used the privilege before."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._used: set[User] = set()
        self._present: KillSession | None = None

    async def run(self, session: Session, statement: KillSession) -> Result:
        self._present = statement
        return await super().run(session, statement)

    def check_privilege(self, session: Session) -> None:
        if self._present is not None and session.user in self._used and self.is_kept_for(self._present):
            return
        super().check_privilege(session)
        self._used.add(session.user)

    def is_kept_for(self, statement: KillSession) -> bool:
        """Whether a user may still send this statement after a REVOKE."""
        return statement.immediate


@breaks("IMP-9")
class RevokeKeepsUsedImmediate(_RemembersUses):
    """After a REVOKE and a new login, a user that has used the privilege before may still use IMMEDIATE."""


@breaks("IMP-9")
class RevokeKeepsUsedSerial(_RemembersUses):
    """After a REVOKE and a new login, a user that has used the privilege before may still use serial#."""

    def is_kept_for(self, statement: KillSession) -> bool:
        return "," in statement.text


class _AfterRevoke(Engine):
    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        if not isinstance(statement, sql.Revoke) or ALTER_SYSTEM not in statement.privileges:
            return await super().run(session, statement, depth)
        known = self.instance.accounts.users
        users = [known[name] for name in statement.grantees if name in known]
        before = [(user, user.system.get(ALTER_SYSTEM)) for user in users]
        result = await super().run(session, statement, depth)
        for user, grantable in before:
            if grantable is not None:
                self.after_revoke(user, grantable=grantable)
        return result

    def after_revoke(self, user: User, *, grantable: bool) -> None:
        raise NotImplementedError


@breaks("IMP-9")
class AdminOptionSurvivesRevoke(_AfterRevoke):
    """ALTER SYSTEM that was granted WITH ADMIN OPTION stays after REVOKE."""

    def after_revoke(self, user: User, *, grantable: bool) -> None:
        if grantable:
            user.system[ALTER_SYSTEM] = True


@breaks("IMP-9")
class SecondRevokeDoesNothing(_AfterRevoke):
    """A REVOKE of ALTER SYSTEM that was revoked from the user and granted again before does nothing."""

    revoked: ClassVar[set[User]] = set()

    def after_revoke(self, user: User, *, grantable: bool) -> None:
        if user in self.revoked:
            user.system[ALTER_SYSTEM] = grantable
        self.revoked.add(user)


class _RevokesFromOthers(Engine):
    """REVOKE from a user revokes the privilege from another one with a similar name, too."""

    def is_revoked_too(self, user: User, grantee: str) -> bool:
        raise NotImplementedError

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        result = await super().run(session, statement, depth)
        if isinstance(statement, sql.Revoke):
            for user in self.instance.accounts.users.values():
                if any(self.is_revoked_too(user, grantee) for grantee in statement.grantees):
                    for privilege in statement.privileges:
                        user.system.pop(privilege, None)
        return result


@breaks("PUR-2")
class RevokeReachesLongerNames(_RevokesFromOthers):
    """REVOKE from a user revokes the privilege from each user whose name begins with that name."""

    def is_revoked_too(self, user: User, grantee: str) -> bool:
        return user.name.startswith(grantee)


@breaks("PUR-2")
class RevokeReachesTheSameNameInCapitals(_RevokesFromOthers):
    """REVOKE from a user with small letters in its name revokes the privilege from the same name in capitals."""

    def is_revoked_too(self, user: User, grantee: str) -> bool:
        return user.name == grantee.upper()


@breaks("IMP-9")
class RevokeTakesTheFirstOfSeveral(Engine):
    """REVOKE of several privileges revokes only the first one."""

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        if isinstance(statement, sql.Revoke):
            statement = replace(statement, privileges=statement.privileges[:1])
        return await super().run(session, statement, depth)


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
