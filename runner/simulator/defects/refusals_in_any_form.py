"""Defects after a refused statement that was prepared, had another form, or came from the administrator."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

from typing import Any, ClassVar

from runner.simulator import errors
from runner.simulator.catalogue import breaks
from runner.simulator.components import Components
from runner.simulator.connection import Connection
from runner.simulator.defects.state_of_the_named_session import Spares
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.kill import KillSessionStatement
from runner.simulator.execute.results import Result
from runner.simulator.sessions import Session
from runner.simulator.sql.statements import KillSession
from runner.simulator.timers import call_later
from runner.simulator.users_and_roles import ALTER_SYSTEM

_LATER_SECONDS = 2.0


class _AfterRefusals(Engine):
    """Changes a session whose statement was refused."""

    def applies(self, session: Session, text: str) -> bool:  # noqa: ARG002 - for the overrides below
        return True

    def effect(self, session: Session) -> None:
        call_later(0, self.instance.ending.kill, session)

    async def execute(self, session: Session, text: str) -> Result:
        try:
            return await super().execute(session, text)
        except errors.SqlError:
            if "KILL" in text.upper() and self.applies(session, text):
                self.effect(session)
            raise


@breaks("IMP-8")
class DisconnectsAfterRefusedPreparedStatements(_AfterRefusals):
    """A session is closed after a prepared statement was refused."""

    def applies(self, session: Session, text: str) -> bool:  # noqa: ARG002 - any text
        return session.prepared


@breaks("IMP-8")
class DisconnectsAfterRefusedImmediate(_AfterRefusals):
    """A session is closed after a statement with IMMEDIATE was refused."""

    def applies(self, session: Session, text: str) -> bool:  # noqa: ARG002 - any session
        return text.upper().endswith("' IMMEDIATE")


@breaks("IMP-8")
class DisconnectsAfterRefusedSerials(_AfterRefusals):
    """A session is closed after a statement with a serial# was refused."""

    def applies(self, session: Session, text: str) -> bool:  # noqa: ARG002 - any session
        return "," in text


@breaks("IMP-8")
class DisconnectsAfterRefusedBlocks(_AfterRefusals):
    """A session is closed after a statement in a PL/SQL block was refused."""

    def applies(self, session: Session, text: str) -> bool:  # noqa: ARG002 - any session
        return text.upper().startswith("BEGIN")


@breaks("IMP-8")
class DisconnectsRefusedAdministrators(_AfterRefusals):
    """A session of the administrator is closed after its statement was refused."""

    def applies(self, session: Session, text: str) -> bool:  # noqa: ARG002 - any text
        return session.user.administrator


@breaks("IMP-8")
class DisconnectsRefusedSessionsLater(_AfterRefusals):
    """A session is closed two seconds after its statement was refused."""

    def effect(self, session: Session) -> None:
        call_later(_LATER_SECONDS, self.instance.ending.kill, session)


@breaks("IMP-8")
class RefusedPreparedStatementsRollBack(_AfterRefusals):
    """A prepared statement that is refused rolls back the whole transaction of its session."""

    def applies(self, session: Session, text: str) -> bool:  # noqa: ARG002 - any text
        return session.prepared

    def effect(self, session: Session) -> None:
        session.transaction.roll_back()


@breaks("IMP-8")
class RefusalLeavesTheSchema(_AfterRefusals):
    """A refused statement sets the current schema of its session back to the one of the login."""

    def effect(self, session: Session) -> None:
        session.schema = session.user.name


@breaks("IMP-8")
class RefusalDropsThePreparedStatement(Connection):
    """A prepared statement that was refused can't be executed again."""

    async def _run(self, session: Session, text: str, *, binary: bool) -> None:
        await super()._run(session, text, binary=binary)
        if binary and "KILL" in text and session.last_error is not None:
            self._prepared.clear()


@breaks("IMP-3")
class PreparedStatementsReportAnotherError(KillSessionStatement):
    """Without the privilege a prepared statement gives an internal error."""

    def check_privilege(self, session: Session) -> None:
        try:
            super().check_privilege(session)
        except errors.SqlError as error:
            raise errors.unexpected() if session.prepared else error from None


class _NotesWhoWasNamed(KillSessionStatement):
    named: ClassVar[set[Session]] = set()

    async def run(self, session: Session, statement: KillSession) -> Result:
        try:
            return await super().run(session, statement)
        except errors.SqlError:
            victim = self.registry.find(self.read_id(statement))
            if victim is not None:
                self.named.add(victim)
            raise


class _SparesWhoWasNamed(Spares):
    def is_spared(self, victim: Session) -> bool:
        return victim in _NotesWhoWasNamed.named


@breaks("PUR-1")
def spares_who_was_named_in_a_refusal(components: Components) -> Components:
    """A session that a refused statement has named counts as killed: the next one replies OK and does nothing."""
    return components.with_overrides(_NotesWhoWasNamed, _SparesWhoWasNamed)


@breaks("PUR-1")
class DoesNothingAfterARefusal(KillSessionStatement):
    """The first statement of a session after a refused one replies OK and does nothing."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.refused: set[Session] = set()

    async def run(self, session: Session, statement: KillSession) -> Result:
        try:
            return await super().run(session, statement)
        except errors.SqlError:
            self.refused.add(session)
            raise

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if session in self.refused:
            self.refused.discard(session)
        else:
            await super().end(session, victim, statement)


@breaks("IMP-8")
class UnknownIdDropsPreparedStatements(_AfterRefusals):
    """A statement that is refused for an unknown id drops what its session has prepared."""

    def applies(self, session: Session, text: str) -> bool:  # noqa: ARG002 - any text
        return not session.prepared and self.instance.privileges.holds(session, ALTER_SYSTEM)

    def effect(self, session: Session) -> None:
        if isinstance(session.connection, Connection):
            session.connection._prepared.clear()  # noqa: SLF001 - a defect may use private attributes
