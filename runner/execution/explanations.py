"""Finds a property of the target that explains a deviation without the statement under test.

A property is examined when a case deviates for the first time in a way that it may explain. Other modules measure it
without the statement, or a run of the case with pauses shows it.
"""

from __future__ import annotations

from collections.abc import Callable

from runner.database.target import Target
from runner.execution.row_locks import needs_open_transactions, needs_row_locks, opens_transactions
from runner.execution.single_run import RunResult, SharedState
from runner.language.model import Case

_LATE_RUNS = 2  # of a case whose SELECTs may be too early
VAIN_SLOW_RUNS = 3  # cases that got the same error nevertheless, after which none is run slowly


class Explanations:
    """Looks for such a property.

    Args:
        target: the server.
        shared: has the measurements of the process.
        run_slowly: runs a case after a pause, and with pauses.
        read_late: runs a case with pauses before its SELECTs.
    """

    def __init__(
        self,
        target: Target,
        shared: SharedState,
        run_slowly: Callable[[Case], RunResult],
        read_late: Callable[[Case], RunResult],
    ) -> None:
        self._target = target
        self._shared = shared
        self._run_slowly = run_slowly
        self._read_late = read_late
        self._left: list[str] = []
        """A line for each statement of a measurement's cleanup that failed."""

    def reason(self, case: Case, last: RunResult) -> tuple[str, list[str]]:
        """The property that explains a deviation, empty if none does; also a line for each failed cleanup.

        Args:
            case: the case.
            last: the result of its last run, which deviates.
        """
        reasons = (
            self._speed_reason,
            self._reads_reason,
            self._transactions_reason,
            self._interruptions_reason,
            self._locks_reason,
            self._privileges_reason,
        )
        found = next((but for reason in reasons if (but := reason(case, last))), "")
        left, self._left = self._left, []
        return found, left

    def _speed_reason(self, case: Case, last: RunResult) -> str:
        """The reason if a case that deviates by an unknown error does not get it when it is run slowly, or empty."""
        slow_runs, error = self._shared.slow_runs, last.deviation.error
        if not last.deviation.unknown_error or slow_runs[error] >= VAIN_SLOW_RUNS:
            return ""
        slow_runs[error] += 1
        if self._run_slowly(case).deviation.error == error:
            return ""
        self._target.facts.passing_errors.add(error)
        return "not when the case was run with pauses: the server seems to limit the number of statements in a time"

    def _reads_reason(self, case: Case, last: RunResult) -> str:
        """The reason if a SELECT may have missed committed changes, or empty.

        Where a SELECT shows them soon, a case that contradicts its claim also with late SELECTs has another cause.
        """
        reads = self._shared.stale_reads
        possible = last.deviation.reads_table and reads.are_possible(self._target)
        self._left += reads.left
        reads.left = ()
        if not possible or (
            reads.brief and all(self._read_late(case).deviation.reads_table for _ in range(_LATE_RUNS))
        ):
            return ""
        return (
            "on this target a SELECT can miss what another session has just committed. Use the address of a server "
            "that shows it at once in the DSN, or switch on consistent reads"
        )

    def _transactions_reason(self, case: Case, last: RunResult) -> str:
        """The reason if sessions are lost when their transactions end, or empty."""
        ends = self._shared.transaction_ends
        lost = last.lost and opens_transactions(case) and ends.lose_sessions(self._target)
        self._left += ends.left
        ends.left = ()
        if not lost:
            return ""
        return (
            "this target also closes a session when its transaction ends, as a connection pooler does. Use the address "
            "of the server itself in the DSN"
        )

    def _interruptions_reason(self, _: Case, last: RunResult) -> str:
        """The reason if running statements are interrupted anyway, or empty."""
        interruptions = self._shared.interruptions
        new_user = not self._shared.pool.prepared  # with prepared accounts no user may be created
        occur = last.deviation.interrupted and interruptions.occur(self._target, last.seconds, new_user=new_user)
        self._left += interruptions.left
        interruptions.left = ()
        if not occur:
            return ""
        return (
            "this target also interrupted a statement of a session that no KILL named, after "
            f"{interruptions.after:.1f} s: the cause is a watchdog, another client or a time limit of the server. "
            "Switch it off for the run"
        )

    def _locks_reason(self, case: Case, last: RunResult) -> str:
        """The reason if no statement waits for a row lock, or if idle transactions are ended, or empty."""
        locks, reason = self._shared.row_locks, ""
        if needs_row_locks(case) and locks.are_missing(self._target):
            reason = (
                "on this target no statement waits for a row lock, as with optimistic transactions. The profile can "
                "state that (lacks: row-locks), or the server can be set to pessimistic transactions"
            )
        elif (
            needs_open_transactions(case)
            and not last.deviation.not_ended  # no limit for transactions keeps a session connected
            and locks.are_lost_by_idle_transactions(self._target, last.seconds)
        ):
            reason = (
                f"this target ends the transaction of a session that is idle for {locks.ended_after:.1f} s or "
                "less. Raise its limit"
            )
        self._left += locks.left
        locks.left = ()
        return reason

    def _privileges_reason(self, case: Case, _: RunResult) -> str:
        """The reason if new users have the privilege under test, or empty."""
        defaults = self._shared.default_privileges
        held = defaults.held_without_grant(case, self._target, self._shared.pool)
        self._left += defaults.left
        defaults.left = ()
        if not held:
            return ""
        user = "prepared account" if self._shared.pool.prepared else "new user"
        return (
            f"on this target a {user} has {' and '.join(held)} without a GRANT, for example through PUBLIC or a "
            "default role. Revoke it: this case needs a user without it"
        )
