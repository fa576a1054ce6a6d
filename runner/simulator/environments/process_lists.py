"""Process lists with ids that no statement can name, with too many or too few rows, or that get no reply any more."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

from runner.simulator.catalogue import environment
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.process_list import ProcessList
from runner.simulator.execute.results import Result
from runner.simulator.sessions import LONGEST_PAUSE, Session
from runner.simulator.sql import statements as sql
from runner.simulator.values import Value
from runner.simulator.wire import TYPE_TEXT


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


_LARGE = 10**29
_ROWS = 20


@environment
class IdsOfThirtyDigits(ProcessList):
    """The process list shows ids of thirty digits, more than a 64-bit number has."""

    def id(self, session: Session) -> Value:
        return str(_LARGE + session.number)

    def id_type(self) -> int:
        return TYPE_TEXT


@environment
class ListOfTwentyRows(ProcessList):
    """The process list shows the twenty oldest sessions only."""

    def rows(self, viewer: Session, *, full: bool) -> list[tuple[Value, ...]]:
        return super().rows(viewer, full=full)[:_ROWS]


@environment
class UsersSeeThemselvesOnly(ProcessList):
    """A session of another user than the administrator sees itself in the process list, and no other session."""

    def sees_all(self, viewer: Session) -> bool:
        return viewer.user.administrator

    def sees(self, viewer: Session, session: Session) -> bool:
        return session is viewer


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
