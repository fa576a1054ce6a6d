"""Whether idle sessions are closed here anyway, by an idle timeout of the server or of a proxy.

An end that came late may be that timeout's, and a loss too: then it is not the effect of the statement under test. A
session that no statement names tells: it is opened, left idle for as long as the other one was, and looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from runner.database.outcome import succeeded
from runner.database.poll import Poll
from runner.database.session import Login, Session
from runner.database.target import Target, TargetError

_AT_LEAST = 2.0  # seconds of the first comparison, so that not every end that is a bit later needs one of its own
_MARGIN = 1.2  # times as long as the other session was idle


@dataclass
class Idling:
    """What is known of a target's idle sessions; one a worker.

    Attributes:
        target: the server, with the administrator's login.
        survived: seconds for which an idle session was seen to live on.
        closed: seconds after which one was closed; None if none was.
    """

    target: Target
    survived: float = 0.0
    closed: float | None = None

    def closes_within(self, seconds: float, login: Login, meanwhile: Callable[[], None]) -> float | None:
        """After how many seconds of idling a session is closed here, if that is as soon as this; else None.

        Compares with a session of its own where that is not known yet, which takes as long.

        Args:
            seconds: how long the session was idle that was closed.
            login: its user's, or another one's that should fare alike; the administrator's is taken if that fails.
            meanwhile: what is done again and again for the sessions that have to go on.

        Raises:
            TargetError: no session can be opened to compare with.
        """
        if seconds > self.survived and self.closed is None:
            self._compare(max(_AT_LEAST, seconds * _MARGIN), login, meanwhile)
        return self.closed if self.closed is not None and self.closed <= seconds * _MARGIN else None

    def _compare(self, seconds: float, login: Login, meanwhile: Callable[[], None]) -> None:
        session = self._opened(login)
        try:
            poll = Poll(seconds)
            while session.listen() is None and poll.again():
                meanwhile()
            if session.hangup is None:
                self.survived = seconds
            else:
                self.closed = session.idle
        finally:
            session.close()

    def _opened(self, login: Login) -> Session:
        for each in (login, self.target.administrator):
            session = Session(each)
            outcome = session.open(self.target.limits.connect)
            if succeeded(outcome):
                return session
            session.abandon()
        raise TargetError(f"the session for the comparison with idle sessions could not connect: {outcome}", outcome)
