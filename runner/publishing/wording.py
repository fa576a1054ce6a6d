"""The words and signs of a report. No information is shown by colour only, and no percentage without counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from runner.execution.case_result import CaseResult, Verdict
from runner.language.model import Level, Specification
from runner.reporting.conclusion import Headline, RunResults
from runner.reporting.record import Record

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


def tested(specifications: Iterable[Specification]) -> str:
    """The titles of the specifications that were tested."""
    return " and ".join(dict.fromkeys(specification.title for specification in specifications))


def headline(record: Record) -> Headline:
    """The text of a badge: the reason of the exit code, and whether cases were deselected."""
    results = record.results
    part = f" ({len(results)} of {record.run.cases} cases)" if len(results) < record.run.cases else ""
    whole = RunResults(results, strict=record.run.strict).headline
    return replace(whole, text=f"{whole.text}{part}")


@dataclass(frozen=True)
class Score:
    """The verdicts of the cases that bind like one level."""

    level: Level
    verdicts: Counter[Verdict]

    @property
    def conforming(self) -> int:
        """The number of cases that conform."""
        return self.verdicts[Verdict.CONFORMS]

    @property
    def decided(self) -> int:
        """The number of cases that conform or deviate: the base of the percentage."""
        return self.conforming + self.verdicts[Verdict.DEVIATES]

    @property
    def share(self) -> str:
        """The percentage of decided cases that conform, rounded down; empty if none was decided."""
        tenths = 1000 * self.conforming // self.decided if self.decided else 0
        return f"{tenths / 10:g} %" if self.decided else ""


def scores(results: Iterable[CaseResult]) -> list[Score]:
    """The score of each level; a case in which an unrelated session was killed counts as a must."""
    counted: dict[Level, Counter[Verdict]] = {level: Counter() for level in Level}
    for result in results:
        counted[result.binding][result.verdict] += 1
    return [Score(level, verdicts) for level, verdicts in counted.items()]


def milliseconds(value: float) -> str:
    """A time in milliseconds as text, in ms or s."""
    return f"{value / 1000:.1f} s" if value >= 1000 else f"{value:.1f} ms"  # noqa: PLR2004 - a second
