"""Runs a case as often as its verdict needs, alone or beside other cases."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

from runner.accounts.accounts_check import not_with_prepared_accounts
from runner.database.generated_passwords import without_passwords
from runner.database.target import Target
from runner.execution.applicability import not_applicable
from runner.execution.case_result import CaseResult, Ending, Verdict
from runner.execution.confirmation import Confirmation, inconclusive
from runner.execution.explanations import VAIN_SLOW_RUNS
from runner.execution.fixture_pool import FixturePool
from runner.execution.fixtures import Fixtures
from runner.execution.outage import Outage
from runner.execution.single_run import RunResult, SharedState, ThreadRuns, blank_result
from runner.execution.transcript import Transcript
from runner.language.model import Case

_LEAST_REPEATS = 3  # repetitions of a case that observes, however long they take
_MORE_RUNS = 3  # alone, of a case that deviated beside other cases and not in its first run alone
_GRANT_DELAY = 2.0  # seconds after a GRANT or REVOKE, for servers on which it has no effect at once
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
        self._runs = ThreadRuns(target, self._shared)
        self._confirmation = Confirmation(target, self._runs)
        self._losses = 0
        """The losses of the administrator's session that are attributed to a case already."""

    def replied_late(self) -> bool:
        """Whether the server has replied after the limit to a statement of another case since the last call."""
        return self._target.facts.late_replies.check()

    def for_another_thread(self) -> CaseRunner:
        """A case runner for another thread, with its own session of the administrator."""
        return CaseRunner(self._target.for_another_thread(), shared=self._shared)

    def run(self, case: Case, before: ResultAmongOthers | None = None) -> CaseResult:
        """Runs a case alone, with all repetitions. No behaviour of the target raises an exception.

        While the target is unusable, no case is started.

        Args:
            case: the case.
            before: its result beside other cases, if this run has to confirm that.
        """
        if (result := self._result_without_run(case)) is not None:
            return result
        self._shared.idle_timeout.set_one_case_at_a_time(alone=True)
        if before is not None and before.last is not None:
            result = self._run_again(case, before, before.last)
        else:
            result = self._repeat(case, lambda: self._run_alone(case, again=before is not None))
        self._losses = self._target.administrator.losses
        return result

    def _run_again(self, case: Case, before: ResultAmongOthers, last: RunResult) -> CaseResult:
        """Runs a case alone whose last run, beside other cases, failed."""
        deviated = before.result.verdict is Verdict.DEVIATES or before.presumption_failed
        certain, error = deviated and not last.may_be_chance, last.deviation.error
        result = self._repeat(case, lambda: self._run_alone(case, again=True, deviated=certain, error=error))
        if not deviated or before.lost or before.unusable or result.failed or self._is_explained(last):
            return result
        return self._repeat_until_it_deviates(case, before.result, last, result)

    def _is_explained(self, last: RunResult) -> bool:
        """Whether a property of the target explains that a case deviated beside other cases and not alone."""
        hurried = last.deviation.error in self._target.facts.passing_errors
        login_lost = last.deviation.login_lost and self._confirmation.loses_logins()
        queued = last.deviation.no_reply_or_lost and self._target.facts.late_replies.any_received
        return hurried or self.privileges_lagged(last) or last.full or login_lost or queued

    def privileges_lagged(self, last: RunResult | None) -> bool:
        """Whether a GRANT or REVOKE that had no effect yet explains a failure beside other cases."""
        return last is not None and last.privileges_may_lag and self._target.facts.grant_delay > 0

    def _repeat_until_it_deviates(
        self, case: Case, before: CaseResult, last: RunResult, result: CaseResult
    ) -> CaseResult:
        """Repeats a case alone that deviated beside other cases only: the server may deviate at random.

        Users of earlier cases explain the deviations of a few cases; after these, cases get new users.

        Args:
            case: the case.
            before: its result beside other cases.
            last: its last run beside other cases.
            result: its result alone.
        """
        for _ in range(_MORE_RUNS):
            again = self._run_alone(case, again=True, deviated=True, error=last.deviation.error)
            if again.failed:
                return again
        if last.reused and self._shared.pool.reuse_allowed:
            self._shared.pool.note_changed_users()
            return result
        if self.privileges_lagged(last):
            return result
        return inconclusive(before, f"but not in {1 + _MORE_RUNS} runs of the case alone", unreached=False)

    def run_among_others(self, case: Case) -> ResultAmongOthers:
        """Runs a case while other threads run other cases, which may have caused its result."""
        if (result := self._result_without_run(case)) is not None:
            return ResultAmongOthers(result)
        self._shared.idle_timeout.set_one_case_at_a_time(alone=False)
        run_result: RunResult | None = None
        losses = self._losses

        def once() -> CaseResult:
            nonlocal run_result
            self._runs.retry_cleanup()
            run_result = self._runs.run(case)
            return run_result.result

        result = self._repeat(case, once)
        lost_in_setup = self._target.administrator.losses > losses or (run_result is not None and run_result.broken_off)
        self._losses = self._target.administrator.losses
        changed = run_result is not None and run_result.reused and run_result.lacks_state
        if run_result is None or not (run_result.failed or changed):
            return ResultAmongOthers(result, doubtful=lost_in_setup, lost=lost_in_setup)
        unusable = not run_result.full and self._outage.check_unusable(self._target)
        undecided = None
        if not unusable and result.verdict is Verdict.DEVIATES:
            undecided = self._runs.result_if_presumption_failed(case, result, run_result)
            result = undecided or result
        if not unusable:
            result = replace(result, warnings=(*result.warnings, *self._runs.retry_cleanup()))
        return ResultAmongOthers(
            result,
            run_result,
            doubtful=True,
            lost=run_result.lost or lost_in_setup,
            unusable=unusable,
            presumption_failed=undecided is not None,
        )

    def close_administrator(self) -> None:
        """Closes the administrator's session while there is no case to run: its loss would not be noticed."""
        self._target.close()

    def close(self) -> None:
        """Repeats cleanups that failed, if the target is usable again, and closes the administrator's session."""
        if self._runs.cleanup_is_pending and self._outage.wait_until_usable(self._target):
            self._runs.retry_cleanup()
        self._target.close()

    def remove_kept(self) -> list[str]:
        """Removes users and tables that were kept for later cases; returns a line for each statement that failed."""
        left = Fixtures(self._target, Transcript(), self._shared.pool).remove_kept()
        return [without_passwords(line) for line in left]

    @staticmethod
    def unexplained_loss(before: ResultAmongOthers, alone: CaseResult) -> CaseResult:
        """The result of a case that lost a session beside other cases, if neither it nor one of those loses one alone.

        Then the environment or a combination of cases is the cause, and the case is inconclusive.
        """
        but = f"but not again when the case was repeated alone ({alone.verdict.value}: {alone.reason}"
        return inconclusive(before.result, but.removesuffix(": ") + ")", unreached=False)

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

    def _run_alone(self, case: Case, *, again: bool, deviated: bool = False, error: str = "") -> CaseResult:
        """Runs a case once, and checks the target if it fails.

        Args:
            case: the case.
            again: whether it has failed beside other cases.
            deviated: whether it has deviated before, and not by chance, such as a lost connection.
            error: the error by which it has deviated before; empty if it has not, or in another way.
        """
        if not self._outage.wait_until_usable(self._target):
            return replace(blank_result(case), reason=f"not run: {self._outage.reason}", unreached=True)
        self._runs.retry_cleanup()
        self._wait_for_late_replies()
        first = self._runs.run(case, fresh=again)
        if first.hurried and self._shared.vain_slow_runs < VAIN_SLOW_RUNS:
            first = self._runs.run_slowly(case)
            self._shared.vain_slow_runs = self._shared.vain_slow_runs + 1 if first.failed else 0
        if first.reused and (first.failed or first.lacks_state) and not self._outage.check_unusable(self._target):
            first, deviated = self._rerun_with_new_users(case, first)
        if first.privileges_may_lag and (later := self._result_after_grant_delay(case, first)) is not None:
            later = replace(later, warnings=(*first.result.warnings, *later.warnings))
            return self._runs.clean_up_after(later, wait=False)
        if first.result.verdict is Verdict.DEVIATES:
            confirmed = self._confirmation.confirm(case, first, deviated=deviated, error=error)
            return self._runs.clean_up_after(confirmed, wait=True)
        result = first.result
        if result.verdict is Verdict.INCONCLUSIVE and self._outage.check_unusable(self._target):
            result = replace(result, reason=f"{result.reason}; {self._outage.reason}", unreached=True)
        return self._runs.clean_up_after(result, wait=False)

    def _wait_for_late_replies(self) -> None:
        """Waits until the server is done with the statements of earlier cases: it may kill one session at a time."""
        facts = self._target.facts
        facts.late_replies.wait(facts.cut_off.is_set)

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
        again = self._runs.run(case, fresh=True)
        if not again.failed:
            deviated = first.result.verdict is Verdict.DEVIATES
            return self._confirmation.compare(first, again, was_out=False) if deviated else again.result
        if not again.privileges_may_lag:
            return None
        facts.grant_delay = _GRANT_DELAY
        decided = {Verdict.CONFORMS, Verdict.OBSERVED}
        once = self._runs.run(case, fresh=True).result
        if once.verdict in decided and (twice := self._runs.run(case, fresh=True).result).verdict in decided:
            return replace(twice, warnings=(*once.warnings, *twice.warnings))
        facts.grant_delay = 0.0
        self._shared.vain_grant_delays += 1
        return None

    def _rerun_with_new_users(self, case: Case, first: RunResult) -> tuple[RunResult, bool]:
        """Runs a case again that failed or lacked its state with users of earlier cases, which may have changed them.

        Returns:
            The result with new users, and whether the case has deviated before for another reason than the users.
        """
        second = self._runs.run(case, fresh=True)
        if first.result.verdict is not Verdict.DEVIATES:
            if first.failed:
                self._shared.pool.note_repeated(same=second.result.verdict is first.result.verdict)
            return second, False
        if second.result.verdict is Verdict.DEVIATES:
            return second, True
        # Either the users are the cause, or the case deviates at random.
        third = second if second.failed else self._runs.run(case, fresh=True)
        if third.failed:
            return replace(third, result=self._confirmation.compare(first, second, was_out=False)), False
        self._shared.pool.note_changed_users()
        return third, False


@dataclass(frozen=True)
class ResultAmongOthers:
    """The result of a case that ran beside other cases.

    Attributes:
        result: the result, after all repetitions.
        last: its last run; None if the case was not run, or no other case can have caused the result.
        doubtful: whether the other cases may have caused it.
        lost: whether a session was lost that has to stay usable; also the administrator's during the setup, and one
            whose login was retried.
        unusable: whether the target was unusable afterwards.
        presumption_failed: whether it is inconclusive because it failed as its requirement presumes it does not.
    """

    result: CaseResult
    last: RunResult | None = None
    doubtful: bool = False
    lost: bool = False
    unusable: bool = False
    presumption_failed: bool = False

    @property
    def full(self) -> bool:
        """Whether the server accepted no more connections, users or tables."""
        return self.last is not None and self.last.full
