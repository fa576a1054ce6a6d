"""Measures whether statements wait for a row lock, and whether the transaction of an idle session keeps its lock.

On a server with optimistic transactions, or without row locks, no statement waits: that a statement under test has
released a lock, or kept it, can't be observed there. A server that ends idle transactions releases locks by itself.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

from runner.database.administrator_session import TargetError
from runner.database.outcome import NoReply, succeeded
from runner.database.session import Session
from runner.database.target import Target
from runner.database.time_limits import KEEP_ACTIVE_AFTER, Poll
from runner.execution.case_errors import InconclusiveError, raise_if_run_ends
from runner.execution.fixtures import Fixtures
from runner.execution.transcript import Transcript
from runner.language.model import Case, Check, Send, flat

_WAITS = 1.0  # seconds after which a statement without a reply waits for the lock
_STATE = "blocked"
_BEGIN = "begin"
_TRANSACTION = re.compile(r"\b(?:AUTOCOMMIT|COMMIT|ROLLBACK|START\s+TRANSACTION)\b", re.IGNORECASE)
_ENOUGH = 3  # measurements with a wait, or that failed, after which none is made
_SHORTEST_IDLE = 0.5  # seconds: no server ends transactions that are idle for less
_LONGEST_IDLE = 20.0  # seconds


def needs_row_locks(case: Case) -> bool:
    """Whether a case needs statements that wait for a row lock: it waits for that state, or one has no reply yet."""
    unanswered = case.table is not None and any(isinstance(step, Check) for step in flat(case.steps))
    return unanswered or any(case.vocabulary.capabilities[name].state == _STATE for name in case.needs)


def needs_open_transactions(case: Case) -> bool:
    """Whether a case opens a transaction, and has a table that it may change."""
    return case.table is not None and opens_transactions(case)


def opens_transactions(case: Case) -> bool:
    """Whether a case opens or ends a transaction."""
    statements = [step.statement for step in flat(case.steps) if isinstance(step, Send)]
    return any(
        _TRANSACTION.search(each.text) is not None or any(hole.word == _BEGIN for hole in each.holes)
        for each in statements
    )


@dataclass
class RowLocks:
    """The measurements of a process.

    Attributes:
        missing: whether a statement has changed a row that another transaction had changed, without waiting for it.
        others: the number of measurements in which it waited, or that failed.
        ended_after: the shortest time, in seconds, after which an idle transaction was ended; None if none was.
        kept: the number of measurements in which an idle transaction was not ended, or that failed.
        left: a line for each statement of the last measurement's cleanup that failed.
    """

    missing: bool = False
    others: int = 0
    ended_after: float | None = None
    kept: int = 0
    left: tuple[str, ...] = ()

    def are_missing(self, target: Target) -> bool:
        """Whether no statement waits for a row lock; measured with a table of its own, until that is known."""
        if not self.missing and self.others < _ENOUGH:
            self.missing = self._lock_is_lost(target, 0.0)
            self.others += not self.missing
        return self.missing

    def are_lost_by_idle_transactions(self, target: Target, seconds: float) -> bool:
        """Whether the server ends a transaction whose session is idle for so long; measured in the same way."""
        seconds = min(seconds, _LONGEST_IDLE)
        if self.ended_after is not None and self.ended_after <= seconds:
            return True
        if self.kept >= _ENOUGH or seconds < _SHORTEST_IDLE:
            return False
        ended = self._lock_is_lost(target, seconds)
        self.ended_after = seconds if ended else self.ended_after
        self.kept += not ended
        return ended

    def _lock_is_lost(self, target: Target, idle: float) -> bool:
        fixtures = Fixtures(target, Transcript())
        lost = _lock_is_lost(target, fixtures, idle)
        self.left = (*self.left, *fixtures.remove())
        return lost


def _lock_is_lost(target: Target, fixtures: Fixtures, idle: float) -> bool:
    """Whether a row that a transaction has changed can be changed by another one while its session is idle.

    Also whether the transaction itself is lost then: its COMMIT is refused, or its connection is closed.

    Args:
        target: the server.
        fixtures: for the table.
        idle: the seconds for which the session is idle before.

    Returns:
        False also if it can't be measured.
    """
    holder, other = Session(target.administrator.login), Session(target.administrator.login)
    try:
        fixtures.make_table(((1, 0),), [])
        if not all(succeeded(session.open(target.limits.connect)) for session in (holder, other)):
            return False
        update = f"UPDATE {fixtures.table} SET val = val + 1 WHERE id = 1"  # noqa: S608 - a table of the suite
        began = changed = time.monotonic()
        for statement in (target.word(_BEGIN, holder), update):
            began = changed
            if not succeeded(holder.execute(statement, target.limits.statement)):
                return False
            changed = time.monotonic()
        _wait(target, idle)
        other.send(update)
        reply = other.result(_WAITS)
        # So late on a busy machine, the transaction may have been ended while its session was idle.
        late = not idle and time.monotonic() - changed > max(_SHORTEST_IDLE, 2 * (changed - began))
        committed = holder.execute("COMMIT", target.limits.statement)
        if isinstance(reply, NoReply):
            other.result(target.limits.statement)
        return (succeeded(reply) and not late) or (idle > 0 and not succeeded(committed))
    except (InconclusiveError, TargetError):
        return False
    finally:
        for session in (holder, other):
            session.close()


def _wait(target: Target, seconds: float) -> None:
    """Waits; the other sessions of the administrator are kept active."""
    poll = Poll(seconds)
    while poll.again():
        raise_if_run_ends(target)
        target.keep_active(KEEP_ACTIVE_AFTER)
