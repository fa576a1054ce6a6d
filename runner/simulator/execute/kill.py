"""ALTER SYSTEM KILL SESSION, and the plain KILL.

Each step of a statement is a method, in the order of execution, so that a defect overrides one step.
"""

from __future__ import annotations

from runner.simulator import errors
from runner.simulator.execute.id_conversion import session_id
from runner.simulator.execute.results import Done, Result
from runner.simulator.privilege_checks import Privileges
from runner.simulator.session_ending import SessionEnding
from runner.simulator.sessions import Session, SessionRegistry
from runner.simulator.settings import Settings
from runner.simulator.sql.statements import Kill, KillSession
from runner.simulator.users_and_roles import ALTER_SYSTEM


class KillSessionStatement:
    """Executes ALTER SYSTEM KILL SESSION."""

    def __init__(
        self, registry: SessionRegistry, privileges: Privileges, ending: SessionEnding, settings: Settings
    ) -> None:
        self.registry = registry
        self.privileges = privileges
        self.ending = ending
        self.settings = settings

    async def run(self, session: Session, statement: KillSession) -> Result:
        """Kills the session that the statement names.

        The privilege is checked first, so that users without it can't find out which ids exist.
        """
        self.check_privilege(session)
        number = self.read_id(statement)
        victim = self.find(number)
        self.check_owner(session, victim)
        await self.end(session, victim, statement)
        return self.reply()

    def check_privilege(self, session: Session) -> None:
        """Requires ALTER SYSTEM, whatever session the statement names."""
        self.privileges.require(session, ALTER_SYSTEM)

    def read_id(self, statement: KillSession) -> int:
        """The id: the text before the first comma. The serial# after it is ignored."""
        return session_id(statement.text.partition(",")[0])

    def find(self, number: int) -> Session:
        """The session with this id; raises an error if there is none."""
        victim = self.registry.find(number)
        if victim is None:
            raise errors.unknown_session(number)
        return victim

    def check_owner(self, session: Session, victim: Session) -> None:
        """With the setting ``owner_check``, only the administrator can kill sessions of other users."""
        if self.settings.owner_check:
            require_ownership(session, victim)

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:  # noqa: ARG002 - for overrides that use the session or the statement
        """Kills the victim. IMMEDIATE is reserved: it changes nothing."""
        self.ending.kill(victim)

    def reply(self) -> Result:
        """The reply: OK without rows."""
        return Done()


class PlainKill:
    """Executes KILL. It needs no privilege for sessions of the own user."""

    def __init__(self, registry: SessionRegistry, ending: SessionEnding) -> None:
        self.registry = registry
        self.ending = ending

    async def run(self, session: Session, statement: Kill) -> Result:
        """Kills a session, or the statement that it executes."""
        victim = self.find(session_id(statement.text))
        self.check_owner(session, victim)
        if statement.query_only:
            self.interrupt(session, victim)
        else:
            self.end(session, victim, statement)
        return self.reply()

    def find(self, number: int) -> Session:
        """The session with this id; raises an error if there is none."""
        victim = self.registry.find(number)
        if victim is None:
            raise errors.unknown_session(number)
        return victim

    def check_owner(self, session: Session, victim: Session) -> None:
        """The administrator can kill all sessions, other users only those of their own user."""
        require_ownership(session, victim)

    def interrupt(self, session: Session, victim: Session) -> None:  # noqa: ARG002 - for overrides that use the session
        """KILL QUERY: the running statement of the victim fails; without one, nothing happens."""
        victim.interrupt(errors.query_killed())

    def end(self, session: Session, victim: Session, statement: Kill) -> None:  # noqa: ARG002 - for overrides that use them
        """KILL and KILL CONNECTION: kills the victim."""
        self.ending.kill(victim)

    def reply(self) -> Result:
        """The reply: OK without rows."""
        return Done()


def require_ownership(session: Session, victim: Session) -> None:
    """Raises an error if the session's user is neither the administrator nor the victim's user."""
    if victim.user is not session.user and not session.user.administrator:
        raise errors.not_the_owner(victim.number)
