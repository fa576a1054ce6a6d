"""Everything that was said in a case, by all sessions, in time order."""

from __future__ import annotations

import time
from dataclasses import dataclass

from runner.database.naming import without_passwords


@dataclass(frozen=True)
class Event:
    """One line of the transcript.

    Attributes:
        at_ms: milliseconds since the case began.
        kind: ``connects``, ``prepares`` (for this case, or for an earlier one that had the same user
            or table), ``sends``, ``receives``, ``ends`` or ``note``.
        manual: for a statement: the text to type by hand, with ``<id of victim>`` for ids that will be others then.
        setup: whether the runner said it to prepare or clear up, not the case.
    """

    at_ms: float
    session: str
    kind: str
    text: str
    took_ms: float | None = None
    manual: str = ""
    setup: bool = False


class Transcript:
    """Collects events; times are taken where they happen."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self.events: list[Event] = []

    def now_ms(self) -> float:
        """Milliseconds since the case began."""
        return round((time.monotonic() - self._start) * 1000, 1)

    def add(
        self, session: str, kind: str, text: str, *, since: float | None = None, manual: str = "", setup: bool = False
    ) -> None:
        """Notes an event now; ``since`` is the ``now_ms`` from which it took."""
        now = self.now_ms()
        took = None if since is None else round(now - since, 1)
        text, manual = without_passwords(text), without_passwords(manual)
        self.events.append(Event(now, session, kind, text, took, manual, setup))
