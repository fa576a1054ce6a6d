"""Variants: the row of a session stays for a moment after its client disconnected."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

from runner.simulator import errors
from runner.simulator.catalogue import variant
from runner.simulator.components import Components
from runner.simulator.execute.kill import KillSessionStatement
from runner.simulator.session_ending import SessionEnding
from runner.simulator.sessions import Session
from runner.simulator.timers import call_later

LINGERS_SECONDS = 0.3


@variant
class RowOfWhoLeftLingers(SessionEnding):
    """The row of a session stays for a moment after its client disconnected; the statement finds it and replies OK."""

    def client_disconnected(self, session: Session) -> None:
        if not session.ended:
            call_later(LINGERS_SECONDS, self.registry.remove, session)
            session.ended = True
            session.transaction.roll_back()
            session.interrupt(errors.SessionEndedError())


@variant
def row_of_who_left_names_nobody(components: Components) -> Components:
    """The row of a session stays for a moment after its client disconnected; the statement knows no such session."""
    return components.with_overrides(RowOfWhoLeftLingers, _FindsTheLiving)


class _FindsTheLiving(KillSessionStatement):
    def find(self, number: int) -> Session:
        victim = super().find(number)
        if victim.ended:
            raise errors.unknown_session(number)
        return victim
