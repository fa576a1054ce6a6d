"""Confirms a deviation: runs the case again, and looks for another cause than the statement under test."""

from __future__ import annotations

from dataclasses import replace

from runner.database.generated_passwords import without_passwords
from runner.database.outcome import Lost
from runner.database.session import Session
from runner.database.target import Target
from runner.execution.case_result import CaseResult, Verdict
from runner.execution.explanations import Explanations
from runner.execution.single_run import RunResult, ThreadRuns
from runner.language.model import Case

_REPEATS_OF_LOSSES = 2  # of a case that lost a session when run alone, or had no usable reply: each has to deviate


class Confirmation:
    """Confirms deviations of cases that run alone.

    Args:
        target: the server.
        runs: runs the cases.
    """

    def __init__(self, target: Target, runs: ThreadRuns) -> None:
        self._target = target
        self._runs = runs
        self._shared = runs.shared
        self._explanations = Explanations(target, runs.shared, runs.run_slowly, runs.read_late)

    def confirm(self, case: Case, first: RunResult, *, deviated: bool, error: str) -> CaseResult:
        """Runs a case again if a server or a network in trouble may have caused its deviation.

        Args:
            case: the case.
            first: the result of its first run alone.
            deviated: whether it has deviated beside other cases, and not by chance, such as a lost connection.
            error: the error by which it has deviated then, if any; one error is no deviation if another one follows.
        """
        # On a server that kills no session in some state, hundreds of cases fail in this way: none is repeated.
        undecided = self._runs.result_if_presumption_failed(case, first.result, first, already_known=True)
        return undecided or self._confirm(case, first, deviated=deviated, error=error)

    def _confirm(self, case: Case, first: RunResult, *, deviated: bool, error: str) -> CaseResult:
        if first.deviation.login_lost and self.loses_logins():
            first = replace(again := self._runs.run(case, fresh=True), result=with_warnings(again.result, first.result))
            if not first.failed:
                return first.result
        unusable = self._shared.outage.check_unusable(self._target)
        certain = deviated or not (self._shared.lost_sessions or self._shared.outage.count)
        certain &= first.deviation.error in {"", error} or (deviated and not error)
        by_chance = first.deviation.no_reply_or_lost and (first.may_be_chance or not deviated)
        if certain and not unusable and not by_chance:
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
            but = "but a session is also lost when the case is run without the statement under test"
            result = inconclusive(result, but, unreached=True) if anyway else result
            self._shared.ends_despite_error[last.deviation.error] += last.ended_despite_error and not anyway
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
        if (undecided := self._runs.result_if_presumption_failed(case, result, last)) is not None:
            return undecided
        but, left = self._explanations.reason(case, last)
        result = replace(result, warnings=(*result.warnings, *map(without_passwords, left)))
        return inconclusive(result, f"but {but}", unreached=False) if but else result

    def compare(self, first: RunResult, second: RunResult, *, was_out: bool) -> CaseResult:
        """The result of two runs of a case; ``was_out``: whether the target was unusable after the first."""
        deviates = second.result.verdict is Verdict.DEVIATES
        out = second.failed and self._shared.outage.check_unusable(self._target)
        errors = {first.deviation.error, second.deviation.error}
        if deviates and not out and "" not in errors and len(errors) > 1:
            but = f"and when the case was repeated: {second.result.actual}: each run got a different error"
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
        return inconclusive(first.result, but.replace(": )", ")"), unreached=was_out or out)

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


def inconclusive(result: CaseResult, because: str, *, unreached: bool) -> CaseResult:
    """A result that is inconclusive: what was observed, and the reason for which it decides nothing."""
    reason = f"{result.actual or result.reason}, {because}"
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
