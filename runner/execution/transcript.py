"""The transcript of a case: everything that its sessions sent and received, in time order."""

from __future__ import annotations

import time
from dataclasses import dataclass

from runner.database.generated_passwords import without_passwords

_ACTIONS = ("its client ", "a pause of ", "reads only the beginning")


@dataclass(frozen=True)
class Event:
    """One line of the transcript.

    Attributes:
        at_ms: milliseconds since the start of the case.
        session: the session's name.
        kind: ``connects``, ``prepares`` (for this case, or for an earlier one with the same user or
            table), ``sends``, ``receives``, ``ends`` or ``note``.
        text: the statement, the reply, or a note.
        took_ms: milliseconds that it took; None if unknown.
        manual: of a statement: the text to type by hand, with placeholders such as ``<id of victim>``.
        setup: whether it belongs to the setup or the cleanup.
    """

    at_ms: float
    session: str
    kind: str
    text: str
    took_ms: float | None = None
    manual: str = ""
    setup: bool = False

    @property
    def action(self) -> str:
        """What has to be done by hand and is no statement: a login, a command of the client, a pause; else empty."""
        text = self.text.split(":", 1)[0]
        if self.kind == "connects":
            return f"connect {text}"
        return text if self.kind == "note" and text.startswith(_ACTIONS) else ""


class Transcript:
    """Collects the events of one case with their times."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self.events: list[Event] = []

    def now_ms(self) -> float:
        """Milliseconds since the start of the case."""
        return round((time.monotonic() - self._start) * 1000, 1)

    def add(
        self, session: str, kind: str, text: str, *, since: float | None = None, manual: str = "", setup: bool = False
    ) -> None:
        """Adds an event that happens now; ``since``: the ``now_ms`` at which it began."""
        now = self.now_ms()
        took = None if since is None else round(now - since, 1)
        text, manual = without_passwords(text), without_passwords(manual)
        self.events.append(Event(now, session, kind, text, took, manual, setup))
