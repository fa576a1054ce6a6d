"""The administrator's session of one thread: opened anew if it is lost; counts its losses."""

from __future__ import annotations

import math
import time

from runner.database.outcome import NoReply, Outcome, succeeded
from runner.database.server_facts import ServerFacts
from runner.database.session import Login, Session
from runner.database.time_limits import Limits

_SHORTEST_LIMIT = 1.0  # seconds for a target that has just not replied
_SLOWEST_FACTOR = 2  # times the administrator's slowest reply: a slow target is not down


class TargetError(Exception):
    """The target can't do what the runner needs for itself; the message has the statement and the reply."""

    def __init__(self, message: str, outcome: Outcome | None = None) -> None:
        super().__init__(message)
        self.outcome = outcome


class Administrator:
    """The administrator's session of one thread.

    Args:
        login: how the administrator logs in.
        facts: the facts about the server, to which replies add its speed.
        limits: the time limits.

    Attributes:
        login: how the administrator logs in.
        replacements: how often a session that the server had closed, or a login that it had broken off, was replaced.
        offered_capabilities: the capability bits of the greeting at the last login.
        idle_when_lost: for how many seconds the session had been idle when it was last found lost.
    """

    def __init__(self, login: Login, facts: ServerFacts, limits: Limits) -> None:
        self.login = login
        self._facts = facts
        self._limits = limits
        self._session: Session | None = None
        self._opened = math.inf
        self._lost: Session | None = None
        self._silent = False
        """Whether the last login or statement got no reply within its time limit."""
        self.replacements = 0
        self.offered_capabilities = 0
        self.idle_when_lost = 0.0

    @property
    def session(self) -> Session:
        """The session, opened anew if it is lost or still waits for a reply.

        Raises:
            TargetError: the administrator can't log in.
        """
        if self._session is not None and (self._session.busy or self._session.check_connection() is not None):
            self.replacements += self.is_lost()
            self._session.abandon()
            self._session = None
        if self._session is None:
            session = self._facts.administrators.add(Session(self.login))
            start = time.monotonic()
            session.begin_open(limit := self.shortened(self._limits.connect))  # in a thread: see Session.begin_open
            outcome = session.end_open(limit)
            self.offered_capabilities = session.offered_capabilities
            self.replacements += session.broken_off is not None
            self._silent |= isinstance(outcome, NoReply)
            if not succeeded(outcome):
                session.abandon()
                raise TargetError(f"{self} can't log in: {outcome}", outcome)
            self._facts.slowest = max(self._facts.slowest, time.monotonic() - start)
            self._session, self._opened = session, time.monotonic()
        return self._session

    def __str__(self) -> str:
        """For messages."""
        return f"the administrator {self.login.dsn.user!r}"

    @property
    def idle_session(self) -> Session | None:
        """The session, if it is open and doesn't wait for a reply."""
        return self._session if self._session is not None and not self._session.busy else None

    @property
    def has_logged_in(self) -> bool:
        """Whether there is a session, lost or not."""
        return self._session is not None

    @property
    def connected_since(self) -> float:
        """The time (``time.monotonic``) of the login; infinite if not connected. Since then, no server restarted."""
        connected = self._session is not None and self._session.check_connection() is None
        return self._opened if connected else math.inf

    def is_lost(self) -> bool:
        """Whether the server has closed the session, which is not replaced yet."""
        if self._session is None or self._session.check_connection() is None:
            return False
        if self._lost is not self._session:
            self._lost, self.idle_when_lost = self._session, self._session.idle
        return True

    @property
    def losses(self) -> int:
        """How often the server has closed the session, up to now."""
        return self.replacements + self.is_lost()

    @property
    def short_limit(self) -> float:
        """The time limit for a target that may be down, in seconds: short, but longer than its slowest reply so far."""
        return min(self._limits.connect, max(_SHORTEST_LIMIT, _SLOWEST_FACTOR * self._facts.slowest))

    def shortened(self, limit: float) -> float:
        """A time limit in seconds, shortened if the target has just not replied."""
        return min(limit, self.short_limit) if self._silent else limit

    def execute(self, statement: str, limit: float) -> Outcome:
        """Sends a statement; ``limit``: the seconds for its reply.

        Raises:
            TargetError: the administrator can't log in.
        """
        session, start = self.session, time.monotonic()
        outcome = session.execute(statement, self.shortened(limit))
        self.note_reply(outcome)
        self._facts.slowest = max(self._facts.slowest, 0 if self._silent else time.monotonic() - start)
        return outcome

    def note_reply(self, outcome: Outcome) -> None:
        """Notes whether a login or a statement of the administrator got a reply."""
        self._silent = isinstance(outcome, NoReply)

    def keep_active(self, statement: str, idle: float) -> None:
        """Sends a statement if the session has been idle for more than ``idle`` seconds."""
        session = self.idle_session
        if session is not None and session.check_connection() is None and session.idle > idle:
            session.execute(statement, self.shortened(self._limits.statement))

    def close(self) -> None:
        """Closes the session."""
        if self._session is not None:
            self._session.close()
            self._session = None
