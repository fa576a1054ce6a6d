"""Defects of the refusal: users with the privilege are refused, or the error without it is a wrong one."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

from typing import Any, ClassVar

from runner.simulator import errors
from runner.simulator.catalogue import breaks
from runner.simulator.components import Components
from runner.simulator.defects.histories_of_sessions import NotesResets
from runner.simulator.defects.senders import in_a_transaction
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.kill import KillSessionStatement, require_ownership
from runner.simulator.execute.results import Done, Result
from runner.simulator.session_privileges import Privileges
from runner.simulator.sessions import Session
from runner.simulator.sql import statements as sql
from runner.simulator.sql.statements import KillSession
from runner.simulator.users_and_roles import ALTER_SYSTEM, User


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


@breaks("PUR-2")
class RefusalsAreRemembered(KillSessionStatement):
    """A user that was refused once for a missing privilege is refused for good, also after GRANT and a new login."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.refused: set[User] = set()

    def check_privilege(self, session: Session) -> None:
        try:
            super().check_privilege(session)
        except errors.SqlError:
            self.refused.add(session.user)
            raise
        if session.user in self.refused:
            raise errors.no_privilege()


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


@breaks("PUR-2")
class GrantOfAnotherPrivilegeTakesIt(Engine):
    """GRANT of another system privilege revokes ALTER SYSTEM, which was granted before."""

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        result = await super().run(session, statement, depth)
        if isinstance(statement, sql.Grant) and statement.privileges and ALTER_SYSTEM not in statement.privileges:
            for name in statement.grantees:
                self.instance.accounts.grantee(name).system.pop(ALTER_SYSTEM, None)
        return result


class _MissesResetSessions(Privileges):
    def holds(self, session: Session, privilege: str) -> bool:
        if privilege == ALTER_SYSTEM and session in NotesResets.reset and not session.user.administrator:
            return False
        return super().holds(session, privilege)


@breaks("PUR-2")
def reset_loses_the_privilege(components: Components) -> Components:
    """A session that a connection pool has reset (COM_RESET_CONNECTION) no longer has ALTER SYSTEM."""
    return components.with_overrides(NotesResets, _MissesResetSessions)


@breaks("PUR-3")
class PreparedStatementsReachTheOwnUserOnly(KillSessionStatement):
    """With a prepared statement, a holder can kill sessions of its own user only."""

    def check_owner(self, session: Session, victim: Session) -> None:
        if session.prepared:
            require_ownership(session, victim)


@breaks("PUR-3")
class TransactionsReachTheOwnUserOnly(KillSessionStatement):
    """In a transaction, a holder can kill sessions of its own user only."""

    def check_owner(self, session: Session, victim: Session) -> None:
        if in_a_transaction(session):
            require_ownership(session, victim)


@breaks("PUR-3")
class UsersWithARoleAreOutOfReach(KillSessionStatement):
    """A holder can kill sessions of other users, but none of a user with a role."""

    def check_owner(self, session: Session, victim: Session) -> None:
        if victim.user.roles:
            require_ownership(session, victim)


@breaks("PUR-2")
class MissingPrivilegeIsAnsweredOk(KillSessionStatement):
    """Without the privilege the reply is OK and nothing happens."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        return await super().run(session, statement) if self.privileges.holds(session, ALTER_SYSTEM) else Done()


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


@breaks("IMP-3")
class RefusalInATransactionIsAnotherError(KillSessionStatement):
    """Without the privilege, the error in a transaction is another one than that for a missing privilege."""

    def check_privilege(self, session: Session) -> None:
        if in_a_transaction(session) and not self.privileges.holds(session, ALTER_SYSTEM):
            raise errors.not_supported("KILL SESSION in a transaction")
        super().check_privilege(session)


@breaks("IMP-4")
class BusySessionsHaveAnErrorOfTheirOwn(KillSessionStatement):
    """Without the privilege, the id of a session with a running statement gets another error than other ids."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        if not self.privileges.holds(session, ALTER_SYSTEM):
            named = self.registry.find(self.read_id(statement))
            if named is not None and named.waiting is not None:
                raise errors.not_supported("KILL SESSION of a running session")
        return await super().run(session, statement)


class _OwnErrorOfSomeSessions(KillSessionStatement):
    def has_own_error(self, named: Session) -> bool:
        raise NotImplementedError

    async def run(self, session: Session, statement: KillSession) -> Result:
        named = self.registry.find(self.read_id(statement))
        lacks = not self.privileges.holds(session, ALTER_SYSTEM)
        if lacks and named is not None and named is not session and self.has_own_error(named):
            raise errors.not_the_owner(named.number)
        return await super().run(session, statement)


@breaks("IMP-4")
class TransactionsHaveAnErrorOfTheirOwn(_OwnErrorOfSomeSessions):
    """Without the privilege, the id of an idle session in a transaction gets another error than other ids."""

    def has_own_error(self, named: Session) -> bool:
        return named.statement is None and in_a_transaction(named)


@breaks("IMP-4")
class LockWaitersHaveAnErrorOfTheirOwn(_OwnErrorOfSomeSessions):
    """Without the privilege, the id of a session that waits for a row lock gets another error than other ids."""

    def has_own_error(self, named: Session) -> bool:
        return named.waits_for_lock


@breaks("IMP-4")
class OwnIdHasAnErrorOfItsOwn(KillSessionStatement):
    """Without the privilege, the id of the sending session gets another error than other ids."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        try:
            return await super().run(session, statement)
        except errors.SqlError:
            if self.read_id(statement) == session.number:
                raise errors.not_the_owner(session.number) from None
            raise
