"""The time limits of a run, waiting until one of them is over, and limits that adapt to the server."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

_FIRST_PAUSE = 0.002  # seconds
_LONGEST_PAUSE = 0.1
_GROWTH = 1.4
CHANCES = 3  # the replies of full length that a target may miss before its limits become shorter
SHORT_LIMIT = 1.0  # seconds
KEEP_ACTIVE_AFTER = 0.5  # seconds of idling after which a statement is sent on a session that has to stay connected
LONGEST_LIMIT = 600.0  # seconds that an option may set
_SLOWER = 4  # times as long as it took the longest time so far


@dataclass(frozen=True)
class Limits:
    """The time limits of a run, in seconds. None of them is a sleep: each is the longest time for a wait or for work.

    Attributes:
        connect: for a login, from the socket to the last packet.
        statement: for the reply to a statement.
        settle: until the connection of a killed session is closed and its row is gone.
        cleanup: for each statement of the cleanup after a case.
        retry: during which a statement of the runner is retried after an error caused by other sessions.
        repeat: after which a case that observes is not repeated again, if it was run three times: otherwise a server
            that needs seconds to kill a session would be measured for minutes.
        outage: until an unusable target can be used again; in total for all outages of a worker.
    """

    connect: float = 10.0
    statement: float = 10.0
    settle: float = 5.0
    cleanup: float = 10.0
    retry: float = 3.0
    repeat: float = 1.5
    outage: float = 30.0


class Poll:
    """The pauses between checks: short at first, for fast targets, then longer, to reduce the load on slow ones.

    Args:
        seconds: the time until the deadline, from now.
    """

    def __init__(self, seconds: float) -> None:
        self.deadline = time.monotonic() + seconds
        self._pause = _FIRST_PAUSE

    @property
    def left(self) -> float:
        """Seconds until the deadline, 0 if it has passed."""
        return max(0.0, self.deadline - time.monotonic())

    def again(self) -> bool:
        """Pauses, then returns true; returns false at once if the deadline has passed."""
        if not self.left:
            return False
        time.sleep(min(self._pause, self.left))
        self._pause = min(_GROWTH * self._pause, _LONGEST_PAUSE)
        return True


@dataclass
class AdaptiveLimit:
    """A time limit that becomes shorter for a target that has exceeded it three times. One per process, thread-safe.

    From then on the limit is one second, or four times the longest duration within the limit.

    Attributes:
        longest: the longest duration within the limit, in seconds.
    """

    longest: float = 0.0
    _exceeded: int = 0
    _noting: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def current(self, full: float) -> float:
        """The current limit in seconds; ``full`` for a target that has not exceeded it."""
        return min(full, max(SHORT_LIMIT, _SLOWER * self.longest)) if self._exceeded >= CHANCES else full

    def note(self, seconds: float) -> None:
        """Notes a wait that ended within the limit."""
        with self._noting:
            self.longest = max(self.longest, seconds)

    def note_exceeded(self) -> None:
        """Notes a wait that exceeded the limit."""
        with self._noting:
            self._exceeded += 1
