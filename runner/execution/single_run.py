"""One run of a case: setup, steps, end states, verdict, cleanup; and the runs of a thread."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field, replace

from runner.database.administrator_session import TargetError
from runner.database.generated_passwords import without_passwords
from runner.database.outcome import ServerError
from runner.database.target import Target
from runner.database.time_limits import Poll
from runner.database.unrelated_errors import refused_by_connection_limit
from runner.execution.adaptive_limits import AdaptiveLimits
from runner.execution.case_errors import (
    NO_DEVIATION,
    Deviation,
    DeviationError,
    InconclusiveError,
    NotApplicableError,
    raise_if_run_ends,
)
from runner.execution.case_result import CaseResult, Verdict
from runner.execution.case_sessions import CaseSessions
from runner.execution.control_runs import ControlRuns
from runner.execution.default_privileges import DefaultPrivileges
from runner.execution.fixture_pool import FixturePool
from runner.execution.idle_timeout import IdleTimeout
from runner.execution.interruptions import Interruptions
from runner.execution.observed_outcome import OutcomeFinder
from runner.execution.outage import Outage
from runner.execution.presumptions import KillFailure, Presumptions
from runner.execution.row_locks import RowLocks
from runner.execution.session_checks import SessionChecks
from runner.execution.stale_reads import StaleReads
from runner.execution.step_runner import StepRunner
from runner.execution.transaction_ends import TransactionEnds
from runner.execution.transcript import Transcript
from runner.language.model import ANSWERED, GONE, Case

_RIGHT_AFTER = 1.0  # seconds after a guarded statement within which a loss is attributed to it
_REST = 1.0  # seconds before a case that is run slowly
_ENOUGH = 3  # confirmed cases, after which an error is known as the server's reply to a statement that kills
_QUICK = 2.0  # seconds: a server that does not reply for longer hardly does so by chance, and once more


@dataclass
class SharedState:
    """The state that the case runners of all threads share.

    Attributes:
        timeouts, idle_timeout, outage, pool: what was measured and created so far.
        controls, stale_reads, row_locks, transaction_ends, interruptions, default_privileges, presumptions: the control
            runs and measurements.
        vain_grant_delays: how many cases deviated although a GRANT was given time to have an effect.
        slow_runs: how many cases were run slowly because of an unknown error, by the error without its variable parts.
        vain_slow_runs: how many cases in a row got an error of hurried statements although they were run slowly.
        ends_despite_error: how many cases, confirmed alone, had a session killed by a statement that got an error, by
            the error without its variable parts.
        lost_sessions: whether a session was lost in any case: then any other failure may have the same cause.
        crashes: whether it is confirmed that a statement under test makes the target crash.
    """

    timeouts: AdaptiveLimits
    idle_timeout: IdleTimeout
    outage: Outage
    pool: FixturePool
    controls: ControlRuns = field(default_factory=ControlRuns)
    stale_reads: StaleReads = field(default_factory=StaleReads)
    row_locks: RowLocks = field(default_factory=RowLocks)
    transaction_ends: TransactionEnds = field(default_factory=TransactionEnds)
    interruptions: Interruptions = field(default_factory=Interruptions)
    default_privileges: DefaultPrivileges = field(default_factory=DefaultPrivileges)
    presumptions: Presumptions = field(default_factory=Presumptions)
    vain_grant_delays: int = 0
    slow_runs: Counter[str] = field(default_factory=Counter)
    vain_slow_runs: int = 0
    ends_despite_error: Counter[str] = field(default_factory=Counter)
    lost_sessions: bool = False
    crashes: bool = False

    @classmethod
    def new(cls, target: Target, pool: FixturePool | None) -> SharedState:
        """The state before the first case."""
        return cls(AdaptiveLimits(target.limits), IdleTimeout(target), Outage(target.limits), pool or FixturePool())


@dataclass(frozen=True)
class RunResult:
    """The result of one run of a case.

    Attributes:
        result: the result.
        deviation: why it deviates; ``NO_DEVIATION`` if it does not.
        privileges_may_lag: whether it fails, maybe because a GRANT or REVOKE had no effect yet, and neither was given
            time to have one.
        right_after_statement: whether it deviated within a second after a guarded statement.
        seconds: the time from the start of the run to its result.
        lost: whether a session was lost that has to stay usable, or one before the statement that names it.
        full: whether the server accepted no more connections, users or tables.
        reused: whether it used users or a table of earlier cases.
        broken_off: whether a session was lost during its login.
        hurried: whether it is inconclusive because of an error that cases may get only if they are run fast.
        ended_despite_error: whether it deviates by an error, and a session that the statement named had ended.
        kill_failure: what the statement under test did not do, if the case deviates for that reason alone.
    """

    result: CaseResult
    deviation: Deviation
    privileges_may_lag: bool
    right_after_statement: bool
    seconds: float
    lost: bool
    full: bool
    reused: bool
    broken_off: bool
    hurried: bool
    ended_despite_error: bool
    kill_failure: KillFailure | None

    @property
    def may_be_chance(self) -> bool:
        """Whether it lost a session that has to stay usable, or deviates by a missing reply within 2 seconds."""
        return self.lost or (self.deviation.no_reply_or_lost and self.seconds < _QUICK)

    @property
    def lacks_state(self) -> bool:
        """Whether the server doesn't have the state that the case is about."""
        return self.result.verdict is Verdict.NOT_APPLICABLE

    @property
    def failed(self) -> bool:
        """Whether it deviates or is inconclusive."""
        return self.result.failed


class SingleRun:
    """One run of one case.

    Attributes:
        sessions: the sessions of the case.
        left: a line for each statement that failed in the cleanup of a control run.
    """

    def __init__(
        self,
        case: Case,
        target: Target,
        shared: SharedState,
        *,
        fresh: bool,
        slowly: bool = False,
        reads_late: bool = False,
    ) -> None:
        self._case = case
        self._target = target
        self._shared = shared
        self._transcript = Transcript()
        self.sessions = CaseSessions(
            case, target, self._transcript, shared.pool, fresh=fresh, waits_if_full=shared.idle_timeout.alone
        )
        self._session_checks = SessionChecks(self.sessions, shared.timeouts, shared.idle_timeout)
        self._step_runner = StepRunner(
            self.sessions,
            self._session_checks,
            shared.timeouts,
            case.vocabulary,
            slowly=slowly,
            reads_late=reads_late,
        )
        self.left: tuple[str, ...] = ()
        self._observer = OutcomeFinder(self.sessions, self._session_checks, self._step_runner.matcher)

    def run(self) -> RunResult:
        """Runs the case, determines its verdict, and cleans up in any case."""
        result, start = blank_result(self._case), time.monotonic()
        right_after_statement = lost = full = hurried = False
        deviation = NO_DEVIATION
        try:
            raise_if_run_ends(self.sessions.target)
            self.sessions.set_up()
            result = self._judge(result)
        except DeviationError as error:
            deviation = self._completed(error.deviation)
            right_after_statement = self.sessions.history.any_sent and self._session_checks.elapsed < _RIGHT_AFTER
            result = replace(
                result,
                verdict=Verdict.DEVIATES,
                expected=deviation.expected,
                actual=deviation.actual,
                safety=deviation.safety,
                survived=deviation.survived,
            )
        except (InconclusiveError, TargetError) as error:
            full = isinstance(error, TargetError) and refused_by_connection_limit(error.outcome)
            reply = error.outcome
            hurried = isinstance(reply, ServerError) and (
                reply.signature in self._target.facts.passing_errors or self._target.profile.is_transient(reply)
            )
            result = replace(result, verdict=Verdict.INCONCLUSIVE, reason=str(error))
        except NotApplicableError as error:
            result = replace(result, verdict=Verdict.NOT_APPLICABLE, reason=str(error))
        except Exception as error:  # noqa: BLE001 - an error in the suite must not lose the case
            result = replace(result, verdict=Verdict.INCONCLUSIVE, reason=f"error in the suite: {error!r}")
        finally:
            seconds = time.monotonic() - start
            unrelated_lost = self._session_checks.lost_session()
            lost = unrelated_lost or self._may_be_ended_by_another(deviation.error)
            lost |= result.verdict is Verdict.DEVIATES and self._session_checks.lost_before_named()
            left = self.sessions.clean_up(keep=result.verdict in {Verdict.CONFORMS, Verdict.OBSERVED})
        result = replace(
            result,
            reason=without_passwords(result.reason),
            expected=without_passwords(result.expected),
            actual=without_passwords(result.actual),
            endings=tuple(self._session_checks.endings.values()),
            transcript=tuple(self._transcript.events),
            warnings=tuple(map(without_passwords, left)),
            identifiers=self.sessions.identifiers(),
            respelled=dict(self._step_runner.statements.respelled),
        )
        full |= self.sessions.logins.full or self.sessions.fixtures.full
        return RunResult(
            result,
            deviation,
            privileges_may_lag=result.failed
            and self._step_runner.judge.privileges_may_lag
            and not self._target.facts.grant_delay,
            right_after_statement=right_after_statement,
            seconds=seconds,
            lost=lost,
            full=full,
            reused=self.sessions.fixtures.reused,
            broken_off=self.sessions.logins.broken_off,
            hurried=hurried,
            ended_despite_error=self._step_runner.refused_for_ended,
            kill_failure=None if unrelated_lost or deviation.safety else self._kill_failure(deviation),
        )

    def _completed(self, deviation: Deviation) -> Deviation:
        """A deviation with what the replies before it show."""
        if not (deviation.safety or deviation.no_reply_or_lost or deviation.error):
            # A session that was not killed may be the consequence of an error of a server in trouble.
            deviation = replace(deviation, error=self._step_runner.judge.accepted_error)
        by_another = self._may_be_ended_by_another(deviation.error)
        return replace(deviation, no_reply_or_lost=deviation.no_reply_or_lost or by_another)

    def _may_be_ended_by_another(self, error: str) -> bool:
        """Whether another client may have killed a session, so that the statement that names it got this error."""
        return self._step_runner.refused_for_ended and self._shared.ends_despite_error[error] < _ENOUGH

    def _kill_failure(self, deviation: Deviation) -> KillFailure | None:
        """What the statement under test did not do, if that is why the case deviates."""
        aspect, error = GONE if deviation.not_ended else self._step_runner.failed_aspect, deviation.error
        refusals = [why for name, why in self._step_runner.refused.items() if name in self._case.ends]
        if deviation.not_ended and refusals:  # the session stays because its statement was refused, as the case allows
            aspect, error = refusals[0]
        if deviation is NO_DEVIATION or not aspect:
            return None
        refused = aspect not in {GONE, ANSWERED}
        return KillFailure(aspect, error if refused else "", plain=self._step_runner.last_is_plain)

    def loses_sessions_without_statement(self, seconds: float) -> bool:
        """Runs the steps before the first guarded statement, and watches the sessions: a control run.

        Args:
            seconds: the time to watch, besides that of the steps.

        Returns:
            Whether the target closed a session that has to stay usable, or the administrator's.
        """
        try:
            self.sessions.set_up()
            self._step_runner.run_until_guarded(self._case.steps)
            poll = Poll(seconds)
            while not self.sessions.lost_any() and poll.again():
                self._session_checks.keep_active()
        except Exception:  # noqa: BLE001, S110 - a step may fail because of a lost session; other failures are no answer
            pass
        finally:
            lost = self.sessions.logins.broken_off or self.sessions.lost_any()
            self.left = tuple(map(without_passwords, self.sessions.clean_up(keep=False)))
        return lost

    def _judge(self, blank: CaseResult) -> CaseResult:
        try:
            self._step_runner.run(self._case.steps)
            if self._case.outcomes:
                outcome = self._observer.outcome(self._step_runner.judge.observed)
                return replace(blank, verdict=Verdict.OBSERVED, observed={outcome: 1})
            self._session_checks.wait_for_ends([self.sessions.by_name[name] for name in sorted(self._case.ends)])
        except DeviationError as error:
            self._add_losses(error.deviation)
            self._add_survivors(error.deviation)
            raise
        except (InconclusiveError, TargetError):
            # Sessions that the statement under test has killed may be the reason why the case was broken off.
            if self.sessions.history.any_sent:
                self._session_checks.check_survivors(self._case.may_end, watch=False)
            raise
        self._session_checks.check_survivors(self._case.ends, watch=not self._case.ends)
        return replace(blank, verdict=Verdict.CONFORMS)

    def _add_losses(self, deviation: Deviation) -> None:
        """Raises a deviation again with the sessions that were lost besides; returns if there are none.

        Raises:
            DeviationError: the deviation with the lost sessions, if there are any.
            InconclusiveError: a session was lost before the statement under test.
        """
        try:
            self._session_checks.check_survivors(self._case.may_end, watch=False)
        except DeviationError as error:
            if error.deviation.actual not in deviation.actual:
                raise DeviationError(deviation.and_also(error.deviation)) from error
        except InconclusiveError:
            if not self.sessions.history.any_sent:
                raise  # a session was lost before the statement under test, whose reply can't be judged then

    def _add_survivors(self, deviation: Deviation) -> None:
        """Raises a deviation again with a session that should be killed and is not; returns if there is none.

        What such a session still does or holds, such as a lock, says nothing about killed sessions.

        Raises:
            DeviationError: the deviation with the session, or with one that was lost in the meantime.
        """
        killed = sorted(self._case.ends & self.sessions.history.named_with_success)
        if deviation.not_ended or not killed:
            return
        try:
            self._session_checks.wait_for_ends([self.sessions.by_name[name] for name in killed])
        except DeviationError as error:
            raise DeviationError(deviation.and_also(error.deviation)) from error
        except InconclusiveError:
            return


class ThreadRuns:
    """The runs of one thread, each of one case; a cleanup that failed because the target was unusable is repeated.

    Args:
        target: the server.
        shared: the state that the case runners of several threads share.

    Attributes:
        shared: that state.
    """

    def __init__(self, target: Target, shared: SharedState) -> None:
        self._target = target
        self.shared = shared
        self._outages_noticed = 0
        self._pending_cleanup: list[tuple[CaseSessions, tuple[str, ...]]] = []
        """Cases whose cleanup failed because the target was unusable, with the lines for the statements that failed."""

    def run(self, case: Case, *, fresh: bool = False, slowly: bool = False, reads_late: bool = False) -> RunResult:
        """Runs a case once. If its cleanup fails because the target is unusable, a later cleanup reports what is left.

        Args:
            case: the case.
            fresh: whether it gets new users and a new table.
            slowly: whether it pauses before each guarded statement.
            reads_late: whether it pauses before each auxiliary statement with a claim, such as a SELECT.
        """
        if self._outages_noticed != self.shared.outage.count:
            self._outages_noticed = self.shared.outage.count
            self._target.close()
        run = SingleRun(case, self._target, self.shared, fresh=fresh, slowly=slowly, reads_late=reads_late)
        run_result = run.run()
        self.shared.lost_sessions |= run_result.lost or run_result.broken_off
        if not run.sessions.fixtures.unreachable:
            return run_result
        self._pending_cleanup.append((run.sessions, run_result.result.warnings))
        return replace(run_result, result=replace(run_result.result, warnings=()))

    def run_slowly(self, case: Case) -> RunResult:
        """Runs a case after a pause, and with pauses: a server may limit how fast statements follow one another."""
        poll = Poll(_REST)
        while poll.again() and not self._target.facts.cut_off.is_set():
            pass
        return self.run(case, fresh=True, slowly=True)

    def read_late(self, case: Case) -> RunResult:
        """Runs a case with a pause before each of its SELECTs, which may show what was committed only then."""
        return self.run(case, fresh=True, reads_late=True)

    def result_if_presumption_failed(
        self, case: Case, result: CaseResult, last: RunResult, *, already_known: bool = False
    ) -> CaseResult | None:
        """The result of a case that deviates because of something that it presumes; None if it does not.

        Args:
            case: the case.
            result: its result.
            last: its last run.
            already_known: whether no other case is run to find out.
        """
        run = None if already_known else lambda other: self.run(other, fresh=True).kill_failure
        return self.shared.presumptions.inconclusive_result(case, result, last.kill_failure, run)

    def also_lose_sessions(self, case: Case, run_seconds: float) -> tuple[bool, list[str]]:
        """Whether sessions are also lost without the guarded statement.

        Args:
            case: the case.
            run_seconds: the duration of the run that lost a session.

        Returns:
            The answer, and a line for each failed statement of a cleanup.
        """
        lines: list[str] = []

        def control(seconds: float) -> bool:
            run = SingleRun(case, self._target, self.shared, fresh=True)
            lost = run.loses_sessions_without_statement(seconds)
            if run.sessions.fixtures.unreachable:
                self._pending_cleanup.append((run.sessions, run.left))
            else:
                lines.extend(run.left)
            return lost

        return self.shared.controls.also_lose_sessions(run_seconds, control), lines

    @property
    def cleanup_is_pending(self) -> bool:
        """Whether a cleanup has to be repeated."""
        return bool(self._pending_cleanup)

    def retry_cleanup(self) -> tuple[str, ...]:
        """Repeats cleanups that failed while the target was unusable; returns a line for each statement that failed."""
        uncleared, self._pending_cleanup = self._pending_cleanup, []
        return tuple(line for sessions, _ in uncleared for line in self._clean_up(sessions))

    def _clean_up(self, sessions: CaseSessions) -> tuple[str, ...]:
        left = tuple(map(without_passwords, sessions.fixtures.remove()))
        if sessions.fixtures.unreachable:  # a statement that was refused would be refused again
            self._pending_cleanup.append((sessions, left))
        return left

    def clean_up_after(self, result: CaseResult, *, wait: bool) -> CaseResult:
        """Repeats a cleanup that failed because the target was unusable.

        Args:
            result: the result of the case.
            wait: whether to wait until the target is usable.

        Returns:
            The result, with a warning for each statement that failed.
        """
        if not self._pending_cleanup:
            return result
        outage = self.shared.outage
        out = outage.check_unusable(self._target) and not (wait and outage.wait_until_usable(self._target))
        left = tuple(line for _, lines in self._pending_cleanup for line in lines) if out else self.retry_cleanup()
        return replace(result, warnings=(*result.warnings, *left))


def blank_result(case: Case) -> CaseResult:
    """The result of a case that was not run."""
    return CaseResult(
        name=case.name,
        case_id=case.id,
        requirement=case.requirement.id,
        level=case.requirement.level,
        title=case.title,
        place=f"{case.place.shown_path}:{case.place.line}",
        verdict=Verdict.INCONCLUSIVE,
    )
