"""Whether the target can be used at all: who doesn't answer anybody is not asked two hundred times."""

from __future__ import annotations

import datetime as dt
import threading
import time

from runner.database.limits import Limits
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
    """One a process.

    When a case came to nothing, the target is looked at: can the administrator log in, is a probe answered? If not, the
    next case waits until it can be used again, as a server that restarts can in a moment. A server that comes back may
    be waited for several times. Once a run has waited long enough, cases are not begun any more, but the target is
    looked at now and then: whoever comes back late gets its fair chance for the cases that are left.

    Of several threads one looks, or waits, and the others take what it has found.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._left = limits.outage
        self._left_together = _TOGETHER * limits.outage
        self._trouble: str | None = None
        self._since = ""
        self._looked_at = 0.0
        self._look_took = 0.0
        self._passed_over = 0
        self._looking = threading.RLock()
        self.ended = 0
        """How often it has come back: a session of the time before may be dead without anybody having heard it."""

    @property
    def reason(self) -> str:
        """Since when the target can't be used, and how that shows."""
        return f"the target is unusable since {self._since} ({self._trouble})"

    @property
    def trouble(self) -> str:
        """How it showed when the target could not be used; empty if it can be used."""
        return self._trouble or ""

    def begun(self, target: Target) -> bool:
        """Whether the target can't be used at this moment, by a look that is not older than this question."""
        asked = time.monotonic()
        with self._looking:
            if self._looked_at < asked:
                self._look(target)
            return self._trouble is not None

    def _look(self, target: Target) -> None:
        self._looked_at = start = time.monotonic()
        trouble = target.trouble()
        self._look_took = time.monotonic() - start
        if trouble is not None and self._trouble is None:
            self._trouble, self._since = trouble, f"{dt.datetime.now(dt.UTC):%H:%M:%S} UTC"
        elif trouble is None and self._trouble is not None:
            target.close()
            self.ended += 1
            self._trouble = None
            self._left = min(self._limits.outage, self._left_together)

    def over(self, target: Target) -> bool:
        """Whether the next case can begin; waits for that as long as this run still waits for anything."""
        if self._trouble is None:
            return True
        with self._looking:
            while self._left > 0 and not target.known.cut_off.is_set():
                start = time.monotonic()
                if not self.begun(target):
                    return True
                time.sleep(_PAUSE)
                self._left -= time.monotonic() - start
                self._left_together -= time.monotonic() - start
            self._passed_over += 1
            return (self._look_took < _QUICK or self._passed_over % _EVERY == 0) and not self.begun(target)

    def comes_anyway(self, seconds: float, target: Target) -> bool:
        """Whether a session is lost within so many seconds in which no statement under test is sent."""
        session = Session(target.administrator)
        try:
            poll = Poll(max(_COMPARED, seconds * _MARGIN))
            lost = not succeeded(session.open(self._limits.connect))
            while not lost and poll.again():
                if session.idle > _KEPT_ACTIVE:
                    session.execute(target.probe, target.brief)
                lost = session.listen() is not None
            return lost
        finally:
            session.close()
