"""Defects: the statement changes the session that sent it: its transaction, its locks or its autocommit."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

from runner.simulator import errors
from runner.simulator.catalogue import breaks
from runner.simulator.components import Components
from runner.simulator.defects.state_of_the_sender import in_a_transaction
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.kill import KillSessionStatement
from runner.simulator.execute.results import Result
from runner.simulator.execute.server_state import Instance
from runner.simulator.sessions import Session
from runner.simulator.sql import statements as sql
from runner.simulator.tables import Row, Transaction, Values
from runner.simulator.timers import call_later

_BROKEN = "BROKEN"
_LATER_SECONDS = 1.0


class AfterKill(KillSessionStatement):
    """Punishes the session that has killed another one."""

    def effect(self, session: Session) -> None:
        raise NotImplementedError

    async def end(self, session: Session, victim: Session, statement: sql.KillSession) -> None:
        await super().end(session, victim, statement)
        if victim is not session:
            self.effect(session)


@breaks("IMP-11")
class RollsTheKillerBack(AfterKill):
    """The statement rolls back the open transaction of its own session."""

    def effect(self, session: Session) -> None:
        session.transaction.roll_back()
        session.explicit_transaction = False


@breaks("IMP-11")
class FreesTheKillersRows(AfterKill):
    """The statement releases the row locks of its own session; its changes are still committed later."""

    def effect(self, session: Session) -> None:
        free_the_rows_of(session)


def free_the_rows_of(session: Session) -> None:
    """Releases the row locks of a session; its changes are still committed later."""
    kept = session.transaction.locked_rows()
    session.transaction.roll_back()
    session.transaction = WithoutLocks(kept)


class WithoutLocks(Transaction):
    """Writes its rows at the commit, even if others have changed them meanwhile."""

    def __init__(self, kept: list[tuple[Row, Values | None]]) -> None:
        super().__init__()
        self.kept = kept

    def commit(self) -> None:
        for row, values in self.kept:
            row.table.rows[row] = None
            row.committed = values
            row.release()
        self.kept = []
        super().commit()


@breaks("IMP-11")
class SwitchesAutocommitOn(AfterKill):
    """The statement switches autocommit on for its own session."""

    def effect(self, session: Session) -> None:
        session.autocommit = True


@breaks("IMP-11")
class SwitchesAutocommitOff(AfterKill):
    """The statement switches autocommit off for its own session."""

    def effect(self, session: Session) -> None:
        session.autocommit = False


@breaks("IMP-11")
def breaks_the_killers_transaction(components: Components) -> Components:
    """After the statement, the sending session's open transaction can only be rolled back."""
    return components.with_overrides(_MarksTheKiller, _ServesTheUnmarked)


class _MarksTheKiller(AfterKill):
    def effect(self, session: Session) -> None:
        if in_a_transaction(session):
            session.state = _BROKEN


class _ServesTheUnmarked(Engine):
    def __init__(self, instance: Instance) -> None:
        super().__init__(instance)
        self.broken: set[Session] = set()

    async def execute(self, session: Session, text: str) -> Result:
        if session in self.broken and text.upper() != "ROLLBACK":
            raise errors.unexpected()
        self.broken.discard(session)
        try:
            return await super().execute(session, text)
        finally:
            if session.state == _BROKEN:
                self.broken.add(session)


@breaks("IMP-11")
class KillInABlockRollsTheKillerBack(AfterKill):
    """A statement in a PL/SQL block rolls back the open transaction of its own session."""

    def effect(self, session: Session) -> None:
        if (session.statement or "").upper().startswith("BEGIN"):
            session.transaction.roll_back()


@breaks("IMP-11")
class RollsTheKillerBackLater(AfterKill):
    """A second after the statement, the transaction that its own session had open is rolled back."""

    def effect(self, session: Session) -> None:
        if session.transaction.open:
            call_later(_LATER_SECONDS, session.transaction.roll_back)


@breaks("IMP-11")
class AnotherUsersSessionRollsTheKillerBack(AfterKill):
    """The kill of another user's session by a holder rolls back the open transaction of the holder's session."""

    async def end(self, session: Session, victim: Session, statement: sql.KillSession) -> None:
        self.applies = victim.user is not session.user and not session.user.administrator
        await super().end(session, victim, statement)

    def effect(self, session: Session) -> None:
        if self.applies:
            session.transaction.roll_back()
