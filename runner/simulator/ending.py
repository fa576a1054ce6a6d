"""What happens to a session that ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.simulator import errors

if TYPE_CHECKING:
    from runner.simulator.sessions import Registry, Session


class SessionEnding:
    """Ends sessions: by KILL, or because the client has left.

    All of it happens in one go, before the statement that ended the session is answered: no other session ever sees
    one half of it.
    """

    def __init__(self, registry: Registry) -> None:
        self.registry = registry

    def kill(self, victim: Session) -> None:
        """Ends a session from outside, or from within."""
        self.mark(victim)
        self.unlist(victim)
        self.roll_back(victim)
        self.disconnect(victim)

    def mark(self, victim: Session) -> None:
        """From here on the session runs no further statement."""
        victim.ended = True

    def unlist(self, victim: Session) -> None:
        """The session's row leaves the list, and its id names nothing any more."""
        self.registry.remove(victim)

    def roll_back(self, victim: Session) -> None:
        """Undoes the open transaction and lets go of its row locks."""
        victim.transaction.roll_back()

    def disconnect(self, victim: Session) -> None:
        """Closes the connection: silently where the session is idle, with an error for the statement in flight.

        A session that ends itself is running, but not waiting: its connection closes once its statement is over.
        """
        if victim.statement is None:
            victim.link.disconnect(None)
        elif victim.waiting is not None:
            victim.link.disconnect(errors.session_killed())
            victim.interrupt(errors.SessionEndedError())

    def leave(self, session: Session) -> None:
        """The client has gone by itself: nothing of its session stays."""
        if session.ended:
            return
        session.ended = True
        self.registry.remove(session)
        session.transaction.roll_back()
        session.interrupt(errors.SessionEndedError())
