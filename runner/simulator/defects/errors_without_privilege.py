"""Defects: without the privilege, the reply is another one than that for a missing privilege."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

from typing import ClassVar

from runner.simulator import errors
from runner.simulator.catalogue import breaks
from runner.simulator.defects.state_of_the_sender import in_a_transaction
from runner.simulator.execute.kill import KillSessionStatement
from runner.simulator.execute.results import Done, Result
from runner.simulator.sessions import Session
from runner.simulator.sql.statements import KillSession
from runner.simulator.users_and_roles import ALTER_SYSTEM


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
