"""Defects of one form of the statement in a certain context only: prepared, in a block, among other statements."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

from typing import Any

from runner.simulator import errors
from runner.simulator.catalogue import breaks
from runner.simulator.components import Components
from runner.simulator.defects.histories_of_sessions import NotesResets
from runner.simulator.defects.senders import in_a_transaction
from runner.simulator.defects.waits_for_row_locks import lock_permanently, rows_locked_by
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.kill import KillSessionStatement
from runner.simulator.execute.results import Done, Result
from runner.simulator.sessions import Session
from runner.simulator.sql import statements as sql
from runner.simulator.sql.statements import KillSession
from runner.simulator.sql.tokens import tokens_of
from runner.simulator.users_and_roles import User


def _has_serial(statement: KillSession) -> bool:
    return "," in statement.text


class _DoesNothing(KillSessionStatement):
    """Replies OK and does nothing in some context."""

    def is_ignored(self, session: Session, victim: Session, statement: KillSession) -> bool:
        raise NotImplementedError

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if not self.is_ignored(session, victim, statement):
            await super().end(session, victim, statement)


@breaks("PAR-3")
class PreparedSerialDoesNothing(_DoesNothing):
    """A prepared statement with a serial# replies OK and does nothing."""

    def is_ignored(self, session: Session, victim: Session, statement: KillSession) -> bool:  # noqa: ARG002 - for any victim
        return session.prepared and _has_serial(statement)


@breaks("PAR-4")
class PreparedImmediateDoesNothing(_DoesNothing):
    """A prepared statement with IMMEDIATE replies OK and does nothing."""

    def is_ignored(self, session: Session, victim: Session, statement: KillSession) -> bool:  # noqa: ARG002 - for any victim
        return session.prepared and statement.immediate


@breaks("PUR-1")
class PreparedKillSparesTheRunning(_DoesNothing):
    """A prepared statement that names a session with a running statement replies OK and does nothing."""

    def is_ignored(self, session: Session, victim: Session, statement: KillSession) -> bool:  # noqa: ARG002 - in any form
        return session.prepared and victim.waiting is not None


def _executes_a_block(session: Session) -> bool:
    return (session.statement or "").upper().startswith("BEGIN")


@breaks("PUR-1")
class OwnSessionSurvivesInBlocks(_DoesNothing):
    """In a PL/SQL block, a statement that names its own session replies OK and does nothing."""

    def is_ignored(self, session: Session, victim: Session, statement: KillSession) -> bool:  # noqa: ARG002 - in any form
        return session is victim and _executes_a_block(session)


@breaks("PUR-1")
class KillInABlockDoesNothing(_DoesNothing):
    """In a PL/SQL block, a statement that names another session replies OK and does nothing."""

    def is_ignored(self, session: Session, victim: Session, statement: KillSession) -> bool:  # noqa: ARG002 - in any form
        return session is not victim and _executes_a_block(session)


@breaks("PUR-1")
class FormsInABlockDoNothing(_DoesNothing):
    """In a PL/SQL block, a statement with a serial# or IMMEDIATE replies OK and does nothing."""

    def is_ignored(self, session: Session, victim: Session, statement: KillSession) -> bool:  # noqa: ARG002 - for any victim
        return _executes_a_block(session) and (_has_serial(statement) or statement.immediate)


@breaks("PAR-3")
class AdministratorsSerialSparesLockWaiters(_DoesNothing):
    """With a serial#, the administrator's statement replies OK and does nothing if the session waits for a row lock."""

    def is_ignored(self, session: Session, victim: Session, statement: KillSession) -> bool:
        return session.user.administrator and victim.waits_for_lock and _has_serial(statement)


@breaks("PAR-4")
class ImmediateSparesWhoIsSending(_DoesNothing):
    """With IMMEDIATE, the statement replies OK and does nothing if the session's client does not read its result."""

    def is_ignored(self, session: Session, victim: Session, statement: KillSession) -> bool:  # noqa: ARG002 - for any sender
        return victim.sending and statement.immediate


@breaks("PAR-4")
class AdministratorsImmediateSparesLockWaiters(_DoesNothing):
    """With IMMEDIATE, the administrator's statement replies OK and does nothing if the session waits for a row lock."""

    def is_ignored(self, session: Session, victim: Session, statement: KillSession) -> bool:
        return session.user.administrator and victim.waits_for_lock and statement.immediate


@breaks("IMP-5")
class PreparedKillCommits(KillSessionStatement):
    """A prepared statement commits the open transaction of the session that it kills."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if session.prepared:
            victim.transaction.commit()
        await super().end(session, victim, statement)


@breaks("IMP-5")
class PreparedKillLeavesTheLocks(KillSessionStatement):
    """The row locks of a session that a prepared statement has killed are not released."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        rows = rows_locked_by(victim) if session.prepared else []
        await super().end(session, victim, statement)
        lock_permanently(rows)


@breaks("IMP-11")
class PreparedKillRollsTheKillerBack(KillSessionStatement):
    """A prepared statement rolls back the open transaction of its own session."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        if session.prepared and victim is not session:
            session.transaction.roll_back()


@breaks("IMP-5")
class OwnImmediateLeavesTheLocks(KillSessionStatement):
    """The row locks of a session that kills itself with IMMEDIATE are not released."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        rows = rows_locked_by(victim) if victim is session and statement.immediate else []
        await super().end(session, victim, statement)
        lock_permanently(rows)


@breaks("IMP-5")
class OwnSerialLeavesTheLocks(KillSessionStatement):
    """The row locks of a session that kills itself with a serial# are not released."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        rows = rows_locked_by(victim) if victim is session and _has_serial(statement) else []
        await super().end(session, victim, statement)
        lock_permanently(rows)


@breaks("IMP-7")
class ImmediateLocksTheUserOut(KillSessionStatement):
    """The user of a session that was killed with IMMEDIATE can't log in again."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        if statement.immediate and not victim.user.administrator:
            victim.user.lock()


@breaks("IMP-7")
class SerialLocksTheUserOut(KillSessionStatement):
    """The user of a session that was killed with a serial# can't log in again."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        if _has_serial(statement) and not victim.user.administrator:
            victim.user.lock()


class _Unchecked(KillSessionStatement):
    """Does not check the privilege for some form in some context."""

    unchecked = False

    def is_unchecked(self, session: Session, statement: KillSession) -> bool:
        raise NotImplementedError

    async def run(self, session: Session, statement: KillSession) -> Result:
        self.unchecked = self.is_unchecked(session, statement)
        return await super().run(session, statement)

    def check_privilege(self, session: Session) -> None:
        if not self.unchecked:
            super().check_privilege(session)


@breaks("PUR-2")
class PreparedSerialNeedsNoPrivilege(_Unchecked):
    """The privilege is not checked for a prepared statement with a serial#."""

    def is_unchecked(self, session: Session, statement: KillSession) -> bool:
        return session.prepared and _has_serial(statement)


@breaks("PUR-2")
class PreparedImmediateNeedsNoPrivilege(_Unchecked):
    """The privilege is not checked for a prepared statement with IMMEDIATE."""

    def is_unchecked(self, session: Session, statement: KillSession) -> bool:
        return session.prepared and statement.immediate


@breaks("PUR-2")
class SerialNeedsNoPrivilegeInTransactions(_Unchecked):
    """The privilege is not checked for a statement with a serial# that is sent in a transaction."""

    def is_unchecked(self, session: Session, statement: KillSession) -> bool:
        return in_a_transaction(session) and _has_serial(statement)


@breaks("PUR-2")
class ImmediateNeedsNoPrivilegeInTransactions(_Unchecked):
    """The privilege is not checked for a statement with IMMEDIATE that is sent in a transaction."""

    def is_unchecked(self, session: Session, statement: KillSession) -> bool:
        return in_a_transaction(session) and statement.immediate


class _ChecksPreparedStatementsOnce(KillSessionStatement):
    """After a prepared statement with the privilege, its plan is used again without a check, for some users."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.has_been_checked: set[User] = set()

    def has_a_plan(self, user: User) -> bool:
        raise NotImplementedError

    def check_privilege(self, session: Session) -> None:
        if session.prepared and self.has_a_plan(session.user):
            return
        super().check_privilege(session)
        if session.prepared:
            self.has_been_checked.add(session.user)


@breaks("PUR-2")
class PlansOfPreparedStatementsAreShared(_ChecksPreparedStatementsOnce):
    """The privilege is not checked for prepared statements after another user has executed one with it."""

    def has_a_plan(self, user: User) -> bool:
        return bool(self.has_been_checked - {user})


@breaks("IMP-9")
class PlansOfPreparedStatementsSurviveRevoke(_ChecksPreparedStatementsOnce):
    """A user that has executed a prepared statement with the privilege may execute others after REVOKE."""

    def has_a_plan(self, user: User) -> bool:
        return user in self.has_been_checked


class _SparesPooledWithImmediate(KillSessionStatement):
    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if not (statement.immediate and victim in NotesResets.reset):
            await super().end(session, victim, statement)


@breaks("PAR-4")
def immediate_spares_sessions_that_were_reset(components: Components) -> Components:
    """With IMMEDIATE, sessions that a connection pool has reset are not killed."""
    return components.with_overrides(NotesResets, _SparesPooledWithImmediate)


class _SparesPooledWithASerial(KillSessionStatement):
    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if not ("," in statement.text and victim in NotesResets.reset):
            await super().end(session, victim, statement)


@breaks("PAR-3")
def serial_spares_sessions_that_were_reset(components: Components) -> Components:
    """With a serial#, sessions that a connection pool has reset are not killed."""
    return components.with_overrides(NotesResets, _SparesPooledWithASerial)


def is_in_a_block(session: Session) -> bool:
    """Whether the session's statement is a PL/SQL block."""
    return (session.statement or "").upper().startswith("BEGIN")


class _Spares(KillSessionStatement):
    """Replies OK and does nothing, for some pairs of sessions."""

    def spares(self, session: Session, victim: Session) -> bool:
        raise NotImplementedError

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if not self.spares(session, victim):
            await super().end(session, victim, statement)


@breaks("PUR-1")
class PreparedKillSparesLockWaiters(_Spares):
    """A prepared statement that names a session that waits for a row lock replies OK and does nothing."""

    def spares(self, session: Session, victim: Session) -> bool:
        return session.prepared and victim.waits_for_lock


@breaks("PUR-1")
class KillInABlockSparesTheRunning(_Spares):
    """In a PL/SQL block, a statement that names a session with a running statement replies OK and does nothing."""

    def spares(self, session: Session, victim: Session) -> bool:
        return is_in_a_block(session) and victim.waiting is not None


@breaks("PUR-1")
class KillInABlockSparesTransactions(_Spares):
    """In a PL/SQL block, a statement that names a session with an open transaction replies OK and does nothing."""

    def spares(self, session: Session, victim: Session) -> bool:
        return is_in_a_block(session) and victim.transaction.open


@breaks("PUR-2")
class BlocksThatHandleErrorsNeedNoPrivilege(KillSessionStatement):
    """The privilege is not checked in a PL/SQL block that handles errors."""

    def check_privilege(self, session: Session) -> None:
        if not (is_in_a_block(session) and "EXCEPTION" in (session.statement or "").upper()):
            super().check_privilege(session)


@breaks("PUR-2")
class FormsInABlockNeedNoPrivilege(KillSessionStatement):
    """The privilege is not checked for a statement with a serial# or IMMEDIATE in a PL/SQL block."""

    def check_privilege(self, session: Session) -> None:
        text = (session.statement or "").upper()
        if not (is_in_a_block(session) and ("'' IMMEDIATE" in text or "," in text)):
            super().check_privilege(session)


@breaks("PUR-2")
class OwnSessionNeedsNoPrivilegeWhenPrepared(KillSessionStatement):
    """A session may kill itself without the privilege by a prepared statement."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        if session.prepared and self.read_id(statement) == session.number:
            await self.end(session, session, statement)
            return self.reply()
        return await super().run(session, statement)


def _statements_of(text: str) -> list[str]:
    """The statements of a text, separated by semicolons outside quotes."""
    ends = [token.start for token in tokens_of(text) if token.value == ";"]
    parts = [text[start:end].strip() for start, end in zip([0, *(end + 1 for end in ends)], [*ends, len(text)])]  # noqa: B905 - the same length
    return [part for part in parts if part]


class _RunsSeveral(Engine):
    """Executes the statements of a text one by one; the reply is that of the last one."""

    async def execute(self, session: Session, text: str) -> Result:
        statements = _statements_of(text) if "BEGIN" not in text.upper() else [text]
        if len(statements) < 2:  # noqa: PLR2004 - one statement or none
            return await super().execute(session, text)
        return await self.execute_several(session, statements)

    async def execute_several(self, session: Session, statements: list[str]) -> Result:
        raise NotImplementedError

    async def execute_unchecked(self, session: Session, text: str) -> Result:
        """Executes a statement; KILL without a check of the privilege."""
        statement = self.parse(text)
        if not isinstance(statement, sql.KillSession):
            return await super().execute(session, text)
        kill = self.instance.kill
        await kill.end(session, kill.find(kill.read_id(statement)), statement)
        return kill.reply()


@breaks("SYN-6")
class RunsEveryStatementOfAText(_RunsSeveral):
    """All statements of a text are executed one by one, until one fails."""

    async def execute_several(self, session: Session, statements: list[str]) -> Result:
        result: Result = Done()
        for statement in statements:
            result = await super().execute(session, statement)
        return result


@breaks("SYN-6")
class RunsTheLastStatementOfAText(_RunsSeveral):
    """Only the last statement of a text is executed."""

    async def execute_several(self, session: Session, statements: list[str]) -> Result:
        return await super().execute(session, statements[-1])


@breaks("PUR-2")
class OnlyTheFirstStatementIsChecked(_RunsSeveral):
    """All statements of a text are executed; the privilege is checked only for the first one."""

    async def execute_several(self, session: Session, statements: list[str]) -> Result:
        result = await super().execute(session, statements[0])
        for statement in statements[1:]:
            result = await self.execute_unchecked(session, statement)
        return result


@breaks("PUR-2")
class StatementsOfATextAreNotChecked(_RunsSeveral):
    """All statements of a text are executed, without privilege checks, and errors are ignored."""

    async def execute_several(self, session: Session, statements: list[str]) -> Result:
        result: Result = Done()
        for statement in statements:
            try:
                result = await self.execute_unchecked(session, statement)
            except errors.SqlError:
                result = Done()
        return result
