"""Measures the idle timeout of a target with control sessions, which no statement names.

An idle timeout of the server or of a proxy, and not the statement under test, may have closed a session that was idle
for long. To find out, a control session is left idle for as long. No variable of the server is read.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from runner.database.administrator_session import TargetError
from runner.database.outcome import succeeded
from runner.database.session import Login, Session
from runner.database.target import Target
from runner.database.time_limits import Poll

_AT_LEAST = 2.0  # seconds of the first measurement, so that slightly longer times need no further one
_PAUSE = 0.1  # seconds between the calls of ``meanwhile``, while another thread measures
_MARGIN = 1.2  # times the idle time of the closed session


@dataclass
class IdleTimeout:
    """The idle timeout of a target, as far as it is measured; one object per process. One thread measures at a time.

    Attributes:
        target: the server, with the administrator's login.
        longest_survived: the longest time in seconds for which an idle session stayed open.
        closed_after: the seconds after which an idle session was closed; None if none was.
        alone: whether one case is run at a time. Otherwise another case may have killed the measured session: then
            the result is used once, and not kept.
    """

    target: Target
    longest_survived: float = 0.0
    closed_after: float | None = None
    alone: bool = True
    # A thread may measure during a measurement: a session that is kept active meanwhile can be lost, too.
    _measuring: threading.RLock = field(default_factory=threading.RLock, repr=False)

    def set_one_case_at_a_time(self, *, alone: bool) -> None:
        """Notes whether one case is run at a time from now on."""
        self.alone = alone

    def find(self, seconds: float, login: Login, meanwhile: Callable[[], None]) -> float | None:
        """The idle timeout in seconds, if it can have closed a session that was idle for ``seconds``; else None.

        If that is not known yet, opens a session and leaves it idle, which takes as long.

        Args:
            seconds: the idle time of the closed session.
            login: the login for the measurement; if it fails, the administrator's is used.
            meanwhile: called repeatedly during the measurement, to keep other sessions active.

        Raises:
            TargetError: no session can be opened.
        """
        closed = self.closed_after
        if seconds > self.longest_survived and closed is None:
            closed = self._measure_once(seconds, login, meanwhile)
        return closed if closed is not None and closed <= seconds * _MARGIN else None

    def _measure_once(self, seconds: float, login: Login, meanwhile: Callable[[], None]) -> float | None:
        while not self._measuring.acquire(timeout=_PAUSE):
            meanwhile()
        try:
            if seconds <= self.longest_survived or self.closed_after is not None:  # another thread has measured it
                return self.closed_after
            closed = self._measure(max(_AT_LEAST, seconds * _MARGIN), login, meanwhile)
            if self.alone:
                self.closed_after = closed
            return closed
        finally:
            self._measuring.release()

    def _measure(self, seconds: float, login: Login, meanwhile: Callable[[], None]) -> float | None:
        session = self._open(login)
        try:
            poll = Poll(seconds)
            while session.check_connection() is None and poll.again():
                meanwhile()
            if session.connection_end is None:
                self.longest_survived = seconds
                return None
            return session.idle
        finally:
            session.close()

    def _open(self, login: Login) -> Session:
        for each in (login, self.target.administrator.login):
            session = Session(each)
            outcome = session.open(self.target.limits.connect)
            if succeeded(outcome):
                return session
            session.abandon()
        raise TargetError(f"the session for the comparison with idle sessions could not connect: {outcome}", outcome)
