"""The statements this server is about: ALTER SYSTEM KILL SESSION, and the plain KILL beside it.

Each step of the statement is a method of its own, in the order in which it happens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.simulator import errors
from runner.simulator.accounts import ALTER_SYSTEM
from runner.simulator.execute.results import Done, Result
from runner.simulator.execute.session_id import session_id

if TYPE_CHECKING:
    from runner.simulator.ending import SessionEnding
    from runner.simulator.privileges import Privileges
    from runner.simulator.sessions import Registry, Session
    from runner.simulator.settings import Settings
    from runner.simulator.sql.statements import Kill, KillSession


class KillSessionStatement:
    """Executes ALTER SYSTEM KILL SESSION."""

    def __init__(self, registry: Registry, privileges: Privileges, ending: SessionEnding, settings: Settings) -> None:
        self.registry = registry
        self.privileges = privileges
        self.ending = ending
        self.settings = settings

    async def run(self, session: Session, statement: KillSession) -> Result:
        """Ends the session that the statement names.

        The privilege comes first, so that an id tells nothing to those who lack it.
        """
        self.check_privilege(session)
        number = self.read_id(statement)
        victim = self.find(number)
        self.check_owner(session, victim)
        await self.end(session, victim, statement)
        return self.answer()

    def check_privilege(self, session: Session) -> None:
        """The statement needs ALTER SYSTEM, whomever it names."""
        self.privileges.demand(session, ALTER_SYSTEM)

    def read_id(self, statement: KillSession) -> int:
        """The id: all up to the first comma. What stands behind it, the serial#, is not even read."""
        return session_id(statement.text.partition(",")[0])

    def find(self, number: int) -> Session:
        """The one session with this id."""
        victim = self.registry.find(number)
        if victim is None:
            raise errors.unknown_session(number)
        return victim

    def check_owner(self, session: Session, victim: Session) -> None:
        """No further condition is specified; servers that have one let only the administrator kill every session."""
        if self.settings.owner_check:
            demand_ownership(session, victim)

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:  # noqa: ARG002 - for variants that look at who asks, and how
        """Ends the victim. IMMEDIATE is reserved: it makes no difference."""
        self.ending.kill(victim)

    def answer(self) -> Result:
        """OK, no rows."""
        return Done()


class PlainKill:
    """Executes KILL, which needs no privilege but reaches only one's own user's sessions."""

    def __init__(self, registry: Registry, ending: SessionEnding) -> None:
        self.registry = registry
        self.ending = ending

    def run(self, session: Session, statement: Kill) -> Result:
        """Ends a session, or the statement that it runs."""
        number = session_id(statement.text)
        victim = self.registry.find(number)
        if victim is None:
            raise errors.unknown_session(number)
        demand_ownership(session, victim)
        if statement.query_only:
            victim.interrupt(errors.query_killed())
        else:
            self.ending.kill(victim)
        return Done()


def demand_ownership(session: Session, victim: Session) -> None:
    """Refuses who is neither the administrator nor the victim's own user."""
    if victim.user is not session.user and not session.user.administrator:
        raise errors.not_the_owner(victim.number)
