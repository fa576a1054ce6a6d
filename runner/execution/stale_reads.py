"""Measures whether a SELECT can miss what another session has committed, as on a replica that lags behind.

On such a server, a SELECT does not show what the statement under test has done, so that no case can be judged by it.
"""

from __future__ import annotations

from dataclasses import dataclass

from runner.database.administrator_session import TargetError
from runner.database.outcome import Rows, succeeded
from runner.database.session import Session
from runner.database.target import Target
from runner.execution.case_errors import InconclusiveError
from runner.execution.fixtures import Fixtures
from runner.execution.transcript import Transcript

_CHANGES = 5  # commits, each with a SELECT right after it
_ENOUGH = 3  # measurements without a stale read, after which none is made
_MOST = 20  # measurements, also those that failed


@dataclass
class StaleReads:
    """The measurements of a process.

    Attributes:
        found: whether a SELECT has missed a change that another session had committed.
        without: the number of measurements without a stale read.
        failed: the number of measurements that failed.
        left: a line for each statement of the last measurement's cleanup that failed.
    """

    found: bool = False
    without: int = 0
    failed: int = 0
    left: tuple[str, ...] = ()

    def are_possible(self, target: Target) -> bool:
        """Whether a SELECT can miss a committed change; measured with a table of its own, until that is known."""
        if not self.found and self.without < _ENOUGH and self.without + self.failed < _MOST:
            fixtures = Fixtures(target, Transcript())
            missed = _misses_change(target, fixtures)
            self.left = (*self.left, *fixtures.remove())
            self.found = missed is True
            self.without += missed is False
            self.failed += missed is None
        return self.found


def _misses_change(target: Target, fixtures: Fixtures) -> bool | None:
    """Whether a SELECT missed a change; None if that could not be measured."""
    reader = Session(target.administrator.login)
    try:
        fixtures.make_table(((1, 0),), [])
        if not succeeded(reader.open(target.limits.connect)):
            return None
        return _misses_change_in(str(fixtures.table), target, reader)
    except (InconclusiveError, TargetError):
        return None
    finally:
        reader.close()


def _misses_change_in(table: str, target: Target, reader: Session) -> bool | None:
    read = f"SELECT val FROM {table} WHERE id = 1"  # noqa: S608 - a table of the suite
    for value in range(1, _CHANGES + 1):
        for statement in (f"UPDATE {table} SET val = {value} WHERE id = 1", "COMMIT"):  # noqa: S608 - as above
            if not succeeded(target.administer(statement)):
                return None
        reply = reader.execute(read, target.limits.statement)
        if not isinstance(reply, Rows):
            return None
        if reply.values != ((str(value),),):
            return True
        reader.execute("COMMIT", target.limits.statement)  # a transaction may keep its first view of the data
    return False
