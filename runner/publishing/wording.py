"""The words and signs of a report: never a colour alone, never a percentage without its counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from runner.execution.verdict import CaseResult, Verdict
from runner.language.model import Level
from runner.reporting.record import Record

SUBJECT = "KILL SESSION"

SIGNS = {
    Verdict.CONFORMS: "✓",
    Verdict.DEVIATES: "✗",
    Verdict.INCONCLUSIVE: "?",
    Verdict.OBSERVED: "●",
    Verdict.NOT_APPLICABLE: "\N{EN DASH}",
}
MEANINGS = {
    Verdict.CONFORMS: "behaves as specified",
    Verdict.DEVIATES: "behaves differently",
    Verdict.INCONCLUSIVE: "could not be decided because of the environment",
    Verdict.OBSERVED: "the specification is silent: the outcome is recorded, and never fails the run",
    Verdict.NOT_APPLICABLE: "tests something that this kind of server doesn't have; the target's page has the reason",
}
LEVELS = {
    Level.MUST: "the specification states it",
    Level.SHOULD: "shown or implied by the specification; fails the run only with --strict",
    Level.OBSERVE: "the specification is silent; outcomes never fail the run",
}


@dataclass(frozen=True)
class Standing:
    """A run in a few words.

    Attributes:
        verdict: decides about sign and colour.
        text: for a badge, such as ``3 must deviate``.
    """

    verdict: Verdict
    text: str


def standing(record: Record) -> Standing:
    """What a badge says: what the exit code rests on, and whether cases were left out."""
    results = record.results
    part = f" ({len(results)} of {record.run.cases} cases)" if len(results) < record.run.cases else ""
    failing = [result for result in results if result.fails(strict=record.run.strict)]
    deviating = [result for result in failing if result.verdict is Verdict.DEVIATES]
    if deviating:
        return Standing(Verdict.DEVIATES, f"{_by_level(deviating)}{part}")
    if failing:
        return Standing(Verdict.INCONCLUSIVE, f"undecided{part}")
    aside = [result for result in results if result.verdict is Verdict.DEVIATES]
    if not any(result.verdict is Verdict.CONFORMS for result in results):
        text = f"{_by_level(aside)}, no must decided" if aside else "no case decided"
        return Standing(Verdict.INCONCLUSIVE, f"{text}{part}")
    return Standing(Verdict.CONFORMS, f"conforms{_decided(results)}{f', {_by_level(aside)}' if aside else ''}{part}")


def _decided(results: Iterable[CaseResult]) -> str:
    """How much a target was found to conform in, where that is not all that binds."""
    total = sum((score.verdicts for score in scores(results) if score.level is not Level.OBSERVE), Counter[Verdict]())
    decided = total[Verdict.CONFORMS] + total[Verdict.DEVIATES]
    return f" in {decided} of {total.total()}" if decided < total.total() else ""


def _by_level(deviating: Iterable[CaseResult]) -> str:
    counts = Counter(result.binding for result in deviating)
    parts = [f"{counts[level]} {level.value}" for level in Level if counts[level]]
    return f"{', '.join(parts)} deviate{'s' if counts.total() == 1 else ''}"


@dataclass(frozen=True)
class Score:
    """What became of the cases that bind at one level."""

    level: Level
    verdicts: Counter[Verdict]

    @property
    def conforming(self) -> int:
        """Cases that conform."""
        return self.verdicts[Verdict.CONFORMS]

    @property
    def decided(self) -> int:
        """Cases that conform or deviate: all that a percentage may be of."""
        return self.conforming + self.verdicts[Verdict.DEVIATES]

    @property
    def share(self) -> str:
        """Percentage of what was decided, rounded down: 100 % is said of all only. Empty if nothing was."""
        tenths = 1000 * self.conforming // self.decided if self.decided else 0
        return f"{tenths / 10:g} %" if self.decided else ""


def scores(results: Iterable[CaseResult]) -> list[Score]:
    """The score of each level; an end of a session that nobody named counts as a must."""
    counted: dict[Level, Counter[Verdict]] = {level: Counter() for level in Level}
    for result in results:
        counted[result.binding][result.verdict] += 1
    return [Score(level, verdicts) for level, verdicts in counted.items()]


def milliseconds(value: float) -> str:
    """A time as people read it."""
    return f"{value / 1000:.1f} s" if value >= 1000 else f"{value:.1f} ms"  # noqa: PLR2004 - a second
