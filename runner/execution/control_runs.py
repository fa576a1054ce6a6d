"""Control runs: they show whether sessions or logins of a case are also lost without its guarded statement.

Another client may kill sessions, and a load balancer or a server with too many logins may reset new connections.

A control run runs the steps of the case before that statement, and then watches the sessions. Losses that happen at
random are found by watching for some seconds, once a minute; losses that depend on the state of the sessions, such as a
limit for idle transactions, only with the steps of the same case.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

_LONG = 5.0  # seconds that find sessions lost at random
_LONG_EVERY = 60.0  # seconds after which such a control is repeated
_SHORT = 1.0  # seconds of the others, at least
_FACTOR = 2  # a control is this many times as long as the run that lost a session
_ENOUGH = 3  # control runs without a loss, after which a quick loss needs none of its own
_QUICK = 0.5  # seconds: limits for states of sessions are longer
_LOGINS = 40  # of a control; more than a case has


@dataclass
class ControlRuns:
    """The control runs of a process.

    Attributes:
        without_loss: the number of control runs in which no session was lost.
        long_at: the time of the last long one (``time.monotonic``); None if there was none.
    """

    without_loss: int = 0
    long_at: float | None = None

    def also_lose_sessions(self, run_seconds: float, control: Callable[[float], bool]) -> bool:
        """Whether sessions are also lost without the guarded statement, in two control runs.

        A server may end sessions some time after the statement of an earlier run: that explains one of them.

        Args:
            run_seconds: the duration of the run that lost a session.
            control: makes a control run of so many seconds; returns whether a session was lost.
        """
        seconds = max(_SHORT, _FACTOR * run_seconds)
        is_due = self.long_at is None or time.monotonic() - self.long_at > _LONG_EVERY
        if not is_due and self.without_loss >= _ENOUGH and run_seconds < _QUICK:
            return False
        seconds = max(seconds, _LONG) if is_due else seconds
        if control(seconds) and control(max(seconds, _LONG)):
            return True
        self.without_loss += 1
        if is_due:
            self.long_at = time.monotonic()
        return False

    @staticmethod
    def also_lose_logins(login_is_lost: Callable[[], bool]) -> bool:
        """Whether logins are also lost without the guarded statement.

        Args:
            login_is_lost: logs in once, and returns whether the connection was lost.
        """
        login_is_lost()  # the first one may still be affected by the statement
        return any(login_is_lost() for _ in range(_LOGINS))
