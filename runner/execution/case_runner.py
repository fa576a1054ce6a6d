"""Decides whether a result of a case counts: repeats its runs to confirm it, or to find another cause."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

from runner.accounts.accounts_check import not_with_prepared_accounts
from runner.database.outcome import Lost
from runner.database.passwords import without_passwords
from runner.database.session import Session
from runner.database.target import Target
from runner.database.time_limits import Poll
from runner.execution.applicability import not_applicable
from runner.execution.case_result import CaseResult, Ending, Verdict
from runner.execution.case_sessions import CaseSessions
from runner.execution.explanations import VAIN_SLOW_RUNS, Explanations
from runner.execution.fixture_pool import FixturePool
from runner.execution.fixtures import Fixtures
from runner.execution.outage import Outage
from runner.execution.single_run import CaseRun, RunResult, SharedState, blank_result
from runner.execution.transcript import Transcript
from runner.language.model import Case

_LEAST_REPEATS = 3  # repetitions of a case that observes, however long they take
_MORE_RUNS = 3  # alone, of a case that deviated among other cases and not in its first run alone
_REPEATS_OF_LOSSES = 2  # of a case that lost a session when run alone, or had no usable reply: each has to deviate
_QUICK = 2.0  # seconds: a run without a usable reply is repeated as often if it is shorter
_GRANT_DELAY = 2.0  # seconds after a GRANT or REVOKE, for servers on which it has no effect at once
_REST = 1.0  # seconds before a case that is run slowly
_VAIN_GRANT_DELAYS = 3  # cases that deviated nevertheless, after which none waits


class CaseRunner:
    """Runs cases on one target, one at a time, and keeps what it measures for later cases.

    Args:
        target: the server.
        pool: lends accounts; prepared ones, if no users may be created.
        shared: the state that the case runners of several threads share.
    """

    def __init__(self, target: Target, pool: FixturePool | None = None, shared: SharedState | None = None) -> None:
        self._target = target
        self._shared = shared or SharedState.new(target, pool)
        self._explanations = Explanations(target, self._shared, self._run_slowly)
        self._outages_noticed = 0
        self._losses = 0
        """The losses of the administrator's session that are attributed to a case already."""
        self._pending_cleanup: list[tuple[CaseSessions, tuple[str, ...]]] = []
        """Cases whose cleanup failed because the target was unusable, with the lines for the statements that failed."""

    def for_another_thread(self) -> CaseRunner:
        """A case runner for another thread, with its own session of the administrator."""
        return CaseRunner(self._target.for_another_thread(), shared=self._shared)

    def run(self, case: Case, before: ResultAmongOthers | None = None) -> CaseResult:
        """Runs a case alone, with all repetitions. No behaviour of the target raises an exception.

        While the target is unusable, no case is started.

        Args:
            case: the case.
            before: its result among other cases, if this run has to confirm that.
        """
        if (result := self._result_without_run(case)) is not None:
            return result
        self._shared.idle_timeout.set_one_case_at_a_time(alone=True)
        deviated = before is not None and before.result.verdict is Verdict.DEVIATES
        certain = deviated and before is not None and not before.no_reply_or_lost
        error = before.error if before is not None else ""
        result = self._repeat(
            case, lambda: self._run_alone(case, deviated=certain, again=before is not None, error=error)
        )
        if before is not None and deviated and not (before.lost or before.unusable or result.failed):
            result = result if self._is_explained(before) else self._repeat_until_it_deviates(case, before, result)
        self._losses = self._target.administrator.losses
        return result

    def _is_explained(self, before: ResultAmongOthers) -> bool:
        """Whether a property of the target explains that a case deviated among others, and not alone."""
        hurried = before.error in self._target.facts.passing_errors
        return hurried or self.privileges_lagged(before) or before.full or (before.login_lost and self._loses_logins())

    def privileges_lagged(self, before: ResultAmongOthers) -> bool:
        """Whether a GRANT or REVOKE that had no effect yet explains a failure among other cases."""
        return before.privileges_may_lag and self._target.facts.grant_delay > 0

    def _repeat_until_it_deviates(self, case: Case, before: ResultAmongOthers, result: CaseResult) -> CaseResult:
        """Repeats a case alone that deviated among other cases only: the server may deviate at random.

        Users of earlier cases explain the deviations of a few cases; after these, cases get new users.
        """
        for _ in range(_MORE_RUNS):
            again = self._run_alone(case, deviated=True, again=True, error=before.error)
            if again.failed:
                return again
        if before.reused and self._shared.pool.reuse_allowed:
            self._shared.pool.note_changed_users()
            return result
        if self.privileges_lagged(before):
            return result
        return _inconclusive(before.result, f"but not in {1 + _MORE_RUNS} runs of the case alone", unreached=False)

    def run_among_others(self, case: Case) -> ResultAmongOthers:
        """Runs a case while other threads run other cases, which may have caused its result."""
        if (result := self._result_without_run(case)) is not None:
            return ResultAmongOthers(result)
        self._shared.idle_timeout.set_one_case_at_a_time(alone=False)
        run_result: RunResult | None = None
        losses = self._losses

        def once() -> CaseResult:
            nonlocal run_result
            self._retry_cleanup()
            run_result = self._run(case)
            return run_result.result

        result = self._repeat(case, once)
        lost_in_setup = self._target.administrator.losses > losses or (run_result is not None and run_result.broken_off)
        self._losses = self._target.administrator.losses
        changed = run_result is not None and run_result.reused and run_result.lacks_state
        if run_result is None or not (run_result.failed or changed):
            return ResultAmongOthers(result, doubtful=lost_in_setup, lost=lost_in_setup)
        unusable = not run_result.full and self._outage.check_unusable(self._target)
        if not unusable:
            result = replace(result, warnings=(*result.warnings, *self._retry_cleanup()))
        return ResultAmongOthers(
            result,
            doubtful=True,
            lost=run_result.lost or lost_in_setup,
            no_reply_or_lost=run_result.no_reply_or_lost,
            privileges_may_lag=run_result.privileges_may_lag,
            full=run_result.full,
            unusable=unusable,
            reused=run_result.reused,
            error=run_result.error,
            login_lost=run_result.login_lost,
        )

    def close_administrator(self) -> None:
        """Closes the administrator's session while there is no case to run: its loss would not be noticed."""
        self._target.close()

    def close(self) -> None:
        """Repeats cleanups that failed, if the target is usable again, and closes the administrator's session."""
        if self._pending_cleanup and self._outage.wait_until_usable(self._target):
            self._retry_cleanup()
        self._target.close()

    def remove_kept(self) -> list[str]:
        """Removes users and tables that were kept for later cases; returns a line for each statement that failed."""
        left = Fixtures(self._target, Transcript(), self._shared.pool).remove_kept()
        return [without_passwords(line) for line in left]

    @staticmethod
    def unexplained_loss(before: ResultAmongOthers, alone: CaseResult) -> CaseResult:
        """The result of a case that lost a session among other cases, if neither it nor one of those loses one alone.

        Then the environment or a combination of cases is the cause, and the case is inconclusive.
        """
        but = f"but not again when the case was repeated alone, which {alone.verdict.value}: {alone.reason}"
        return _inconclusive(before.result, but.removesuffix(": "), unreached=False)

    @property
    def grant_delay(self) -> float:
        """The seconds that cases wait after a GRANT or REVOKE, because it has no effect at once here; else 0."""
        return self._target.facts.grant_delay

    @property
    def _outage(self) -> Outage:
        return self._shared.outage

    def _result_without_run(self, case: Case) -> CaseResult | None:
        """The result of a case that is not run for a known reason; None if it has to be run."""
        pool = self._shared.pool
        because = not_applicable(case, self._target.profile, case.vocabulary)
        if because is not None:
            return replace(blank_result(case), verdict=Verdict.NOT_APPLICABLE, reason=because)
        because = not_with_prepared_accounts(case, administrator=pool.administrator) if pool.prepared else None
        if because is not None:
            return replace(blank_result(case), verdict=Verdict.INCONCLUSIVE, reason=because)
        if self._target.stop_reason and case.needs_ids:
            return replace(blank_result(case), reason=f"not run: {self._target.stop_reason}")
        return None

    def _repeat(self, case: Case, once: Callable[[], CaseResult]) -> CaseResult:
        """Runs a case as often as it demands, or less often if that takes too long; counts the observed outcomes."""
        counted: Counter[str] = Counter()
        endings: list[Ending] = []
        start = time.monotonic()
        while True:
            result = once()
            counted.update(result.observed)
            endings.extend(result.endings)
            seconds = time.monotonic() - start
            enough = min(case.repeat, _LEAST_REPEATS) if seconds > self._target.limits.repeat else case.repeat
            if result.verdict is not Verdict.OBSERVED or counted.total() >= enough:
                return replace(result, observed=dict(counted), endings=tuple(endings), seconds=round(seconds, 3))

    def _run_alone(self, case: Case, *, deviated: bool, again: bool, error: str) -> CaseResult:
        """Runs a case once, and checks the target if it fails.

        Args:
            case: the case.
            deviated: whether it has deviated before, and not by a missing reply or a lost connection.
            again: whether it has failed among other cases.
            error: the error by which it has deviated before; empty if it has not, or in another way.
        """
        if not self._outage.wait_until_usable(self._target):
            return replace(blank_result(case), reason=f"not run: {self._outage.reason}", unreached=True)
        self._retry_cleanup()
        first = self._run(case, fresh=again)
        if first.hurried and self._shared.vain_slow_runs < VAIN_SLOW_RUNS:
            first = self._run_slowly(case)
            self._shared.vain_slow_runs = self._shared.vain_slow_runs + 1 if first.failed else 0
        if first.reused and (first.failed or first.lacks_state) and not self._outage.check_unusable(self._target):
            first, deviated = self._rerun_with_new_users(case, first)
        if first.privileges_may_lag and (later := self._result_after_grant_delay(case, first)) is not None:
            later = replace(later, warnings=(*first.result.warnings, *later.warnings))
            return self._clean_up_after(later, wait=False)
        if first.result.verdict is Verdict.DEVIATES:
            return self._clean_up_after(self._confirm(case, first, deviated=deviated, error=error), wait=True)
        result = first.result
        if result.verdict is Verdict.INCONCLUSIVE and self._outage.check_unusable(self._target):
            result = replace(result, reason=f"{result.reason}; {self._outage.reason}", unreached=True)
        return self._clean_up_after(result, wait=False)

    def _result_after_grant_delay(self, case: Case, first: RunResult) -> CaseResult | None:
        """The result if GRANT and REVOKE are given time to have an effect; then all later cases wait as well.

        In a cluster, a server may learn of them moments later; no requirement states how fast it has to be. A failure
        that does not recur without that time has another cause.

        Returns:
            None if one of two such runs fails, or if that was tried in vain too often.
        """
        facts = self._target.facts
        if facts.grant_delay or self._shared.vain_grant_delays >= _VAIN_GRANT_DELAYS:
            return None
        again = self._run(case, fresh=True)
        if not again.failed:
            deviated = first.result.verdict is Verdict.DEVIATES
            return self._compare(first, again, was_out=False) if deviated else again.result
        if not again.privileges_may_lag:
            return None
        facts.grant_delay = _GRANT_DELAY
        decided = {Verdict.CONFORMS, Verdict.OBSERVED}
        once = self._run(case, fresh=True).result
        if once.verdict in decided and (twice := self._run(case, fresh=True).result).verdict in decided:
            return replace(twice, warnings=(*once.warnings, *twice.warnings))
        facts.grant_delay = 0.0
        self._shared.vain_grant_delays += 1
        return None

    def _rerun_with_new_users(self, case: Case, first: RunResult) -> tuple[RunResult, bool]:
        """Runs a case again that failed or lacked its state with users of earlier cases, which may have changed them.

        Returns:
            The result with new users, and whether the case has deviated before for another reason than the users.
        """
        second = self._run(case, fresh=True)
        if first.result.verdict is not Verdict.DEVIATES:
            if first.failed:
                self._shared.pool.note_repeated(same=second.result.verdict is first.result.verdict)
            return second, False
        if second.result.verdict is Verdict.DEVIATES:
            return second, True
        # Either the users are the cause, or the case deviates at random.
        third = second if second.failed else self._run(case, fresh=True)
        if third.failed:
            return replace(third, result=self._compare(first, second, was_out=False)), False
        self._shared.pool.note_changed_users()
        return third, False

    def _clean_up_after(self, result: CaseResult, *, wait: bool) -> CaseResult:
        """Repeats a cleanup that failed because the target was unusable; ``wait``: waits until it is usable."""
        if not self._pending_cleanup:
            return result
        out = self._outage.check_unusable(self._target) and not (wait and self._outage.wait_until_usable(self._target))
        left = tuple(line for _, lines in self._pending_cleanup for line in lines) if out else self._retry_cleanup()
        return replace(result, warnings=(*result.warnings, *left))

    def _confirm(self, case: Case, first: RunResult, *, deviated: bool, error: str) -> CaseResult:
        """Runs a case again if a server or a network in trouble may have caused its deviation.

        Args:
            case: the case.
            first: the result of its first run alone.
            deviated: whether it has deviated among other cases, and not by a missing reply or a lost connection.
            error: the error by which it has deviated then; one error is no deviation if another one follows it.
        """
        if first.login_lost and self._loses_logins():
            first = replace(again := self._run(case, fresh=True), result=_with_warnings(again.result, first.result))
            if not first.failed:
                return first.result
        unusable = self._outage.check_unusable(self._target)
        certain = deviated or not (self._shared.lost_sessions or self._outage.count)
        certain &= first.error == (error if deviated else "")
        if not unusable and certain and not first.no_reply_or_lost:
            return self._inconclusive_if_explained(case, first.result, first)
        if unusable and first.right_after_statement and self._shared.crashes:
            return self._crash(first)
        warnings = first.result.warnings
        last, result = first, first.result
        thrice = first.lost or (first.no_reply_or_lost and first.seconds < _QUICK)
        for _ in range(_REPEATS_OF_LOSSES if thrice else 1):
            if not self._outage.wait_until_usable(self._target):
                result = _inconclusive(last.result, f"but {self._outage.reason}", unreached=True)
                break
            left = self._retry_cleanup()
            second = self._run(case, fresh=True)
            warnings = (*warnings, *left, *second.result.warnings)
            result = self._compare(last, second, was_out=unusable)
            last = second
            if result.verdict is not Verdict.DEVIATES or unusable:
                break
        if result.verdict is not Verdict.DEVIATES or unusable:
            return replace(result, warnings=warnings)
        if last.lost:
            anyway, lines = self._loses_anyway(case, last)
            warnings = (*warnings, *lines)
            but = "but a session is also lost if the case is run without the statement"
            result = _inconclusive(result, but, unreached=True) if anyway else result
        return self._inconclusive_if_explained(case, replace(result, warnings=warnings), last)

    def _run_slowly(self, case: Case) -> RunResult:
        """Runs a case after a pause, and with pauses: a server may limit how fast statements follow one another."""
        poll = Poll(_REST)
        while poll.again() and not self._target.facts.cut_off.is_set():
            pass
        return self._run(case, fresh=True, slowly=True)

    def _loses_logins(self) -> bool:
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
        but, left = self._explanations.reason(case, last)
        result = replace(result, warnings=(*result.warnings, *map(without_passwords, left)))
        return _inconclusive(result, f"but {but}", unreached=False) if but else result

    def _loses_anyway(self, case: Case, run_result: RunResult) -> tuple[bool, list[str]]:
        """Whether sessions are also lost without the guarded statement; also a line for each failed cleanup."""
        lines: list[str] = []

        def control(seconds: float) -> bool:
            run = CaseRun(case, self._target, self._shared, fresh=True)
            lost = run.loses_sessions_without_statement(seconds)
            if run.sessions.fixtures.unreachable:
                self._pending_cleanup.append((run.sessions, run.left))
            else:
                lines.extend(run.left)
            return lost

        return self._shared.controls.also_lose_sessions(run_result.seconds, control), lines

    def _compare(self, first: RunResult, second: RunResult, *, was_out: bool) -> CaseResult:
        """The result of two runs of a case; ``was_out``: whether the target was unusable after the first."""
        deviates = second.result.verdict is Verdict.DEVIATES
        out = second.failed and self._outage.check_unusable(self._target)
        if deviates and not out and first.error and second.error and first.error != second.error:
            but = f"and when the case was repeated: {second.result.actual}: each time another error"
            return _inconclusive(first.result, but, unreached=False)
        if deviates and not out:
            return second.result
        if deviates and was_out and first.right_after_statement and second.right_after_statement:
            self._shared.crashes = True
            return self._crash(second)
        if deviates:
            but = f"and when the case was repeated: {second.result.actual}; but {self._outage.reason}"
        else:
            but = f"but not when the case was repeated ({second.result.verdict.value}: {second.result.reason})"
        return _inconclusive(first.result, but.removesuffix(": "), unreached=was_out or out)

    def _crash(self, run_result: RunResult) -> CaseResult:
        """The result if the statement under test makes the target unusable: it affects all sessions."""
        actual = f"right after the statement the target was unusable ({self._outage.trouble}), each time it was sent"
        return replace(
            run_result.result,
            expected="the server stays usable after the statement",
            actual=f"{run_result.result.actual}; {actual}",
            safety=True,
        )

    def _retry_cleanup(self) -> tuple[str, ...]:
        """Repeats cleanups that failed while the target was unusable; returns a line for each statement that failed."""
        uncleared, self._pending_cleanup = self._pending_cleanup, []
        return tuple(line for sessions, _ in uncleared for line in self._clean_up(sessions))

    def _clean_up(self, sessions: CaseSessions) -> tuple[str, ...]:
        left = tuple(map(without_passwords, sessions.fixtures.remove()))
        if sessions.fixtures.unreachable:  # a statement that was refused would be refused again
            self._pending_cleanup.append((sessions, left))
        return left

    def _run(self, case: Case, *, fresh: bool = False, slowly: bool = False) -> RunResult:
        """Runs a case once. If its cleanup fails because the target is unusable, a later cleanup reports what is left.

        Args:
            case: the case.
            fresh: whether it gets new users and a new table.
            slowly: whether it pauses before each guarded statement.
        """
        if self._outages_noticed != self._outage.count:
            self._outages_noticed = self._outage.count
            self._target.close()
        run = CaseRun(case, self._target, self._shared, fresh=fresh, slowly=slowly)
        run_result = run.run()
        self._shared.lost_sessions |= run_result.lost or run_result.broken_off
        if not run.sessions.fixtures.unreachable:
            return run_result
        self._pending_cleanup.append((run.sessions, run_result.result.warnings))
        return replace(run_result, result=replace(run_result.result, warnings=()))


def _inconclusive(result: CaseResult, but: str, *, unreached: bool) -> CaseResult:
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


def _with_warnings(result: CaseResult, earlier: CaseResult) -> CaseResult:
    return replace(result, warnings=(*earlier.warnings, *result.warnings))


@dataclass(frozen=True)
class ResultAmongOthers:
    """The result of a case that ran among others.

    Attributes:
        result: the result.
        doubtful: whether the other cases may have caused it.
        lost: whether a session was lost that has to stay usable; also the administrator's during the setup, and one
            whose login was retried.
        no_reply_or_lost: whether it deviates by a missing reply or a lost connection.
        privileges_may_lag: whether it fails, maybe because a GRANT or REVOKE had no effect yet.
        full: whether the server accepted no more connections, users or tables.
        unusable: whether the target was unusable afterwards.
        reused: whether it used users or a table of earlier cases.
        error: the error by which it deviates; empty if it does not, or in another way.
        login_lost: whether it deviates because the connection was lost during a login.
    """

    result: CaseResult
    doubtful: bool = False
    lost: bool = False
    no_reply_or_lost: bool = False
    privileges_may_lag: bool = False
    full: bool = False
    unusable: bool = False
    reused: bool = False
    error: str = ""
    login_lost: bool = False
