"""Runs a case and judges it: the stage, the steps, who is gone, the verdict, the clearing up."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

from runner.database.errorkinds import takes_no_more
from runner.database.naming import without_passwords
from runner.database.target import Target, TargetError
from runner.execution.accounts import Pool, unfit
from runner.execution.applicability import not_applicable
from runner.execution.idling import Idling
from runner.execution.observing import Observer
from runner.execution.outage import Outage
from runner.execution.patience import Patience
from runner.execution.provisions import Provisions
from runner.execution.settling import Settling
from runner.execution.stage import Stage
from runner.execution.steps import Player
from runner.execution.transcript import Transcript
from runner.execution.verdict import CaseResult, DeviationError, Ending, InconclusiveError, NotApplicableError, Verdict
from runner.language.model import Case

_DIRECTLY = 1.0  # seconds after a statement in which a loss is seen that it may have caused at once


class Performer:
    """Runs cases on one target, one at a time; what it learns about the target serves the later cases.

    Args:
        target: the server.
        pool: lends the accounts to run them with; prepared ones, if no users are to be created.
        shared: what the performers of other threads learn, too.
    """

    def __init__(self, target: Target, pool: Pool | None = None, shared: _Shared | None = None) -> None:
        self._target = target
        self._shared = shared or _Shared.new(target, pool)
        self._outages_seen = 0
        self._losses = 0
        """Of the administrator's session, as far as a case was told of them."""
        self._uncleared: list[tuple[Stage, tuple[str, ...]]] = []
        """What could not be removed, since the target could not be used at that moment, and what was told of it."""

    def beside(self) -> Performer:
        """A performer for another thread, with an administrator's session of its own."""
        return Performer(self._target.beside(), shared=self._shared)

    def perform(self, case: Case, before: Attempt | None = None) -> CaseResult:
        """Runs a case as often as it says, and judges it; never raises for what the target does.

        While the target can't be used at all, a case is not begun.

        Args:
            case: the case.
            before: what it came to among other cases, if it is run alone for that: what has to come twice has come
                once already.
        """
        if (result := self._not_run(case)) is not None:
            return result
        self._shared.idling.alone = True
        deviated = before is not None and before.result.verdict is Verdict.DEVIATES
        result = self._repeated(case, lambda: self._believable(case, deviated=deviated, again=before is not None))
        self._losses = self._target.losses
        return result

    def attempt(self, case: Case) -> Attempt:
        """Runs a case while others are run in other threads: what these may have caused is not judged yet."""
        if (result := self._not_run(case)) is not None:
            return Attempt(result)
        self._shared.idling.alone = False
        finding: _Finding | None = None
        losses = self._losses

        def once() -> CaseResult:
            nonlocal finding
            self._clear_again()
            finding = self._run(case)
            return finding.result

        result = self._repeated(case, once)
        unwatched = self._target.losses > losses or (finding is not None and finding.broken_off)
        self._losses = self._target.losses
        if finding is None or not finding.failed:
            return Attempt(result, doubtful=unwatched, lost=unwatched)
        troubled = not finding.full and self._outage.begun(self._target)
        if not troubled:
            result = replace(result, warnings=(*result.warnings, *self._clear_again()))
        return Attempt(result, doubtful=True, lost=finding.lost or unwatched, full=finding.full, troubled=troubled)

    def rest(self) -> None:
        """Closes the administrator's session while there is no case to run, so that none is lost unnoticed."""
        self._target.close()

    def close(self) -> None:
        """Removes what it could not remove before, and ends its administrator's session."""
        if self._uncleared and self._outage.over(self._target):
            self._clear_again()
        self._target.close()

    def remove_kept(self) -> list[str]:
        """Removes what cases have left for later ones, once none is run any more; says what could not be removed."""
        left = Provisions(self._target, Transcript(), self._shared.pool).clear_pool()
        return [without_passwords(line) for line in left]

    @staticmethod
    def unexplained(before: Attempt, alone: CaseResult) -> CaseResult:
        """A case that lost a session among others, and not when it was run alone; nor does a case that ran beside it.

        What neither of them does is to be blamed on the environment, or on what they do together.
        """
        but = f"but not again when the case was repeated alone, which {alone.verdict.value}: {alone.reason}"
        return _undecided(before.result, but.removesuffix(": "), unreached=False)

    @property
    def _outage(self) -> Outage:
        return self._shared.outage

    def _not_run(self, case: Case) -> CaseResult | None:
        """What is known of a case without running it, if there is a reason not to."""
        pool = self._shared.pool
        because = not_applicable(case, self._target.profile, case.vocabulary)
        if because is not None:
            return replace(_blank(case), verdict=Verdict.NOT_APPLICABLE, reason=because)
        because = unfit(case, administrator=pool.administrator) if pool.prepared else None
        if because is not None:
            return replace(_blank(case), verdict=Verdict.INCONCLUSIVE, reason=because)
        if self._target.stopped and case.needs_ids:
            return replace(_blank(case), reason=f"not run: {self._target.stopped}")
        return None

    def _repeated(self, case: Case, once: Callable[[], CaseResult]) -> CaseResult:
        """Runs a case as often as it says, and counts what was observed."""
        counted: Counter[str] = Counter()
        endings: list[Ending] = []
        start = time.monotonic()
        while True:
            result = once()
            counted.update(result.observed)
            endings.extend(result.endings)
            if result.verdict is not Verdict.OBSERVED or counted.total() >= case.repeat:
                seconds = round(time.monotonic() - start, 3)
                return replace(result, observed=dict(counted), endings=tuple(endings), seconds=seconds)

    def _believable(self, case: Case, *, deviated: bool, again: bool) -> CaseResult:
        """Runs a case, and looks at the target if it came to nothing.

        Args:
            case: the case.
            deviated: whether it had deviated before, among other cases.
            again: whether it had come to nothing before, among other cases.
        """
        if not self._outage.over(self._target):
            return replace(_blank(case), reason=f"not run: {self._outage.reason}", unreached=True)
        self._clear_again()
        first = self._run(case, fresh=again)
        if first.took and first.failed and not self._outage.begun(self._target):
            first, deviated = self._with_new_users(case, first)
        if first.result.verdict is Verdict.DEVIATES:
            return self._cleared(self._confirmed(case, first, deviated=deviated), wait=True)
        result = first.result
        if result.verdict is Verdict.INCONCLUSIVE and self._outage.begun(self._target):
            result = replace(result, reason=f"{result.reason}; {self._outage.reason}", unreached=True)
        return self._cleared(result, wait=False)

    def _with_new_users(self, case: Case, first: _Finding) -> tuple[_Finding, bool]:
        """A case that failed with users of earlier cases, which may have done something to them.

        Returns:
            What it comes to with new users, and whether it has deviated before for a reason that is not the users.
        """
        second = self._run(case, fresh=True)
        if first.result.verdict is not Verdict.DEVIATES:
            self._shared.pool.note_repeated(same=second.result.verdict is first.result.verdict)
            return second, False
        if second.result.verdict is Verdict.DEVIATES:
            return second, True
        # Is it the users, or does it deviate now and then?
        third = second if second.failed else self._run(case, fresh=True)
        if third.failed:
            return replace(third, result=self._compared(first, second, was_out=False)), False
        self._shared.pool.note_damaged()
        return third, False

    def _cleared(self, result: CaseResult, *, wait: bool) -> CaseResult:
        """Removes what a case could not remove while the target was out; ``wait``: until the target is back."""
        if not self._uncleared:
            return result
        out = self._outage.begun(self._target) and not (wait and self._outage.over(self._target))
        left = tuple(line for _, lines in self._uncleared for line in lines) if out else self._clear_again()
        return replace(result, warnings=(*result.warnings, *left))

    def _confirmed(self, case: Case, first: _Finding, *, deviated: bool) -> CaseResult:
        """What a target or a network in trouble would do too has to come twice to be a deviation.

        Args:
            case: the case.
            first: what its first run alone came to.
            deviated: whether it had deviated before, among other cases.
        """
        troubled = self._outage.begun(self._target)
        if not troubled and (not first.missing or (deviated and not first.everybody)):
            return first.result
        if troubled and first.direct and self._shared.crashes:
            return self._crash(first)
        if not self._outage.over(self._target):
            return _undecided(first.result, f"but {self._outage.reason}", unreached=True)
        left = self._clear_again()
        second = self._run(case, fresh=True)
        warnings = (*first.result.warnings, *left, *second.result.warnings)
        result = self._compared(
            replace(first, result=replace(first.result, warnings=warnings)), second, was_out=troubled
        )
        return replace(result, warnings=warnings)

    def _compared(self, first: _Finding, second: _Finding, *, was_out: bool) -> CaseResult:
        """What two runs of one case come to; ``was_out``: whether the target could not be used after the first."""
        deviates = second.result.verdict is Verdict.DEVIATES
        out = second.failed and self._outage.begun(self._target)
        if deviates and not out:
            anyway = second.everybody and not second.direct
            if anyway and self._outage.comes_anyway(second.seconds, self._target):
                return _undecided(
                    second.result, "but a connection is also lost without the statement here", unreached=True
                )
            return second.result
        if deviates and was_out and first.direct and second.direct:
            self._shared.crashes = True
            return self._crash(second)
        if deviates:
            but = f"and when the case was repeated: {second.result.actual}; but {self._outage.reason}"
        else:
            but = f"but not when the case was repeated ({second.result.verdict.value}: {second.result.reason})"
        return _undecided(first.result, but.removesuffix(": "), unreached=was_out or out)

    def _crash(self, finding: _Finding) -> CaseResult:
        """A target that can't be used any more right after the statement under test: it harms everybody (IMP-10)."""
        actual = f"right after the statement the target was unusable ({self._outage.trouble}), each time it was sent"
        return replace(
            finding.result,
            expected="the server stays usable after the statement",
            actual=f"{finding.result.actual}; {actual}",
            safety=True,
        )

    def _clear_again(self) -> tuple[str, ...]:
        """Removes what cases have left on a target that could not be used when they were over; says what stays."""
        uncleared, self._uncleared = self._uncleared, []
        return tuple(line for stage, _ in uncleared for line in self._clear(stage))

    def _clear(self, stage: Stage) -> tuple[str, ...]:
        left = tuple(map(without_passwords, stage.provisions.clear()))
        if stage.provisions.cut_off:  # what is refused would be refused again
            self._uncleared.append((stage, left))
        return left

    def _run(self, case: Case, *, fresh: bool = False) -> _Finding:
        """Runs a case once; what it can't remove while the target is out is told when it was tried again.

        Args:
            case: the case.
            fresh: whether it gets new users, and a new table.
        """
        if self._outages_seen != self._outage.ended:
            self._outages_seen = self._outage.ended
            self._target.close()
        run = _Run(case, self._target, self._shared, fresh=fresh)
        finding = run.finding()
        if not run.stage.provisions.cut_off:
            return finding
        self._uncleared.append((run.stage, finding.result.warnings))
        return replace(finding, result=replace(finding.result, warnings=()))


def _undecided(result: CaseResult, but: str, *, unreached: bool) -> CaseResult:
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
class Attempt:
    """What a case came to while others were run.

    Attributes:
        doubtful: whether these may have caused it.
        lost: whether a session of it was lost that has to go on: also the administrator's while the case was prepared,
            and one whose login was repeated.
        full: whether the server took no more connections.
        troubled: whether nobody could use the target any more.
    """

    result: CaseResult
    doubtful: bool = False
    lost: bool = False
    full: bool = False
    troubled: bool = False


@dataclass
class _Shared:
    """What was learnt of the target, by all threads.

    Attributes:
        crashes: whether it was confirmed that a statement under test makes the target crash.
    """

    patience: Patience
    idling: Idling
    outage: Outage
    pool: Pool
    crashes: bool = False

    @classmethod
    def new(cls, target: Target, pool: Pool | None) -> _Shared:
        """Nothing is known yet."""
        return cls(Patience(target.limits), Idling(target), Outage(target.limits), pool or Pool())


@dataclass(frozen=True)
class _Finding:
    """What one run of a case came to.

    Attributes:
        missing: whether it deviates by what did not come, or by a lost connection.
        direct: whether that was seen right after a statement that can end sessions.
        seconds: how long after it.
        everybody: whether the administrator's session, which no statement concerns, was lost as well.
        lost: whether a session was lost that has to go on.
        full: whether the server took no more connections.
        took: whether it had users, or a table, of earlier cases.
        broken_off: whether a session was lost at its login.
    """

    result: CaseResult
    missing: bool
    direct: bool
    seconds: float
    everybody: bool
    lost: bool
    full: bool
    took: bool
    broken_off: bool

    @property
    def failed(self) -> bool:
        """Whether it deviates or is inconclusive."""
        return self.result.failed


class _Run:
    """One run of one case."""

    def __init__(self, case: Case, target: Target, shared: _Shared, *, fresh: bool) -> None:
        self._case = case
        self._transcript = Transcript()
        self.stage = Stage(case, target, self._transcript, shared.pool, fresh=fresh)
        self._settling = Settling(self.stage, shared.patience, shared.idling)
        self._player = Player(self.stage, self._settling, shared.patience, case.vocabulary)
        self._observer = Observer(self.stage, self._settling, shared.patience, self._player.matcher)

    def finding(self) -> _Finding:
        """Plays the case and judges it; whatever comes, clears up."""
        result, missing, direct, seconds, everybody = _blank(self._case), False, False, 0.0, False
        lost = full = False
        try:
            self.stage.go_on()
            self.stage.set()
            result = self._judged(result)
        except DeviationError as error:
            missing = error.missing
            seconds, everybody = self._settling.elapsed, self.stage.control_lost()
            direct = self.stage.said_guarded and seconds < _DIRECTLY
            result = replace(
                result, verdict=Verdict.DEVIATES, expected=error.expected, actual=error.actual, safety=error.safety
            )
        except (InconclusiveError, TargetError) as error:
            full = isinstance(error, TargetError) and takes_no_more(error.outcome)
            result = replace(result, verdict=Verdict.INCONCLUSIVE, reason=str(error))
        except NotApplicableError as error:
            result = replace(result, verdict=Verdict.NOT_APPLICABLE, reason=str(error))
        except Exception as error:  # noqa: BLE001 - a fault of ours must not lose the case, and is nobody else's
            result = replace(result, verdict=Verdict.INCONCLUSIVE, reason=f"error in the suite: {error!r}")
        finally:
            lost = self._settling.has_lost()
            left = self.stage.clear(keep=result.verdict in {Verdict.CONFORMS, Verdict.OBSERVED})
        result = replace(
            result,
            reason=without_passwords(result.reason),
            expected=without_passwords(result.expected),
            actual=without_passwords(result.actual),
            endings=tuple(self._settling.endings.values()),
            transcript=tuple(self._transcript.events),
            warnings=tuple(map(without_passwords, left)),
            identifiers=self.stage.identifiers(),
            respelled=dict(self._player.respelled),
        )
        full |= self.stage.full
        took, broken_off = self.stage.provisions.took, self.stage.broken_off
        return _Finding(result, missing, direct, seconds, everybody, lost, full, took, broken_off)

    def _judged(self, blank: CaseResult) -> CaseResult:
        try:
            self._player.play(self._case.steps)
            if self._case.outcomes:
                outcome = self._observer.outcome(self._player.observed)
                return replace(blank, verdict=Verdict.OBSERVED, observed={outcome: 1})
            self._settling.await_all([self.stage.actors[name] for name in sorted(self._case.ends)])
        except DeviationError as error:
            self._add_harm(error)
            raise
        except (InconclusiveError, TargetError):
            # Where the statement under test has done harm, that is why the case could not go on.
            if self.stage.said_guarded:
                self._settling.check_survivors(self._case.may_end, watch=False)
            raise
        self._settling.check_survivors(self._case.ends, watch=not self._case.ends)
        return replace(blank, verdict=Verdict.CONFORMS)

    def _add_harm(self, error: DeviationError) -> None:
        """If sessions were lost besides a deviation, that belongs to the finding, and weighs more."""
        try:
            self._settling.check_survivors(self._case.may_end, watch=False)
        except DeviationError as harm:
            if harm.actual not in error.actual:
                worse_first = (harm, error) if harm.safety and not error.safety else (error, harm)
                raise DeviationError(
                    f"{error.expected}; {harm.expected}",
                    "; ".join(each.actual for each in worse_first),
                    safety=error.safety or harm.safety,
                    missing=True,
                ) from error
        except InconclusiveError:
            if not self.stage.said_guarded:
                raise  # a session was lost before the statement under test: no answer to it was a fair one


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
