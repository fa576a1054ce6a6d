"""A time limit that learns from a target: spent in vain a few times, it is not spent in full any more."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

_CHANCES = 3
_SHORT = 1.0  # seconds
_SLOWER = 4  # times as long as it took the longest time so far


@dataclass
class AdaptiveLimit:
    """What is known of one kind of wait, in one process; several threads may note at once.

    A target that has used up the full limit three times will hardly keep it the fourth time. From then on it gets a
    second, or four times what it took the longest time that it kept the limit.

    Attributes:
        longest: seconds that it took at most, as far as it kept the limit.
    """

    longest: float = 0.0
    _in_vain: int = 0
    _noting: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def of(self, full: float) -> float:
        """How many seconds to wait, where a target that is not known yet gets ``full``."""
        return min(full, max(_SHORT, _SLOWER * self.longest)) if self._in_vain >= _CHANCES else full

    def note(self, seconds: float) -> None:
        """What was waited for came after so many seconds."""
        with self._noting:
            self.longest = max(self.longest, seconds)

    def note_in_vain(self) -> None:
        """What was waited for did not come."""
        with self._noting:
            self._in_vain += 1
