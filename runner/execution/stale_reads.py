"""Measures whether a SELECT can miss what another session has committed, as on a replica that lags behind.

On such a server, a SELECT does not show what the statement under test has done, so that no case can be judged by it. If
a SELECT shows the commit half a second later, a case that waits for a second before each SELECT can be judged.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from runner.database.administrator_session import TargetError
from runner.database.outcome import Rows, succeeded
from runner.database.session import Session
from runner.database.target import Target
from runner.database.time_limits import Poll
from runner.execution.case_errors import InconclusiveError
from runner.execution.fixtures import Fixtures
from runner.execution.transcript import Transcript

_CHANGES = 5  # commits, each with a SELECT right after it
_SOON = 0.5  # seconds; before a SELECT, a case that is run again waits twice as long (step_runner.py)
_ENOUGH = 3  # measurements without a stale read, after which none is made
_MOST = 20  # measurements, also those that failed


class _Missed(enum.Enum):
    """What a SELECT missed of the changes that another session had committed."""

    NOTHING = "nothing"
    SOON_SHOWN = "a change that it showed half a second later"
    FOR_LONGER = "a change that it did not show half a second later, either"
    UNKNOWN = "it could not be measured"


@dataclass
class StaleReads:
    """The measurements of a process.

    Attributes:
        found: whether a SELECT has missed a change that another session had committed.
        brief: whether it showed that change half a second later.
        without: the number of measurements without a stale read.
        failed: the number of measurements that failed.
        left: a line for each statement of the last measurement's cleanup that failed.
    """

    found: bool = False
    brief: bool = False
    without: int = 0
    failed: int = 0
    left: tuple[str, ...] = ()

    def are_possible(self, target: Target) -> bool:
        """Whether a SELECT can miss a committed change; measured with a table of its own, until that is known."""
        if not self.found and self.without < _ENOUGH and self.without + self.failed < _MOST:
            fixtures = Fixtures(target, Transcript())
            missed = _misses_change(target, fixtures)
            self.left = (*self.left, *fixtures.remove())
            self.found = missed in {_Missed.SOON_SHOWN, _Missed.FOR_LONGER}
            self.brief = missed is _Missed.SOON_SHOWN
            self.without += missed is _Missed.NOTHING
            self.failed += missed is _Missed.UNKNOWN
        return self.found


def _misses_change(target: Target, fixtures: Fixtures) -> _Missed:
    """What a SELECT missed of changes that were committed as in the cases: with COMMIT, in an open transaction."""
    writer, reader = Session(target.administrator.login), Session(target.administrator.login)
    try:
        fixtures.make_table(((1, 0),), [])
        if not all(succeeded(session.open(target.limits.connect)) for session in (writer, reader)):
            return _Missed.UNKNOWN
        return _misses_change_in(str(fixtures.table), target, writer, reader)
    except (InconclusiveError, TargetError):
        return _Missed.UNKNOWN
    finally:
        for session in (writer, reader):
            session.close()


def _misses_change_in(table: str, target: Target, writer: Session, reader: Session) -> _Missed:
    read = f"SELECT val FROM {table} WHERE id = 1"  # noqa: S608 - a table of the suite
    begin = target.word("begin", writer)
    for value in range(1, _CHANGES + 1):
        change = f"UPDATE {table} SET val = {value} WHERE id = 1"  # noqa: S608 - as above
        for statement in (begin, change, "COMMIT"):
            if not succeeded(writer.execute(statement, target.limits.statement)):
                return _Missed.UNKNOWN
        expected = ((str(value),),)
        reply = reader.execute(read, target.limits.statement)
        if isinstance(reply, Rows) and reply.values != expected:
            poll = Poll(_SOON)
            while poll.again():
                pass
            reader.execute("COMMIT", target.limits.statement)
            later = reader.execute(read, target.limits.statement)
            return _Missed.SOON_SHOWN if isinstance(later, Rows) and later.values == expected else _Missed.FOR_LONGER
        if not isinstance(reply, Rows):
            return _Missed.UNKNOWN
        reader.execute("COMMIT", target.limits.statement)  # a transaction may keep its first view of the data
    return _Missed.NOTHING
