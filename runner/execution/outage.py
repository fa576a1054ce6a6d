"""Checks whether the target is usable, and waits until it is; meanwhile no case is run."""

from __future__ import annotations

import datetime as dt
import threading
import time

from runner.database.target import Target
from runner.database.time_limits import Limits

_PAUSE = 0.05  # seconds between checks
_QUICK = 0.1  # seconds: checks that take no longer are done before every case
_EVERY = 40  # cases between checks that take longer
_ALL_OUTAGES_FACTOR = 10  # times the limit of one outage: the limit of all outages of a run


class Outage:
    """The outages of the target; one object per process. One thread checks or waits at a time, others use its result.

    After a failed case, the target is checked: the administrator logs in and sends a check statement. If that fails,
    the next case waits until the target is usable, for example after a restart. Several outages are waited for, up to
    a limit. After that, no case is started while the target is unusable, but it is checked from time to time.

    Attributes:
        count: the number of outages that are over; sessions from before the last one may be dead without a sign.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._left = limits.outage
        self._left_together = _ALL_OUTAGES_FACTOR * limits.outage
        self._trouble: str | None = None
        self._since = ""
        self._checked_at = 0.0
        self._check_took = 0.0
        self._skipped = 0
        self._checking = threading.RLock()
        self.count = 0

    @property
    def reason(self) -> str:
        """The time since when the target is unusable, and the error."""
        return f"the target has been unusable since {self._since} ({self._trouble})"

    @property
    def trouble(self) -> str:
        """The error of the last check; empty if the target was usable."""
        return self._trouble or ""

    def check_unusable(self, target: Target) -> bool:
        """Checks the target with a new login, or waits for another thread's check; returns whether it is unusable."""
        called = time.monotonic()
        with self._checking:
            if self._checked_at < called:
                self._check_target(target)
            return self._trouble is not None

    def _check_target(self, target: Target) -> None:
        self._checked_at = start = time.monotonic()
        trouble = target.find_trouble()
        self._check_took = time.monotonic() - start
        if trouble is not None and self._trouble is None:
            self._trouble, self._since = trouble, f"{dt.datetime.now(dt.UTC):%H:%M:%S} UTC"
        elif trouble is None and self._trouble is not None:
            target.close()
            self.count += 1
            self._trouble = None
            self._left = min(self._limits.outage, self._left_together)

    def wait_until_usable(self, target: Target) -> bool:
        """Waits until the target is usable, within the limits of the run; returns whether it is."""
        if self._trouble is None:
            return True
        with self._checking:
            while self._left > 0 and not target.facts.cut_off.is_set():
                start = time.monotonic()
                if not self.check_unusable(target):
                    return True
                time.sleep(_PAUSE)
                self._left -= time.monotonic() - start
                self._left_together -= time.monotonic() - start
            self._skipped += 1
            return (self._check_took < _QUICK or self._skipped % _EVERY == 0) and not self.check_unusable(target)
