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


_UNKNOWN = 0.25  # seconds to watch surviving sessions, before the first kill
_LEAST_WATCH = 0.03  # seconds; cases about later effects have their own time to watch
_SILENT = 0.25  # seconds to wait for the end of a connection whose row is gone, before a check statement is sent on it
_SOON = 0.02  # seconds
_LEARNT = 2  # connections that were closed only at a check statement, if at most as many were closed without one


@dataclass
class AdaptiveLimits:
    """The adaptive time limits of one process, in seconds; thread-safe.

    Without them, a run would take an hour instead of minutes on a server that never replies, kills no session, or
    lists none. If three guarded statements had no reply within the full limit and none had one, the limit is a second.

    Attributes:
        limits: the time limits of the run.
        end_limit: until a killed session that was idle is gone.
        busy_end_limit: the same for a session with a statement in flight: a server may fail to kill one kind only.
        state_limit: until the process list shows that a session's statement runs.
    """

    limits: Limits
    end_limit: AdaptiveLimit = field(default_factory=AdaptiveLimit)
    busy_end_limit: AdaptiveLimit = field(default_factory=AdaptiveLimit)
    state_limit: AdaptiveLimit = field(default_factory=AdaptiveLimit)
    _any_end: bool = False
    _any_reply: bool = False
    _replies_missing: int = 0
    _ends_at_request: int = 0
    _ends_before_request: int = 0
    _noting: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def settle(self) -> float:
        """Until a killed session has to be gone, whatever it did."""
        return max(self.settle_of(busy=False), self.settle_of(busy=True))

    def settle_of(self, *, busy: bool) -> float:
        """Until a killed session has to be gone that had a statement in flight (``busy``), or none."""
        return (self.busy_end_limit if busy else self.end_limit).current(self.limits.settle)

    @property
    def statement(self) -> float:
        """For the reply to a guarded statement."""
        spent = not self._any_reply and self._replies_missing >= CHANCES
        return min(self.limits.statement, SHORT_LIMIT) if spent else self.limits.statement

    @property
    def watch(self) -> float:
        """The time to watch surviving sessions after a guarded statement: as long as a kill takes here."""
        return min(self.limits.settle, max(1.25 * self.end_limit.longest, _LEAST_WATCH) if self._any_end else _UNKNOWN)

    def note_end(self, seconds: float) -> None:
        """Notes that the connection of a killed session was gone after so many seconds."""
        self.end_limit.note(seconds)
        with self._noting:
            self._any_end = True
            self._ends_before_request += 1

    @property
    def before_probe(self) -> float:
        """Until a check statement is sent on a connection whose row is gone: short if connections close only then."""
        return _SOON if self._ends_at_request >= max(_LEARNT, self._ends_before_request) else _SILENT

    @property
    def before_list(self) -> float:
        """Until the process list is read, if a connection is still open: as long as a kill takes here."""
        return min(_SILENT, 1.25 * self.end_limit.longest) if self._ends_before_request else _SOON

    def note_end_at_request(self, seconds: float) -> None:
        """Notes that a row was gone after so many seconds, and the connection was closed at a check statement."""
        self.end_limit.note(seconds)
        with self._noting:
            self._any_end = True
            self._ends_at_request += 1

    def note_end_exceeded(self, *, busy: bool) -> None:
        """Notes that a killed session, with a statement in flight (``busy``) or without, was not gone in time."""
        (self.busy_end_limit if busy else self.end_limit).note_exceeded()

    def note_busy_end(self, seconds: float) -> None:
        """Notes that a killed session with a statement in flight was gone after so many seconds."""
        self.busy_end_limit.note(seconds)

    def note_reply(self, *, received: bool) -> None:
        """Notes whether the reply to a guarded statement was received within the limit."""
        with self._noting:
            self._any_reply = self._any_reply or received
            self._replies_missing += not received
