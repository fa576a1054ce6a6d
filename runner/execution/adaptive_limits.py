"""Time limits that adapt to the speed of the target during a run."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from runner.database.time_limits import CHANCES, SHORT_LIMIT, AdaptiveLimit, Limits

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
