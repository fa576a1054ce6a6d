"""Measures whether the server closes a session when its transaction ends, as some connection poolers do.

There, a session that is lost after its COMMIT or ROLLBACK is no effect of the statement under test.
"""

from __future__ import annotations

from dataclasses import dataclass

from runner.database.administrator_session import TargetError
from runner.database.outcome import succeeded
from runner.database.session import Session
from runner.database.target import Target
from runner.database.time_limits import Poll
from runner.execution.case_errors import InconclusiveError
from runner.execution.fixtures import Fixtures
from runner.execution.transcript import Transcript

_CLOSES = 1.0  # seconds after the end of the transaction in which such a server closes the session
_ENOUGH = 2  # measurements without a lost session, or that failed, after which none is made
_ENDS = ("COMMIT", "ROLLBACK")


@dataclass
class TransactionEnds:
    """The measurements of a process.

    Attributes:
        closing: whether a session was lost when its transaction ended.
        others: the number of measurements in which none was lost, or that failed.
        left: a line for each statement of the last measurement's cleanup that failed.
    """

    closing: bool = False
    others: int = 0
    left: tuple[str, ...] = ()

    def lose_sessions(self, target: Target) -> bool:
        """Whether a session is lost when its transaction ends; measured until that is known."""
        if not self.closing and self.others < _ENOUGH:
            fixtures = Fixtures(target, Transcript())
            self.closing = _any_is_lost(target, fixtures)
            self.others += not self.closing
            self.left = (*self.left, *fixtures.remove())
        return self.closing


def _any_is_lost(target: Target, fixtures: Fixtures) -> bool:
    """Whether a session is lost after a COMMIT or a ROLLBACK; False if that can't be measured."""
    try:
        fixtures.make_table(((1, 0),), [])
        return any(_is_lost(target, str(fixtures.table), end) for end in _ENDS)
    except (InconclusiveError, TargetError):
        return False


def _is_lost(target: Target, table: str, end: str) -> bool:
    """Whether a session that changes a table is lost after ``end``, and not before."""
    session = Session(target.administrator.login)
    limit = target.limits.statement
    update = f"UPDATE {table} SET val = val + 1 WHERE id = 1"  # noqa: S608 - a table of the suite
    try:
        if not succeeded(session.open(target.limits.connect)):
            return False
        if not all(succeeded(session.execute(each, limit)) for each in (target.word("begin", session), update)):
            return False
        session.execute(end, limit)
        poll = Poll(_CLOSES)
        while session.check_connection() is None and poll.again():
            pass
        return session.check_connection() is not None
    finally:
        session.close()
