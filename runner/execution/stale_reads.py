"""Measures whether a SELECT can miss what another session has committed, as on a replica that lags behind.

On such a server, a SELECT does not show what the statement under test has done, so that no case can be judged by it.
"""

from __future__ import annotations

from dataclasses import dataclass

from runner.database.administrator import TargetError
from runner.database.outcome import Rows, succeeded
from runner.database.session import Session
from runner.database.target import Target
from runner.execution.case_errors import InconclusiveError
from runner.execution.fixtures import Fixtures
from runner.execution.transcript import Transcript

_CHANGES = 5  # commits, each with a SELECT right after it
_ENOUGH = 3  # measurements without a stale read, after which none is made


@dataclass
class StaleReads:
    """The measurements of a process.

    Attributes:
        found: whether a SELECT has missed a change that another session had committed.
        measurements: the number of measurements.
    """

    found: bool = False
    measurements: int = 0

    def are_possible(self, target: Target) -> bool:
        """Whether a SELECT can miss a committed change; measured with a table of its own, until that is known."""
        if not self.found and self.measurements < _ENOUGH:
            self.measurements += 1
            self.found = _misses_change(target)
        return self.found


def _misses_change(target: Target) -> bool:
    fixtures = Fixtures(target, Transcript())
    reader = Session(target.administrator.login)
    try:
        fixtures.make_table(((1, 0),), [])
        return succeeded(reader.open(target.limits.connect)) and _misses_change_in(str(fixtures.table), target, reader)
    except (InconclusiveError, TargetError):
        return False
    finally:
        reader.close()
        fixtures.remove()


def _misses_change_in(table: str, target: Target, reader: Session) -> bool:
    read = f"SELECT val FROM {table} WHERE id = 1"  # noqa: S608 - a table of the suite
    for value in range(1, _CHANGES + 1):
        for statement in (f"UPDATE {table} SET val = {value} WHERE id = 1", "COMMIT"):  # noqa: S608 - as above
            if not succeeded(target.administer(statement)):
                return False
        reply = reader.execute(read, target.limits.statement)
        if not isinstance(reply, Rows) or reply.values != ((str(value),),):
            return isinstance(reply, Rows)
        reader.execute("COMMIT", target.limits.statement)  # a transaction may keep its first view of the data
    return False
