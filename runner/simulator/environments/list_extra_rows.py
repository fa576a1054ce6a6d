"""Process lists with rows other than those of clients' sessions."""

from __future__ import annotations

from runner.simulator.catalogue import environment
from runner.simulator.execute.process_list import ProcessList
from runner.simulator.sessions import Session
from runner.simulator.values import Value


@environment
class SystemThreadZero(ProcessList):
    """The administrator's process list shows a thread of the server, with id 0."""

    def rows(self, viewer: Session, *, full: bool) -> list[tuple[Value, ...]]:
        """The rows of the sessions, and a row of a thread that can't be killed."""
        rows = super().rows(viewer, full=full)
        thread = (0, "SYSTEM", *self.row(viewer, full=full)[2:])
        return [*rows, thread] if self.sees_all(viewer) else rows


@environment
class RowsWithoutNumbers(ProcessList):
    """The administrator's process list has rows of physical connections, whose ids are NULL or no numbers."""

    def rows(self, viewer: Session, *, full: bool) -> list[tuple[Value, ...]]:
        """The rows of the sessions, and two rows that no statement can name."""
        rows = super().rows(viewer, full=full)
        own = self.row(viewer, full=full)
        more: list[tuple[Value, ...]] = [(None, "PROXY", *own[2:]), ("7-0-521414", "PROXY", *own[2:])]
        return [*rows, *more] if self.sees_all(viewer) else rows
