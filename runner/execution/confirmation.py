"""Properties of the target that explain a deviation: then it is no effect of the statement under test.

Each is measured when a case deviates for the first time in a way that it may explain, without the statement.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from runner.database.naming import without_passwords
from runner.database.outcome import Lost
from runner.database.session import Session
from runner.database.target import Target
from runner.execution.case_result import CaseResult, Verdict
from runner.execution.measurements import needs_open_transactions, needs_row_locks, opens_transactions
from runner.execution.single_run import CaseRuns, RunResult, SharedState
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
        slow_runs = self._shared.slow_runs
        if not last.unknown_error or slow_runs[last.error] >= VAIN_SLOW_RUNS:
            return ""
        slow_runs[last.error] += 1
        if self._run_slowly(case).error == last.error:
            return ""
        self._target.facts.passing_errors.add(last.error)
        return "not when the case was run slowly: the server seems to limit how fast statements may follow one another"

    def _reads_reason(self, case: Case, last: RunResult) -> str:
        """The reason if a SELECT may have missed committed changes, or empty.

        Where a SELECT shows them soon, a case that contradicts its claim also with late SELECTs has another cause.
        """
        reads = self._shared.stale_reads
        possible = last.reads_table and reads.are_possible(self._target)
        self._left += reads.left
        reads.left = ()
        if not possible or (reads.brief and all(self._read_late(case).reads_table for _ in range(_LATE_RUNS))):
            return ""
        return (
            "on this target a SELECT can miss what another session has just committed. Name a server in the DSN that "
            "shows it, or set consistent reads"
        )

    def _transactions_reason(self, case: Case, last: RunResult) -> str:
        """The reason if sessions are lost when their transactions end, or empty."""
        ends = self._shared.transaction_ends
        lost = last.lost and opens_transactions(case) and ends.close_sessions(self._target)
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
        occur = last.interrupted and interruptions.occur(self._target, last.seconds, new_user=new_user)
        self._left += interruptions.left
        interruptions.left = ()
        if not occur:
            return ""
        return (
            f"this target also interrupted a statement that no other one named, after {interruptions.after:.1f} s: a "
            "watchdog, another client or a time limit of the server. Switch it off for the run"
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
            and not last.not_ended  # no limit for transactions keeps a session connected
            and locks.are_lost_by_idle_transactions(self._target, last.seconds)
        ):
            reason = (
                f"this target ends the transaction of a session that is idle for {locks.ended_after:.1f} s, or for "
                "less. Set a longer limit there"
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
            "default role. Revoke it there: this case needs a user without it"
        )


_REPEATS_OF_LOSSES = 2  # of a case that lost a session when run alone, or had no usable reply: each has to deviate


class Confirmation:
    """Confirms deviations of cases that run alone.

    Args:
        target: the server.
        runs: runs the cases.
    """

    def __init__(self, target: Target, runs: CaseRuns) -> None:
        self._target = target
        self._runs = runs
        self._shared = runs.shared
        self._explanations = Explanations(target, runs.shared, runs.run_slowly, runs.read_late)

    def confirm(self, case: Case, first: RunResult, *, deviated: bool, error: str) -> CaseResult:
        """Runs a case again if a server or a network in trouble may have caused its deviation.

        Args:
            case: the case.
            first: the result of its first run alone.
            deviated: whether it has deviated among other cases, and not by chance, such as a lost connection.
            error: the error by which it has deviated then, if any; one error is no deviation if another one follows.
        """
        if first.login_lost and self.loses_logins():
            first = replace(again := self._runs.run(case, fresh=True), result=with_warnings(again.result, first.result))
            if not first.failed:
                return first.result
        unusable = self._shared.outage.check_unusable(self._target)
        certain = deviated or not (self._shared.lost_sessions or self._shared.outage.count)
        certain &= first.error in {"", error} or (deviated and not error)
        if not unusable and certain and not (first.no_reply_or_lost and (first.may_be_chance or not deviated)):
            return self._inconclusive_if_explained(case, first.result, first)
        if unusable and first.right_after_statement and self._shared.crashes:
            return self._crash(first)
        warnings = first.result.warnings
        last, result = first, first.result
        for _ in range(_REPEATS_OF_LOSSES if first.may_be_chance else 1):
            if not self._shared.outage.wait_until_usable(self._target):
                result = inconclusive(last.result, f"but {self._shared.outage.reason}", unreached=True)
                break
            left = self._runs.retry_cleanup()
            self._target.facts.late_replies.wait(self._target.facts.cut_off.is_set)
            second = self._runs.run(case, fresh=True)
            warnings = (*warnings, *left, *second.result.warnings)
            result = self.compare(last, second, was_out=unusable)
            last = second
            if result.verdict is not Verdict.DEVIATES or unusable:
                break
        if result.verdict is not Verdict.DEVIATES or unusable:
            return replace(result, warnings=warnings)
        if last.lost:
            anyway, lines = self._runs.also_lose_sessions(case, last.seconds)
            warnings = (*warnings, *lines)
            but = "but a session is also lost if the case is run without the statement"
            result = inconclusive(result, but, unreached=True) if anyway else result
        return self._inconclusive_if_explained(case, replace(result, warnings=warnings), last)

    def loses_logins(self) -> bool:
        """Whether connections are also lost during logins without the statement; from then on, these are repeated."""
        facts = self._target.facts
        if not facts.loses_logins:
            facts.loses_logins = self._shared.controls.also_lose_logins(self._login_is_lost)
        return facts.loses_logins

    def _login_is_lost(self) -> bool:
        session = Session(self._target.administrator.login)
        outcome = session.open(self._target.limits.connect, once=True)
        session.abandon()
        return isinstance(outcome, Lost)

    def _inconclusive_if_explained(self, case: Case, result: CaseResult, last: RunResult) -> CaseResult:
        """The result; inconclusive if a property of the target explains the deviation of the last run."""
        if result.verdict is not Verdict.DEVIATES:
            return result
        if (excused := self._runs.excused(case, result, last)) is not None:
            return excused
        but, left = self._explanations.reason(case, last)
        result = replace(result, warnings=(*result.warnings, *map(without_passwords, left)))
        return inconclusive(result, f"but {but}", unreached=False) if but else result

    def compare(self, first: RunResult, second: RunResult, *, was_out: bool) -> CaseResult:
        """The result of two runs of a case; ``was_out``: whether the target was unusable after the first."""
        deviates = second.result.verdict is Verdict.DEVIATES
        out = second.failed and self._shared.outage.check_unusable(self._target)
        if deviates and not out and first.error and second.error and first.error != second.error:
            but = f"and when the case was repeated: {second.result.actual}: each time another error"
            return inconclusive(first.result, but, unreached=False)
        if deviates and not out:
            return second.result
        if deviates and was_out and first.right_after_statement and second.right_after_statement:
            self._shared.crashes = True
            return self._crash(second)
        if deviates:
            but = f"and when the case was repeated: {second.result.actual}; but {self._shared.outage.reason}"
        else:
            but = f"but not when the case was repeated ({second.result.verdict.value}: {second.result.reason})"
        return inconclusive(first.result, but.removesuffix(": "), unreached=was_out or out)

    def _crash(self, run_result: RunResult) -> CaseResult:
        """The result if the statement under test makes the target unusable: it affects all sessions."""
        actual = (
            f"right after the statement the target was unusable ({self._shared.outage.trouble}), each time it was sent"
        )
        return replace(
            run_result.result,
            expected="the server stays usable after the statement",
            actual=f"{run_result.result.actual}; {actual}",
            safety=True,
        )


def inconclusive(result: CaseResult, but: str, *, unreached: bool) -> CaseResult:
    """A result that is inconclusive: what was observed, and the reason for which it decides nothing (``but``)."""
    reason = f"{result.actual or result.reason}, {but}"
    return replace(
        result,
        verdict=Verdict.INCONCLUSIVE,
        reason=reason,
        expected="",
        actual="",
        safety=False,
        survived=False,
        unreached=unreached,
    )


def with_warnings(result: CaseResult, earlier: CaseResult) -> CaseResult:
    """A result with the warnings of an earlier one in front."""
    return replace(result, warnings=(*earlier.warnings, *result.warnings))
