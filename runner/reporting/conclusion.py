"""The result of a run, as a sentence for the terminal and in a few words for a badge."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from runner.execution.case_result import CaseResult, Standing, Verdict, fails
from runner.language.message_text import plural
from runner.language.model import Level

LEVEL_MEANINGS = {
    Level.MUST: "the specification states it",
    Level.SHOULD: "shown or implied by the specification; fails the run only with --strict",
    Level.OBSERVE: "the specification is silent: the outcome is recorded",
}


class Conclusion(enum.Enum):
    """The results that a run can have, the worst first; the first three have exit code 1."""

    DEVIATES = "a required case deviates"
    UNDECIDED = "a required case is inconclusive"
    STALE_LIST = "the list of known deviations has stale entries"
    KNOWN_ONLY = "all required cases that failed are known deviations"
    NOTHING_REQUIRED = "no required case was decided"
    CONFORMS = "all required cases conform"


@dataclass(frozen=True)
class Headline:
    """The result of a run in a few words.

    Attributes:
        verdict: determines sign and colour.
        text: for a badge, such as ``3 must deviate``.
    """

    verdict: Verdict
    text: str


@dataclass(frozen=True)
class RunResults:
    """The results of a run, for its conclusion.

    Attributes:
        results: of all cases that were run.
        strict: whether ``should`` cases are required, too.
        stale_entries: the number of stale known deviations that belong to no result.
    """

    results: Sequence[CaseResult]
    strict: bool
    stale_entries: int = 0

    @property
    def conclusion(self) -> Conclusion:
        """The conclusion of the run; it determines the exit code."""
        verdicts = {result.verdict for result in self._failing if self._is_required(result)}
        if Verdict.DEVIATES in verdicts:
            return Conclusion.DEVIATES
        if verdicts:
            return Conclusion.UNDECIDED
        if self._failing or self.stale_entries:
            return Conclusion.STALE_LIST
        if any(map(self._is_required, self._known)):
            return Conclusion.KNOWN_ONLY
        return Conclusion.CONFORMS if self._conforming else Conclusion.NOTHING_REQUIRED

    @property
    def sentence(self) -> str:
        """The result of the run in a sentence."""
        known = f"; {_cases(len(self._known))} known" if self._known else ""
        required = Counter(result.verdict for result in self._failing if self._is_required(result))
        match self.conclusion:
            case Conclusion.DEVIATES:
                return f"does not conform: {_cases(required[Verdict.DEVIATES], 'required')} failed{known}"
            case Conclusion.UNDECIDED:
                return f"undecided: {_cases(required.total(), 'required')} could not be decided{known}"
            case Conclusion.STALE_LIST:
                stale = len(self._failing) + self.stale_entries
                return f"the list of known deviations has {stale} stale entr{'y' if stale == 1 else 'ies'}{known}"
            case Conclusion.KNOWN_ONLY:
                counts = f"({_cases(len(self._known))} listed, {self._conforming} conform)"
                deviate = any(result.verdict is Verdict.DEVIATES for result in filter(self._is_required, self._known))
                return f"does not conform, known deviations only {counts}" if deviate else f"undecided, known {counts}"
            case Conclusion.NOTHING_REQUIRED:
                failed = self._failed_by_level
                return f"no required case was decided; {failed}{known}" if failed else f"no case was decided{known}"
            case Conclusion.CONFORMS:
                failed = f"; {self._failed_by_level}" if self._failed_by_level else ""
                return f"conforms ({self._decided(always=True)}){failed}{known}"

    @property
    def headline(self) -> Headline:
        """The result of the run in a few words."""
        deviating = [result for result in self.results if result.verdict is Verdict.DEVIATES]
        verdict = Verdict.INCONCLUSIVE
        match self.conclusion:
            case Conclusion.DEVIATES:
                failing = [result for result in self._failing if result.verdict is Verdict.DEVIATES]
                verdict, text = Verdict.DEVIATES, _deviate(failing)
            case Conclusion.UNDECIDED:
                text = "undecided"
            case Conclusion.STALE_LIST:
                text = "stale known deviations"
            case Conclusion.KNOWN_ONLY if required := list(filter(self._is_required, deviating)):
                verdict, text = Verdict.DEVIATES, f"{_deviate(required)}, known"
            case Conclusion.KNOWN_ONLY:
                text = "undecided, known"
            case Conclusion.NOTHING_REQUIRED:
                text = f"{_deviate(deviating)}, no must decided" if deviating else "no case decided"
            case Conclusion.CONFORMS:
                decided = f" in {self._decided()}" if self._decided() else ""
                aside = f", {_deviate(deviating)}" if deviating else ""
                verdict, text = Verdict.CONFORMS, f"conforms{decided}{aside}"
        return Headline(verdict, text)

    @property
    def _failing(self) -> list[CaseResult]:
        return [result for result in self.results if result.fails(strict=self.strict)]

    @property
    def _known(self) -> list[CaseResult]:
        return [result for result in self.results if result.standing is Standing.KNOWN]

    @property
    def _conforming(self) -> int:
        return sum(result.verdict is Verdict.CONFORMS for result in self.results)

    @property
    def _failed_by_level(self) -> str:
        """The number of deviating cases per level that don't fail the run, such as ``2 should cases deviate``."""
        unlisted = [result for result in self.results if result.standing is Standing.UNLISTED]
        counts = Counter(result.effective_level for result in unlisted if result.verdict is Verdict.DEVIATES)
        verbs = {level: "deviates" if counts[level] == 1 else "deviate" for level in Level}
        return ", ".join(f"{_cases(counts[level], level.value)} {verbs[level]}" for level in Level if counts[level])

    def _is_required(self, result: CaseResult) -> bool:
        """Whether a result would fail the run without a list of known deviations."""
        return fails(result.verdict, result.effective_level, Standing.UNLISTED, strict=self.strict)

    def _decided(self, *, always: bool = False) -> str:
        """The number of decided cases; empty if all were decided, unless ``always``."""
        verdicts = Counter(result.verdict for result in self.results if result.effective_level is not Level.OBSERVE)
        decided, total = (
            verdicts[Verdict.CONFORMS] + verdicts[Verdict.DEVIATES],
            verdicts.total(),
        )
        if not always:
            return f"{decided} of {total}" if decided < total else ""
        return f"{f'{decided} of ' if decided < total else ''}{_cases(total)} decided"


def _cases(number: int, kind: str = "") -> str:
    return plural(number, f"{kind} case".strip())


def _deviate(deviating: Iterable[CaseResult]) -> str:
    """``3 must, 1 should deviate``."""
    counts = Counter(result.effective_level for result in deviating)
    parts = [f"{counts[level]} {level.value}" for level in Level if counts[level]]
    return f"{', '.join(parts)} deviate{'s' if counts.total() == 1 else ''}"
