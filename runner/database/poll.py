"""Waiting for something without concluding from one look: look, pause, look again, until a deadline."""

from __future__ import annotations

import time

_FIRST_PAUSE = 0.002  # seconds
_LONGEST_PAUSE = 0.1
_GROWTH = 1.4


class Poll:
    """The pauses between looks: short at first, for fast targets, then longer, to spare slow ones.

    Args:
        seconds: how long to go on from now.
    """

    def __init__(self, seconds: float) -> None:
        self.deadline = time.monotonic() + seconds
        self._pause = _FIRST_PAUSE

    @property
    def left(self) -> float:
        """Seconds until the deadline, 0 if it is over."""
        return max(0.0, self.deadline - time.monotonic())

    def again(self) -> bool:
        """Pauses and says that one may look again; false, at once, when the deadline is over."""
        if not self.left:
            return False
        time.sleep(min(self._pause, self.left))
        self._pause = min(_GROWTH * self._pause, _LONGEST_PAUSE)
        return True
