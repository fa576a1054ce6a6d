"""Whether the target can be used at all: who doesn't answer anybody is not asked two hundred times."""

from __future__ import annotations

import datetime as dt
import time

from runner.database.outcome import succeeded
from runner.database.poll import Poll
from runner.database.session import Session
from runner.database.target import Target

_PAUSE = 0.05  # seconds between looks
_QUICK = 0.1  # seconds: a look that takes no longer can be had before every case
_EVERY = 40  # cases, between looks that take longer
_COMPARED = 5.0  # seconds that a session without a statement under test is watched at least
_MARGIN = 2  # times as long as a loss took to come
_KEPT_ACTIVE = 0.5  # seconds of idling after which that session is sent a statement: no idle timeout is meant
_TOGETHER = 10  # times as long as one outage may last, all outages of a run may


class Outage:
    """One a worker.

    When a case came to nothing, the target is looked at: can the administrator log in, is a probe answered? If not, the
    next case waits until it can be used again, as a server that restarts can in a moment. A server that comes back may
    be waited for several times. Once a run has waited long enough, cases are not begun any more, but the target is
    looked at now and then: whoever comes back late gets its fair chance for the cases that are left.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._left = target.limits.outage
        self._left_together = _TOGETHER * target.limits.outage
        self._trouble: str | None = None
        self._since = ""
        self._look_took = 0.0
        self._passed_over = 0

    @property
    def reason(self) -> str:
        """Since when the target can't be used, and how that shows."""
        return f"the target is unusable since {self._since} ({self._trouble})"

    @property
    def trouble(self) -> str:
        """How it showed when the target could not be used; empty if it can be used."""
        return self._trouble or ""

    def begun(self) -> bool:
        """Looks whether the target can be used at this moment; false if it can."""
        start = time.monotonic()
        trouble = self._target.trouble()
        self._look_took = time.monotonic() - start
        if trouble is not None and self._trouble is None:
            self._trouble, self._since = trouble, f"{dt.datetime.now(dt.UTC):%H:%M:%S} UTC"
        elif trouble is None and self._trouble is not None:
            self._target.close()  # a session of the time before may be dead without anybody having heard it
            self._trouble = None
            self._left = min(self._target.limits.outage, self._left_together)
        return trouble is not None

    def over(self) -> bool:
        """Whether the next case can begin; waits for that as long as this run still waits for anything."""
        if self._trouble is None:
            return True
        while self._left > 0:
            start = time.monotonic()
            if not self.begun():
                return True
            time.sleep(_PAUSE)
            self._left -= time.monotonic() - start
            self._left_together -= time.monotonic() - start
        self._passed_over += 1
        return (self._look_took < _QUICK or self._passed_over % _EVERY == 0) and not self.begun()

    def comes_anyway(self, seconds: float) -> bool:
        """Whether a session is lost within so many seconds in which no statement under test is sent."""
        session = Session(self._target.administrator)
        try:
            poll = Poll(max(_COMPARED, seconds * _MARGIN))
            lost = not succeeded(session.open(self._target.limits.connect))
            while not lost and poll.again():
                if session.idle > _KEPT_ACTIVE:
                    session.execute(self._target.probe, self._target.brief)
                lost = session.listen() is not None
            return lost
        finally:
            session.close()
