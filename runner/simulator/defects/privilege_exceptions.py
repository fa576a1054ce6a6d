"""Defects of the privilege check: exceptions for users with similar names, and for ids that no session has."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

from typing import Any, ClassVar

from runner.simulator import errors
from runner.simulator.catalogue import breaks
from runner.simulator.components import Components
from runner.simulator.defects.histories_of_sessions import NotesResets
from runner.simulator.defects.roles import AcceptsSomethingElse
from runner.simulator.defects.states_of_sessions import in_a_transaction
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.kill import KillSessionStatement
from runner.simulator.execute.results import Done, Result
from runner.simulator.execute.server_state import Instance
from runner.simulator.privilege_checks import Privileges
from runner.simulator.sessions import Session
from runner.simulator.sql import statements as sql
from runner.simulator.sql.statements import KillSession
from runner.simulator.users_and_roles import ALTER_SYSTEM, User


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


class _RepliesOk(Engine):
    """Replies OK to KILL with some texts if the privilege is missing."""

    def __init__(self, instance: Instance) -> None:
        super().__init__(instance)
        self.kill = instance.kill

    def gets_ok(self, statement: sql.KillSession) -> bool:
        raise NotImplementedError

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        lacks = not self.instance.privileges.holds(session, ALTER_SYSTEM)
        if lacks and isinstance(statement, sql.KillSession) and self.gets_ok(statement):
            return Done()
        return await super().run(session, statement, depth)


@breaks("PUR-2")
class UnknownIdsNeedNoPrivilege(_RepliesOk):
    """Without the privilege an unknown id replies OK."""

    def gets_ok(self, statement: sql.KillSession) -> bool:
        number = self.kill.read_id(statement)
        return number != 0 and self.instance.registry.find(number) is None


@breaks("PUR-2")
class ZeroNeedsNoPrivilege(_RepliesOk):
    """Without the privilege the id 0 replies OK."""

    def gets_ok(self, statement: sql.KillSession) -> bool:
        return statement.text.partition(",")[0].strip() == "0"


@breaks("PUR-2")
class TextThatIsNoIdNeedsNoPrivilege(_RepliesOk):
    """Without the privilege a text that is not an id replies OK."""

    def gets_ok(self, statement: sql.KillSession) -> bool:
        return not statement.text.partition(",")[0].strip().isdigit()


@breaks("PUR-2")
class TheOwnerOfTheSchemaCounts(AcceptsSomethingElse):
    """The privilege of the user counts whose schema is the session's current one."""

    def is_accepted(self, session: Session) -> bool:
        owner = self.privileges.accounts.users.get(session.schema)
        return owner is not None and (owner.administrator or ALTER_SYSTEM in owner.system)


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


class _ChecksAfterTheLookup(KillSessionStatement):
    named: Session | None = None

    async def run(self, session: Session, statement: KillSession) -> Result:
        self.named = self.registry.find(self.read_id(statement)) if statement.text[:1].isdigit() else None
        return await super().run(session, statement)


@breaks("PUR-2")
class AdministratorsSessionNeedsNoPrivilege(_ChecksAfterTheLookup):
    """Without the privilege, sessions of the administrator can be killed."""

    def check_privilege(self, session: Session) -> None:
        if self.named is None or not self.named.user.administrator:
            super().check_privilege(session)


@breaks("PUR-2")
class WaiterNeedsNoPrivilege(_ChecksAfterTheLookup):
    """Without the privilege, sessions that wait for a row lock can be killed."""

    def check_privilege(self, session: Session) -> None:
        if self.named is None or not self.named.waits_for_lock:
            super().check_privilege(session)


@breaks("IMP-4")
class AdministratorsIdHasAnErrorOfItsOwn(_ChecksAfterTheLookup):
    """Without the privilege, the id of a session of the administrator gets another error than other ids."""

    def check_privilege(self, session: Session) -> None:
        if (
            self.named is not None
            and self.named.user.administrator
            and not self.privileges.holds(session, ALTER_SYSTEM)
        ):
            raise errors.not_the_owner(self.named.number)
        super().check_privilege(session)


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


class _MissesResetSessions(Privileges):
    def holds(self, session: Session, privilege: str) -> bool:
        if privilege == ALTER_SYSTEM and session in NotesResets.reset and not session.user.administrator:
            return False
        return super().holds(session, privilege)


@breaks("PUR-2")
def reset_loses_the_privilege(components: Components) -> Components:
    """A session that a connection pool has reset (COM_RESET_CONNECTION) no longer has ALTER SYSTEM."""
    return components.with_overrides(NotesResets, _MissesResetSessions)


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


class _ComparesTheUserOfTheLogin(KillSessionStatement):
    def check_owner(self, session: Session, victim: Session) -> None:
        first = NotesResets.first_users.get(session)
        if first is not None and victim.user is not first and not first.administrator:
            raise errors.not_the_owner(victim.number)
        super().check_owner(session, victim)


@breaks("PUR-2")
def the_sender_is_the_user_of_the_login(components: Components) -> Components:
    """A session that has become one of a holder (COM_CHANGE_USER) can't kill sessions of this user."""
    return components.with_overrides(NotesResets, _ComparesTheUserOfTheLogin)
