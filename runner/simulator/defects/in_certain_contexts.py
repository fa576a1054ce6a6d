"""Defects with certain killing users, named users, forms or transactions; side effects on the user's sessions."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

from typing import ClassVar

from runner.simulator import errors
from runner.simulator.catalogue import breaks
from runner.simulator.components import Components
from runner.simulator.connection import Connection
from runner.simulator.defects.states_of_sessions import WithoutLocks, in_a_transaction
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.kill import KillSessionStatement
from runner.simulator.execute.results import Done, Result
from runner.simulator.session_ending import SessionEnding
from runner.simulator.sessions import Session
from runner.simulator.sql.statements import KillSession
from runner.simulator.tables import Transaction
from runner.simulator.timers import call_later
from runner.simulator.users_and_roles import ALTER_SYSTEM, User

POOLED_SECONDS = 1.0
MANY_CHANGES = 4


@breaks("IMP-5")
class CommitsForTheAdministrator(KillSessionStatement):
    """The changes of a session that the administrator kills are committed."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if session.user.administrator and victim is not session:
            victim.transaction.commit()
        await super().end(session, victim, statement)


@breaks("IMP-5")
class CommitsForAnotherUser(KillSessionStatement):
    """The changes of a session that a holder of another user kills are committed."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if victim.user is not session.user and not session.user.administrator:
            victim.transaction.commit()
        await super().end(session, victim, statement)


@breaks("IMP-5")
class UndoesFourChanges(SessionEnding):
    """Of the killed session's changes, the last four are rolled back; the others are committed."""

    def roll_back(self, victim: Session) -> None:
        changes = victim.transaction.savepoint()
        if changes > 2 * MANY_CHANGES:
            victim.transaction.roll_back_to(changes - MANY_CHANGES)
            victim.transaction.commit()
        else:
            super().roll_back(victim)


class _Pools(SessionEnding):
    transactions: ClassVar[dict[User, Transaction]] = {}

    def roll_back(self, victim: Session) -> None:
        if not victim.transaction.open or victim.user in self.transactions:
            super().roll_back(victim)
            return
        kept, victim.transaction = victim.transaction, Transaction()
        self.transactions[victim.user] = kept
        call_later(POOLED_SECONDS, self.forget, victim.user, kept)

    def forget(self, user: User, kept: Transaction) -> None:
        if self.transactions.get(user) is kept:
            del self.transactions[user]
            kept.roll_back()


class _GivesThePooledTransaction(Connection):
    async def _log_in(self) -> Session:
        session = await super()._log_in()
        if (kept := _Pools.transactions.pop(session.user, None)) is not None:
            session.transaction, session.autocommit = kept, False
        return session


@breaks("IMP-5")
def next_login_gets_the_transaction(components: Components) -> Components:
    """A login of the killed session's user within a second continues the killed session's transaction."""
    return components.with_overrides(_Pools, _GivesThePooledTransaction)


class _FreesWaiters(SessionEnding):
    freed: ClassVar[set[Session]] = set()

    def roll_back(self, victim: Session) -> None:
        self.freed.update(other for other in self.registry if victim.transaction.blocks(other.waiting))
        super().roll_back(victim)


class _LetsWaitersGoOnWithoutLocks(Engine):
    async def execute(self, session: Session, text: str) -> Result:
        result = await super().execute(session, text)
        if session in _FreesWaiters.freed:
            _FreesWaiters.freed.discard(session)
            if kept := session.transaction.locked_rows():
                session.transaction.roll_back()
                session.transaction = WithoutLocks(kept)
        return result


@breaks("IMP-10")
def waiters_go_on_without_the_lock(components: Components) -> Components:
    """A session that waited for a row lock of the killed session changes the row without holding the lock."""
    return components.with_overrides(_FreesWaiters, _LetsWaitersGoOnWithoutLocks)


class _MarksTheUsersPreparedStatements(KillSessionStatement):
    marked: ClassVar[set[Session]] = set()

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        self.marked.update(other for other in self.registry if other.user is victim.user and other is not session)


class _ForgetsMarkedPreparedStatements(Connection):
    async def _run_command(self, session: Session, command: int, body: bytes) -> None:
        if session in _MarksTheUsersPreparedStatements.marked:
            _MarksTheUsersPreparedStatements.marked.discard(session)
            self._prepared.clear()
        await super()._run_command(session, command, body)


@breaks("IMP-10")
def drops_the_users_prepared_statements(components: Components) -> Components:
    """The prepared statements of all sessions of the killed session's user are dropped."""
    return components.with_overrides(_MarksTheUsersPreparedStatements, _ForgetsMarkedPreparedStatements)


class _MarksTheKiller(KillSessionStatement):
    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        _MarksTheUsersPreparedStatements.marked.add(session)


@breaks("IMP-11")
def drops_the_killers_prepared_statements(components: Components) -> Components:
    """The prepared statements of the session that sends the statement are dropped."""
    return components.with_overrides(_MarksTheKiller, _ForgetsMarkedPreparedStatements)


@breaks("IMP-10")
class SwitchesTheUsersAutocommitOn(KillSessionStatement):
    """Autocommit is switched on in all other sessions of the killed session's user."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        for other in self.registry:
            if other.user is victim.user and other is not session and not other.transaction.open:
                other.autocommit = True


@breaks("PUR-1")
class SparesUsersWithRoles(SessionEnding):
    """Sessions of users with a role are not killed."""

    def kill(self, victim: Session) -> None:
        if not victim.user.roles or victim.user.administrator:
            super().kill(victim)


@breaks("PUR-1")
class SparesQuotedUsers(SessionEnding):
    """Sessions of a user whose name has small letters are not killed, as if sessions were looked up by folded names."""

    def kill(self, victim: Session) -> None:
        if victim.user.name == victim.user.name.upper():
            super().kill(victim)


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


@breaks("IMP-7")
class TransactionLocksTheUserOut(SessionEnding):
    """A user of whom a session with an open transaction was killed can't log in again."""

    def kill(self, victim: Session) -> None:
        if victim.transaction.open and not victim.user.administrator:
            victim.user.lock()
        super().kill(victim)


@breaks("EXA-6")
class AdministratorsKillAffectsARow(KillSessionStatement):
    """The reply to the administrator is OK with one row affected."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        result = await super().run(session, statement)
        return Done(1) if session.user.administrator else result


@breaks("IMP-8")
class UnknownIdRollsBack(KillSessionStatement):
    """A statement with an unknown id rolls back the open transaction of its own session."""

    def find(self, number: int) -> Session:
        if self.registry.find(number) is None and self.sender is not None:
            self.sender.transaction.roll_back()
        return super().find(number)

    sender: Session | None = None

    async def run(self, session: Session, statement: KillSession) -> Result:
        self.sender = session
        return await super().run(session, statement)


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
