"""What the runner learns of a target's speed while it runs, and what follows for its waits."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from runner.database.adaptivelimit import AdaptiveLimit
from runner.database.limits import Limits

_UNKNOWN = 0.25  # seconds: how long nothing is watched happening on a target that has not ended a session yet
_LEAST_WATCH = 0.03  # seconds; for harm that comes later there are cases that say how long to watch
_CHANCES = 3
_SHORT = 1.0
_SILENT = 0.25  # seconds of listening to a connection whose row is gone, before it is asked whether it is still there
_SOON = 0.02
_LEARNT = 2  # ends that were seen at a request only, and no more that were seen before one


@dataclass
class Patience:
    """One a process; what several threads note at once is all counted.

    A run on a server that answers nothing, ends nothing, or lists nothing, so takes minutes instead of an hour. An
    answer gets a second once the target has used up the full limit three times and never kept it.

    Attributes:
        ends: how long a killed session takes to be gone.
        states: how long the process list takes to show that a session's statement runs.
    """

    limits: Limits
    ends: AdaptiveLimit = field(default_factory=AdaptiveLimit)
    states: AdaptiveLimit = field(default_factory=AdaptiveLimit)
    _ended: bool = False
    _answered: bool = False
    _not_answered: int = 0
    _at_request: int = 0
    _unasked: int = 0
    _noting: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def settle(self) -> float:
        """How long an ended session may take to be gone."""
        return self.ends.of(self.limits.settle)

    @property
    def statement(self) -> float:
        """How long a guarded statement may take to answer."""
        spent = not self._answered and self._not_answered >= _CHANCES
        return min(self.limits.statement, _SHORT) if spent else self.limits.statement

    @property
    def watch(self) -> float:
        """How long to watch that a statement ends nothing: as long as it takes here to end a session."""
        return min(self.limits.settle, max(1.25 * self.ends.longest, _LEAST_WATCH) if self._ended else _UNKNOWN)

    def note_end(self, seconds: float) -> None:
        """A session's connection was gone after so long."""
        self.ends.note(seconds)
        with self._noting:
            self._ended = True
            self._unasked += 1

    @property
    def silence(self) -> float:
        """How long to listen to a connection whose row is gone: not long where it only closes at a request."""
        return _SOON if self._at_request >= max(_LEARNT, self._unasked) else _SILENT

    @property
    def quick(self) -> float:
        """How long to listen to a connection before the list is read too: as long as ends take here."""
        return min(_SILENT, 1.25 * self.ends.longest) if self._unasked else _SOON

    def note_end_at_request(self, seconds: float) -> None:
        """A session's row was gone after so long, and its connection closed when a statement was sent on it."""
        self.ends.note(seconds)
        with self._noting:
            self._ended = True
            self._at_request += 1

    def note_no_end(self) -> None:
        """A session that was to end was still connected when its time was over."""
        self.ends.note_in_vain()

    def note_answer(self, *, answered: bool) -> None:
        """A guarded statement was answered within its time, or was not."""
        with self._noting:
            self._answered = self._answered or answered
            self._not_answered += not answered
