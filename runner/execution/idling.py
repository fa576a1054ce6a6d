"""Whether idle sessions are closed here anyway, by an idle timeout of the server or of a proxy.

An end that came late may be that timeout's, and a loss too: then it is not the effect of the statement under test. A
session that no statement names tells: it is opened, left idle for as long as the other one was, and looked at.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from runner.database.outcome import succeeded
from runner.database.poll import Poll
from runner.database.session import Login, Session
from runner.database.target import Target, TargetError

_AT_LEAST = 2.0  # seconds of the first comparison, so that not every end that is a bit later needs one of its own
_PAUSE = 0.1  # seconds between what is done meanwhile, while another thread compares
_MARGIN = 1.2  # times as long as the other session was idle


@dataclass
class Idling:
    """What is known of a target's idle sessions; one a process. Of several threads, one compares at a time.

    Attributes:
        target: the server, with the administrator's login.
        survived: seconds for which an idle session was seen to live on.
        closed: seconds after which one was closed; None if none was.
        alone: whether one case is run at a time. Else a session that is compared may have been ended by a neighbour's
            statement: that is told once, and not kept.
    """

    target: Target
    survived: float = 0.0
    closed: float | None = None
    alone: bool = True
    # One thread may compare within a comparison: a session that is kept active meanwhile can be lost, too.
    _comparing: threading.RLock = field(default_factory=threading.RLock, repr=False)

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
        closed = self.closed
        if seconds > self.survived and closed is None:
            closed = self._compare_once(seconds, login, meanwhile)
        return closed if closed is not None and closed <= seconds * _MARGIN else None

    def _compare_once(self, seconds: float, login: Login, meanwhile: Callable[[], None]) -> float | None:
        while not self._comparing.acquire(timeout=_PAUSE):
            meanwhile()
        try:
            if seconds <= self.survived or self.closed is not None:  # another thread knows by now
                return self.closed
            closed = self._compare(max(_AT_LEAST, seconds * _MARGIN), login, meanwhile)
            if self.alone:
                self.closed = closed
            return closed
        finally:
            self._comparing.release()

    def _compare(self, seconds: float, login: Login, meanwhile: Callable[[], None]) -> float | None:
        session = self._opened(login)
        try:
            poll = Poll(seconds)
            while session.listen() is None and poll.again():
                meanwhile()
            if session.hangup is None:
                self.survived = seconds
                return None
            return session.idle
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
