"""Measures whether a statement waits for a row lock of another session at all.

On a server with optimistic transactions, or without row locks, no statement waits: that a statement under test has
released a lock, or kept it, can't be observed there.
"""

from __future__ import annotations

from dataclasses import dataclass

from runner.database.administrator_session import TargetError
from runner.database.outcome import NoReply, succeeded
from runner.database.session import Session
from runner.database.target import Target
from runner.execution.case_errors import InconclusiveError
from runner.execution.fixtures import Fixtures
from runner.execution.transcript import Transcript
from runner.language.model import Case, Check, flat

_WAITS = 1.0  # seconds after which a statement without a reply waits for the lock
_STATE = "blocked"
_ENOUGH = 3  # measurements with a wait, or that failed, after which none is made


def needs_row_locks(case: Case) -> bool:
    """Whether a case needs statements that wait for a row lock: it waits for that state, or one has no reply yet."""
    unanswered = case.table is not None and any(isinstance(step, Check) for step in flat(case.steps))
    return unanswered or any(case.vocabulary.capabilities[name].state == _STATE for name in case.needs)


@dataclass
class RowLocks:
    """The measurements of a process.

    Attributes:
        missing: whether a statement has changed a row that another transaction had changed, without waiting for it.
        others: the number of measurements in which it waited, or that failed.
        left: a line for each statement of the last measurement's cleanup that failed.
    """

    missing: bool = False
    others: int = 0
    left: tuple[str, ...] = ()

    def are_missing(self, target: Target) -> bool:
        """Whether no statement waits for a row lock; measured with a table of its own, until that is known."""
        if not self.missing and self.others < _ENOUGH:
            fixtures = Fixtures(target, Transcript())
            self.missing = _changes_at_once(target, fixtures)
            self.left = tuple(fixtures.remove())
            self.others += not self.missing
        return self.missing


def _changes_at_once(target: Target, fixtures: Fixtures) -> bool:
    """Whether a row that an open transaction has changed can be changed at once; False if it can't be measured."""
    holder, other = Session(target.administrator.login), Session(target.administrator.login)
    try:
        fixtures.make_table(((1, 0),), [])
        if not all(succeeded(session.open(target.limits.connect)) for session in (holder, other)):
            return False
        update = f"UPDATE {fixtures.table} SET val = val + 1 WHERE id = 1"  # noqa: S608 - a table of the suite
        for statement in (target.word("begin", holder), update):
            if not succeeded(holder.execute(statement, target.limits.statement)):
                return False
        other.send(update)
        reply = other.result(_WAITS)
        holder.execute("ROLLBACK", target.limits.statement)
        if isinstance(reply, NoReply):
            other.result(target.limits.statement)
        return succeeded(reply)
    except (InconclusiveError, TargetError):
        return False
    finally:
        for session in (holder, other):
            session.close()
