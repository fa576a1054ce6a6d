"""Process lists with ids that are no numbers, with rows of no session, or without a reply from some moment on."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

from runner.simulator.catalogue import environment
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.process_list import ProcessList
from runner.simulator.execute.results import Result
from runner.simulator.sessions import LONGEST_PAUSE, Session
from runner.simulator.sql import statements as sql
from runner.simulator.values import Value


@environment
class HexadecimalIds(ProcessList):
    """The process list shows ids as hexadecimal texts of 32 digits, as some clusters do."""

    def id(self, session: Session) -> Value:
        return f"{session.number:032x}-c"


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


_LISTS = 300


@environment
class ListDeadlock(Engine):
    """After 300 replies, SHOW PROCESSLIST gets none any more, as if a killed session kept its lock."""

    _lists = 0

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        if isinstance(statement, sql.ShowProcessList):
            self._lists += 1
            if self._lists > _LISTS:
                await session.wait(LONGEST_PAUSE)
        return await super().run(session, statement, depth)
