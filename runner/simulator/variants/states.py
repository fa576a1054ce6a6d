"""Other ways to treat the transaction of the killing session, and sessions whose clients have left."""

# ruff: noqa: D102 - overriding one step of many, each explained where the honest one stands

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.simulator import errors
from runner.simulator.catalogue import lawful
from runner.simulator.deferring import later
from runner.simulator.ending import SessionEnding
from runner.simulator.execute.kill import KillSessionStatement
from runner.simulator.execute.transactions import commit_now
from runner.simulator.parts import Parts, altered

if TYPE_CHECKING:
    from runner.simulator.execute.results import Result
    from runner.simulator.sessions import Session
    from runner.simulator.sql.statements import KillSession

LINGERS_SECONDS = 0.3


@lawful
class KillCommits(KillSessionStatement):
    """The statement commits the open transaction of its own session, as DDL does, also before it kills that session."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        commit_now(session)
        return await super().run(session, statement)


@lawful
class RowOfWhoLeftLingers(SessionEnding):
    """The row of a session stays for a moment after its client disconnected; the statement finds it and replies OK."""

    def leave(self, session: Session) -> None:
        if not session.ended:
            later(LINGERS_SECONDS, self.registry.remove, session)
            session.ended = True
            session.transaction.roll_back()
            session.interrupt(errors.SessionEndedError())


@lawful
def row_of_who_left_names_nobody(parts: Parts) -> Parts:
    """The row of a session stays for a moment after its client disconnected; the statement knows no such session."""
    return altered(parts, RowOfWhoLeftLingers, _FindsTheLiving)


class _FindsTheLiving(KillSessionStatement):
    def find(self, number: int) -> Session:
        victim = super().find(number)
        if victim.ended:
            raise errors.unknown_session(number)
        return victim
