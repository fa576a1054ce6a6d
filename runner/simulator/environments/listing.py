"""Process lists that show more than clients' sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.simulator.catalogue import undecidable
from runner.simulator.execute.processlist import ProcessList

if TYPE_CHECKING:
    from runner.simulator.sessions import Session
    from runner.simulator.values import Value


@undecidable
class SystemThreadZero(ProcessList):
    """The administrator's process list shows a thread of the server, with id 0."""

    def rows(self, asker: Session, *, full: bool) -> list[tuple[Value, ...]]:
        """The sessions, and behind them the thread, which nothing ends."""
        rows = super().rows(asker, full=full)
        thread = (0, "SYSTEM", *self.row(asker, full=full)[2:])
        return [*rows, thread] if self.sees_all(asker) else rows
