"""Runs a case: setup, steps, end states, verdict, cleanup; repeats it if its verdict has to be confirmed."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

from runner.accounts.accounts_check import not_with_prepared_accounts
from runner.database.administrator import TargetError
from runner.database.passwords import without_passwords
from runner.database.target import Target
from runner.database.unrelated_errors import refused_by_connection_limit
from runner.execution.adaptive_timeouts import AdaptiveTimeouts
from runner.execution.applicability import not_applicable
from runner.execution.case_result import (
    CaseResult,
    DeviationError,
    Ending,
    InconclusiveError,
    NotApplicableError,
    Verdict,
)
from runner.execution.case_sessions import CaseSessions
from runner.execution.fixture_pool import FixturePool
from runner.execution.fixtures import Fixtures
from runner.execution.idle_timeout import IdleTimeout, loses_active_session
from runner.execution.liveness import Liveness
from runner.execution.observed_outcome import OutcomeFinder
from runner.execution.outage import Outage
from runner.execution.step_runner import StepRunner
from runner.execution.transcript import Transcript
from runner.language.model import Case

_LEAST_REPEATS = 3  # repetitions of a case that observes, however long they take
_MORE_RUNS = 3  # alone, of a case that deviated among other cases and not in its first run alone
_RIGHT_AFTER = 1.0  # seconds after a guarded statement within which a loss is attributed to it


class CaseRunner:
    """Runs cases on one target, one at a time, and keeps what it measures for later cases.

    Args:
        target: the server.
        pool: lends accounts; prepared ones, if no users may be created.
        shared: the state that the case runners of several threads share.
    """

    def __init__(self, target: Target, pool: FixturePool | None = None, shared: _SharedState | None = None) -> None:
        self._target = target
        self._shared = shared or _SharedState.new(target, pool)
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
        result = self._repeat(case, lambda: self._run_alone(case, deviated=deviated, again=before is not None))
        if before is not None and deviated and not (before.lost or before.unusable or result.failed):
            result = self._repeat_until_it_deviates(case, before, result)
        self._losses = self._target.administrator.losses
        return result

    def _repeat_until_it_deviates(self, case: Case, before: ResultAmongOthers, result: CaseResult) -> CaseResult:
        """Repeats a case alone that deviated among other cases only: the server may deviate at random.

        Users of earlier cases explain the deviations of a few cases; after these, cases get new users.
        """
        for _ in range(_MORE_RUNS):
            again = self._run_alone(case, deviated=True, again=True)
            if again.failed:
                return again
        if before.reused and self._shared.pool.reuse_allowed:
            self._shared.pool.note_changed_users()
            return result
        return _inconclusive(before.result, f"but not in {1 + _MORE_RUNS} runs of the case alone", unreached=False)

    def run_among_others(self, case: Case) -> ResultAmongOthers:
        """Runs a case while other threads run other cases, which may have caused its result."""
        if (result := self._result_without_run(case)) is not None:
            return ResultAmongOthers(result)
        self._shared.idle_timeout.set_one_case_at_a_time(alone=False)
        run_result: _RunResult | None = None
        losses = self._losses

        def once() -> CaseResult:
            nonlocal run_result
            self._retry_cleanup()
            run_result = self._run(case)
            return run_result.result

        result = self._repeat(case, once)
        lost_in_setup = self._target.administrator.losses > losses or (run_result is not None and run_result.broken_off)
        self._losses = self._target.administrator.losses
        if run_result is None or not run_result.failed:
            return ResultAmongOthers(result, doubtful=lost_in_setup, lost=lost_in_setup)
        unusable = not run_result.full and self._outage.check_unusable(self._target)
        if not unusable:
            result = replace(result, warnings=(*result.warnings, *self._retry_cleanup()))
        return ResultAmongOthers(
            result,
            doubtful=True,
            lost=run_result.lost or lost_in_setup,
            full=run_result.full,
            unusable=unusable,
            reused=run_result.reused,
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
    def _outage(self) -> Outage:
        return self._shared.outage

    def _result_without_run(self, case: Case) -> CaseResult | None:
        """The result of a case that is not run for a known reason; None if it has to be run."""
        pool = self._shared.pool
        because = not_applicable(case, self._target.profile, case.vocabulary)
        if because is not None:
            return replace(_blank(case), verdict=Verdict.NOT_APPLICABLE, reason=because)
        because = not_with_prepared_accounts(case, administrator=pool.administrator) if pool.prepared else None
        if because is not None:
            return replace(_blank(case), verdict=Verdict.INCONCLUSIVE, reason=because)
        if self._target.stop_reason and case.needs_ids:
            return replace(_blank(case), reason=f"not run: {self._target.stop_reason}")
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

    def _run_alone(self, case: Case, *, deviated: bool, again: bool) -> CaseResult:
        """Runs a case once, and checks the target if it fails.

        Args:
            case: the case.
            deviated: whether it has deviated among other cases.
            again: whether it has failed among other cases.
        """
        if not self._outage.wait_until_usable(self._target):
            return replace(_blank(case), reason=f"not run: {self._outage.reason}", unreached=True)
        self._retry_cleanup()
        first = self._run(case, fresh=again)
        if first.reused and first.failed and not self._outage.check_unusable(self._target):
            first, deviated = self._rerun_with_new_users(case, first)
        if first.result.verdict is Verdict.DEVIATES:
            return self._clean_up_after(self._confirm(case, first, deviated=deviated), wait=True)
        result = first.result
        if result.verdict is Verdict.INCONCLUSIVE and self._outage.check_unusable(self._target):
            result = replace(result, reason=f"{result.reason}; {self._outage.reason}", unreached=True)
        return self._clean_up_after(result, wait=False)

    def _rerun_with_new_users(self, case: Case, first: _RunResult) -> tuple[_RunResult, bool]:
        """Runs a case again that failed with users of earlier cases, which may have changed them.

        Returns:
            The result with new users, and whether the case has deviated before for another reason than the users.
        """
        second = self._run(case, fresh=True)
        if first.result.verdict is not Verdict.DEVIATES:
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

    def _confirm(self, case: Case, first: _RunResult, *, deviated: bool) -> CaseResult:
        """Runs a case again if a server or a network in trouble may have caused its deviation.

        Args:
            case: the case.
            first: the result of its first run alone.
            deviated: whether it has deviated among other cases.
        """
        unusable = self._outage.check_unusable(self._target)
        if not unusable and (not first.no_reply_or_lost or (deviated and not first.administrator_lost)):
            return first.result
        if unusable and first.right_after_statement and self._shared.crashes:
            return self._crash(first)
        if not self._outage.wait_until_usable(self._target):
            return _inconclusive(first.result, f"but {self._outage.reason}", unreached=True)
        left = self._retry_cleanup()
        second = self._run(case, fresh=True)
        warnings = (*first.result.warnings, *left, *second.result.warnings)
        result = self._compare(
            replace(first, result=replace(first.result, warnings=warnings)), second, was_out=unusable
        )
        return replace(result, warnings=warnings)

    def _compare(self, first: _RunResult, second: _RunResult, *, was_out: bool) -> CaseResult:
        """The result of two runs of a case; ``was_out``: whether the target was unusable after the first."""
        deviates = second.result.verdict is Verdict.DEVIATES
        out = second.failed and self._outage.check_unusable(self._target)
        if deviates and not out:
            anyway = second.administrator_lost and not second.right_after_statement
            if anyway and loses_active_session(self._target, second.seconds):
                return _inconclusive(
                    second.result, "but a connection is also lost without the statement here", unreached=True
                )
            return second.result
        if deviates and was_out and first.right_after_statement and second.right_after_statement:
            self._shared.crashes = True
            return self._crash(second)
        if deviates:
            but = f"and when the case was repeated: {second.result.actual}; but {self._outage.reason}"
        else:
            but = f"but not when the case was repeated ({second.result.verdict.value}: {second.result.reason})"
        return _inconclusive(first.result, but.removesuffix(": "), unreached=was_out or out)

    def _crash(self, run_result: _RunResult) -> CaseResult:
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

    def _run(self, case: Case, *, fresh: bool = False) -> _RunResult:
        """Runs a case once. If its cleanup fails because the target is unusable, a later cleanup reports what is left.

        Args:
            case: the case.
            fresh: whether it gets new users and a new table.
        """
        if self._outages_noticed != self._outage.count:
            self._outages_noticed = self._outage.count
            self._target.close()
        run = _CaseRun(case, self._target, self._shared, fresh=fresh)
        run_result = run.run()
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
        unreached=unreached,
    )


@dataclass(frozen=True)
class ResultAmongOthers:
    """The result of a case that ran among others.

    Attributes:
        result: the result.
        doubtful: whether the other cases may have caused it.
        lost: whether a session was lost that has to stay usable; also the administrator's during the setup, and one
            whose login was retried.
        full: whether the server accepted no more connections.
        unusable: whether the target was unusable afterwards.
        reused: whether it used users or a table of earlier cases.
    """

    result: CaseResult
    doubtful: bool = False
    lost: bool = False
    full: bool = False
    unusable: bool = False
    reused: bool = False


@dataclass
class _SharedState:
    """The state that the case runners of all threads share.

    Attributes:
        crashes: whether it is confirmed that a statement under test makes the target crash.
    """

    timeouts: AdaptiveTimeouts
    idle_timeout: IdleTimeout
    outage: Outage
    pool: FixturePool
    crashes: bool = False

    @classmethod
    def new(cls, target: Target, pool: FixturePool | None) -> _SharedState:
        """The state before the first case."""
        return cls(AdaptiveTimeouts(target.limits), IdleTimeout(target), Outage(target.limits), pool or FixturePool())


@dataclass(frozen=True)
class _RunResult:
    """The result of one run of a case.

    Attributes:
        result: the result.
        no_reply_or_lost: whether it deviates by a missing reply or a lost connection.
        right_after_statement: whether it deviated within a second after a guarded statement.
        seconds: the time from the last guarded statement to the deviation.
        administrator_lost: whether the administrator's session, which no statement names, was lost, too.
        lost: whether a session was lost that has to stay usable.
        full: whether the server accepted no more connections.
        reused: whether it used users or a table of earlier cases.
        broken_off: whether a session was lost during its login.
    """

    result: CaseResult
    no_reply_or_lost: bool
    right_after_statement: bool
    seconds: float
    administrator_lost: bool
    lost: bool
    full: bool
    reused: bool
    broken_off: bool

    @property
    def failed(self) -> bool:
        """Whether it deviates or is inconclusive."""
        return self.result.failed


class _CaseRun:
    """One run of one case."""

    def __init__(self, case: Case, target: Target, shared: _SharedState, *, fresh: bool) -> None:
        self._case = case
        self._transcript = Transcript()
        self.sessions = CaseSessions(case, target, self._transcript, shared.pool, fresh=fresh)
        self._liveness = Liveness(self.sessions, shared.timeouts, shared.idle_timeout)
        self._step_runner = StepRunner(self.sessions, self._liveness, shared.timeouts, case.vocabulary)
        self._observer = OutcomeFinder(self.sessions, self._liveness, shared.timeouts, self._step_runner.matcher)

    def run(self) -> _RunResult:
        """Runs the case, determines its verdict, and cleans up in any case."""
        result, seconds = _blank(self._case), 0.0
        no_reply_or_lost = right_after_statement = administrator_lost = lost = full = False
        try:
            self.sessions.raise_if_run_ends()
            self.sessions.set_up()
            result = self._judge(result)
        except DeviationError as error:
            no_reply_or_lost = error.no_reply_or_lost
            seconds, administrator_lost = self._liveness.elapsed, self.sessions.administrator_lost()
            right_after_statement = self.sessions.sent_guarded and seconds < _RIGHT_AFTER
            result = replace(
                result, verdict=Verdict.DEVIATES, expected=error.expected, actual=error.actual, safety=error.safety
            )
        except (InconclusiveError, TargetError) as error:
            full = isinstance(error, TargetError) and refused_by_connection_limit(error.outcome)
            result = replace(result, verdict=Verdict.INCONCLUSIVE, reason=str(error))
        except NotApplicableError as error:
            result = replace(result, verdict=Verdict.NOT_APPLICABLE, reason=str(error))
        except Exception as error:  # noqa: BLE001 - an error in the suite must not lose the case
            result = replace(result, verdict=Verdict.INCONCLUSIVE, reason=f"error in the suite: {error!r}")
        finally:
            lost = self._liveness.lost_session()
            left = self.sessions.clean_up(keep=result.verdict in {Verdict.CONFORMS, Verdict.OBSERVED})
        result = replace(
            result,
            reason=without_passwords(result.reason),
            expected=without_passwords(result.expected),
            actual=without_passwords(result.actual),
            endings=tuple(self._liveness.endings.values()),
            transcript=tuple(self._transcript.events),
            warnings=tuple(map(without_passwords, left)),
            identifiers=self.sessions.identifiers(),
            respelled=dict(self._step_runner.respelled),
        )
        full |= self.sessions.full
        return _RunResult(
            result,
            no_reply_or_lost=no_reply_or_lost,
            right_after_statement=right_after_statement,
            seconds=seconds,
            administrator_lost=administrator_lost,
            lost=lost,
            full=full,
            reused=self.sessions.fixtures.reused,
            broken_off=self.sessions.broken_off,
        )

    def _judge(self, blank: CaseResult) -> CaseResult:
        try:
            self._step_runner.run(self._case.steps)
            if self._case.outcomes:
                outcome = self._observer.outcome(self._step_runner.judge.observed)
                return replace(blank, verdict=Verdict.OBSERVED, observed={outcome: 1})
            self._liveness.wait_for_ends([self.sessions.by_name[name] for name in sorted(self._case.ends)])
        except DeviationError as error:
            self._add_losses(error)
            raise
        except (InconclusiveError, TargetError):
            # Sessions that the statement under test has killed may be the reason why the case was broken off.
            if self.sessions.sent_guarded:
                self._liveness.check_survivors(self._case.may_end, watch=False)
            raise
        self._liveness.check_survivors(self._case.ends, watch=not self._case.ends)
        return replace(blank, verdict=Verdict.CONFORMS)

    def _add_losses(self, error: DeviationError) -> None:
        """Raises a deviation again with the sessions that were lost besides; returns if there are none.

        Raises:
            DeviationError: the deviation with the lost sessions, if there are any.
            InconclusiveError: a session was lost before the statement under test.
        """
        try:
            self._liveness.check_survivors(self._case.may_end, watch=False)
        except DeviationError as loss:
            if loss.actual not in error.actual:
                worse_first = (loss, error) if loss.safety and not error.safety else (error, loss)
                raise DeviationError(
                    f"{error.expected}; {loss.expected}",
                    "; ".join(each.actual for each in worse_first),
                    safety=error.safety or loss.safety,
                    no_reply_or_lost=True,
                ) from error
        except InconclusiveError:
            if not self.sessions.sent_guarded:
                raise  # a session was lost before the statement under test, whose reply can't be judged then


def _blank(case: Case) -> CaseResult:
    return CaseResult(
        name=case.name,
        case_id=case.id,
        requirement=case.requirement.id,
        level=case.requirement.level,
        title=case.title,
        place=f"{case.place.shown_path}:{case.place.line}",
        verdict=Verdict.INCONCLUSIVE,
    )
