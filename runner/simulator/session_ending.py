"""The end of a session, step by step: by KILL, or after its client has disconnected."""

from __future__ import annotations

from runner.simulator import errors
from runner.simulator.sessions import Session, SessionRegistry


class SessionEnding:
    """Ends sessions.

    All steps are executed without interruption, before the reply to the statement is sent: no other session sees an
    intermediate state.
    """

    def __init__(self, registry: SessionRegistry) -> None:
        self.registry = registry

    def kill(self, victim: Session) -> None:
        """Ends a session, by its own statement or by that of another session."""
        self.mark_as_ended(victim)
        self.remove_row(victim)
        self.roll_back(victim)
        self.disconnect(victim)

    def mark_as_ended(self, victim: Session) -> None:
        """Marks the session as ended: it executes no further statement."""
        victim.ended = True

    def remove_row(self, victim: Session) -> None:
        """Removes the session from the process list; its id is unknown from then on."""
        self.registry.remove(victim)

    def roll_back(self, victim: Session) -> None:
        """Rolls back the open transaction and releases its row locks."""
        victim.transaction.roll_back()

    def disconnect(self, victim: Session) -> None:
        """Closes the connection; sends an error first if a statement is in flight.

        The connection of a session that ends itself is closed after its statement.
        """
        if victim.statement is None:
            victim.connection.disconnect(None)
        elif victim.waiting is not None:
            victim.connection.disconnect(errors.session_killed())
            victim.interrupt(errors.SessionEndedError())

    def client_disconnected(self, session: Session) -> None:
        """Ends the session of a client that has closed its connection."""
        if session.ended:
            return
        session.ended = True
        self.registry.remove(session)
        session.transaction.roll_back()
        session.interrupt(errors.SessionEndedError())
