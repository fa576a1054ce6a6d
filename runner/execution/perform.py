"""Runs a case and judges it: the stage, the steps, who is gone, the verdict, the clearing up."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace

from runner.database.target import Target, TargetError
from runner.execution.accounts import Pool, unfit
from runner.execution.observing import Observer
from runner.execution.outage import Outage
from runner.execution.patience import Patience
from runner.execution.settling import Settling
from runner.execution.stage import Stage
from runner.execution.steps import Player
from runner.execution.transcript import Transcript
from runner.execution.verdict import CaseResult, DeviationError, Ending, InconclusiveError, NotApplicableError, Verdict
from runner.language.model import Case, Vocabulary


class Performer:
    """Runs cases on one target; what it learns about the target's speed serves the later cases.

    Args:
        target: the server.
        vocabulary: the words that the cases share.
        pool: the prepared accounts to run them with, if no users are to be created.
    """

    def __init__(self, target: Target, vocabulary: Vocabulary, pool: Pool | None = None) -> None:
        self._target = target
        self._pool = pool
        self._vocabulary = vocabulary
        self._patience = Patience(target.limits)
        self._outage = Outage(target)

    def perform(self, case: Case) -> CaseResult:
        """Runs a case as often as it says, and judges it; never raises for what the target does.

        While the target can't be used at all, a case is not begun.
        """
        because = self._target.profile.exempts(case.requirement.id, case.id, case.name)
        if because is not None:
            return replace(_blank(case), verdict=Verdict.NOT_APPLICABLE, reason=because)
        because = unfit(case, administrator=self._pool.administrator) if self._pool is not None else None
        if because is not None:
            return replace(_blank(case), verdict=Verdict.INCONCLUSIVE, reason=because)
        counted: Counter[str] = Counter()
        endings: list[Ending] = []
        start = time.monotonic()
        while True:
            result = self._believable(case)
            counted.update(result.observed)
            endings.extend(result.endings)
            if result.verdict is not Verdict.OBSERVED or counted.total() >= case.repeat:
                seconds = round(time.monotonic() - start, 3)
                return replace(result, observed=dict(counted), endings=tuple(endings), seconds=seconds)

    def _believable(self, case: Case) -> CaseResult:
        """Runs a case, and looks at the target if it came to nothing."""
        if not self._outage.over():
            return replace(_blank(case), reason=f"not run: {self._outage.reason}", unreached=True)
        first, missing = self._run(case)
        if first.verdict is Verdict.INCONCLUSIVE and self._outage.begun():
            return replace(first, reason=f"{first.reason}; {self._outage.reason}", unreached=True)
        return self._confirmed(case, first, missing=missing) if first.verdict is Verdict.DEVIATES else first

    def _confirmed(self, case: Case, first: CaseResult, *, missing: bool) -> CaseResult:
        """What a target or a network in trouble would do too has to come twice to be a deviation."""
        troubled = self._outage.begun()
        if not (missing or troubled):
            return first
        if not self._outage.over():
            return self._undecided(first, f"but {self._outage.reason}", unreached=True)
        second, _ = self._run(case)
        troubled_again = second.verdict in {Verdict.DEVIATES, Verdict.INCONCLUSIVE} and self._outage.begun()
        warnings = (*first.warnings, *second.warnings)
        if second.verdict is Verdict.DEVIATES and not troubled_again:
            return replace(second, warnings=warnings)
        but = f"but not again when the case was repeated, which {second.verdict.value}: {second.came or second.reason}"
        return self._undecided(
            replace(first, warnings=warnings), but.removesuffix(": "), unreached=troubled or troubled_again
        )

    def _run(self, case: Case) -> tuple[CaseResult, bool]:
        run = _Run(case, self._target, self._vocabulary, self._patience, self._pool)
        return run.result(), run.missing

    def _undecided(self, result: CaseResult, but: str, *, unreached: bool) -> CaseResult:
        reason = f"{result.came}, {but}"
        return replace(result, verdict=Verdict.INCONCLUSIVE, reason=reason, expected="", came="", unreached=unreached)


class _Run:
    """One run of one case."""

    def __init__(
        self, case: Case, target: Target, vocabulary: Vocabulary, patience: Patience, pool: Pool | None
    ) -> None:
        self._case = case
        self.missing = False
        """Whether it deviates by what did not come, or by a lost connection."""
        self._transcript = Transcript()
        self._stage = Stage(case, target, self._transcript, pool)
        self._settling = Settling(self._stage, patience)
        self._player = Player(self._stage, self._settling, patience, vocabulary)
        self._observer = Observer(self._stage, self._settling, patience, self._player.matcher)

    def result(self) -> CaseResult:
        """Plays the case and judges it; whatever comes, clears up."""
        result = _blank(self._case)
        try:
            self._stage.set()
            result = self._judged(result)
        except DeviationError as error:
            self.missing = error.missing
            result = replace(
                result, verdict=Verdict.DEVIATES, expected=error.expected, came=error.came, safety=error.safety
            )
        except (InconclusiveError, TargetError) as error:
            result = replace(result, verdict=Verdict.INCONCLUSIVE, reason=str(error))
        except NotApplicableError as error:
            result = replace(result, verdict=Verdict.NOT_APPLICABLE, reason=str(error))
        except Exception as error:  # noqa: BLE001 - a fault of ours must not lose the case, and is nobody else's
            result = replace(result, verdict=Verdict.INCONCLUSIVE, reason=f"the suite failed: {error!r}")
        finally:
            left = self._stage.clear()
        return replace(
            result,
            endings=tuple(self._settling.endings.values()),
            transcript=tuple(self._transcript.events),
            warnings=tuple(left),
            identifiers=self._stage.identifiers(),
        )

    def _judged(self, blank: CaseResult) -> CaseResult:
        try:
            self._player.play(self._case.steps)
            if self._case.outcomes:
                outcome = self._observer.outcome(self._player.observed)
                return replace(blank, verdict=Verdict.OBSERVED, observed={outcome: 1})
            for name in sorted(self._case.ends):
                self._settling.await_end(self._stage.actors[name])
        except DeviationError as error:
            self._add_harm(error)
            raise
        except (InconclusiveError, TargetError):
            # Where the statement under test has done harm, that is why the case could not go on.
            if self._stage.said_guarded:
                self._settling.check_survivors(self._case.may_end, watch=False)
            raise
        self._settling.check_survivors(self._case.ends, watch=not self._case.ends)
        return replace(blank, verdict=Verdict.CONFORMS)

    def _add_harm(self, error: DeviationError) -> None:
        """If sessions were lost besides a deviation, that belongs to the finding, and weighs more."""
        try:
            self._settling.check_survivors(self._case.may_end, watch=False)
        except DeviationError as harm:
            if harm.came not in error.came:
                came, safety = f"{error.came}; {harm.came}", error.safety or harm.safety
                raise DeviationError(error.expected, came, safety=safety, missing=True) from error
        except InconclusiveError:
            if not self._stage.said_guarded:
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
