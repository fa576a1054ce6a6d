"""Defects: the statement is refused, or gets no reply, in certain states of the session that sends it."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

from runner.simulator import errors
from runner.simulator.catalogue import breaks
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.kill import KillSessionStatement
from runner.simulator.execute.results import Result
from runner.simulator.execute.server_state import Instance
from runner.simulator.sessions import LONGEST_PAUSE, Session
from runner.simulator.sql import statements as sql


def in_a_transaction(session: Session) -> bool:
    """Whether a session is in a transaction, with or without changes."""
    return session.transaction.open or session.explicit_transaction or not session.autocommit


class _Refuses(KillSessionStatement):
    """Refuses the statement in some state of the sending session."""

    def refuses(self, session: Session, statement: sql.KillSession) -> bool:
        raise NotImplementedError

    async def run(self, session: Session, statement: sql.KillSession) -> Result:
        if self.refuses(session, statement):
            raise errors.not_supported("KILL SESSION in this state")
        return await super().run(session, statement)


@breaks("PUR-1")
class RefusesInTransactions(_Refuses):
    """The statement is refused in a transaction."""

    def refuses(self, session: Session, statement: sql.KillSession) -> bool:  # noqa: ARG002 - for the overrides below
        return in_a_transaction(session)


@breaks("PUR-1")
class RefusesInAnotherSchema(_Refuses):
    """The statement is refused to a session whose current schema is that of another user."""

    def refuses(self, session: Session, statement: sql.KillSession) -> bool:  # noqa: ARG002 - in any form
        return session.schema != session.user.name


@breaks("PUR-1")
class RefusesWhileRowsAreLocked(_Refuses):
    """The statement is refused to a session that holds row locks."""

    def refuses(self, session: Session, statement: sql.KillSession) -> bool:  # noqa: ARG002 - for the overrides below
        return session.transaction.open


@breaks("PUR-1")
class RefusesAfterErrors(_Refuses):
    """The statement is refused right after an error."""

    def refuses(self, session: Session, statement: sql.KillSession) -> bool:  # noqa: ARG002 - for the overrides below
        return session.last_error is not None


@breaks("PUR-1")
class RefusesAfterCommits(Engine):
    """The statement is refused right after a COMMIT."""

    def __init__(self, instance: Instance) -> None:
        super().__init__(instance)
        self.committed: set[Session] = set()

    async def execute(self, session: Session, text: str) -> Result:
        if session in self.committed and "KILL" in text.upper():
            raise errors.not_supported("KILL SESSION right after a commit")
        self.committed.discard(session)
        if text.upper() == "COMMIT":
            self.committed.add(session)
        return await super().execute(session, text)


@breaks("PAR-3")
class RefusesSerialInTransactions(_Refuses):
    """The statement with a serial# is refused in a transaction."""

    def refuses(self, session: Session, statement: sql.KillSession) -> bool:
        return "," in statement.text and in_a_transaction(session)


@breaks("PAR-4")
class RefusesImmediateInTransactions(_Refuses):
    """The statement with IMMEDIATE is refused in a transaction."""

    def refuses(self, session: Session, statement: sql.KillSession) -> bool:
        return statement.immediate and in_a_transaction(session)


@breaks("IMP-10")
class NeverAnswersInTransactions(KillSessionStatement):
    """A statement sent in a transaction kills the session, and never gets a reply."""

    async def end(self, session: Session, victim: Session, statement: sql.KillSession) -> None:
        await super().end(session, victim, statement)
        if victim is not session and in_a_transaction(session):
            await session.wait(LONGEST_PAUSE)
