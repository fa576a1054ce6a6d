"""Counts verdicts by requirement and by level, and the statements that a profile spelled differently."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from runner.execution.case_result import CaseResult, Standing, Verdict
from runner.language.model import Level, Requirement


@dataclass(frozen=True)
class Tally:
    """The verdicts of one requirement's cases, counted; ``known`` is the number of known deviations among them."""

    requirement: Requirement
    verdicts: Counter[Verdict]
    known: int = 0

    @property
    def verdict(self) -> Verdict:
        """The requirement's verdict: the worst verdict of its cases."""
        for verdict in (Verdict.DEVIATES, Verdict.INCONCLUSIVE, Verdict.CONFORMS, Verdict.OBSERVED):
            if self.verdicts[verdict]:
                return verdict
        return Verdict.NOT_APPLICABLE

    @property
    def cell(self) -> str:
        """``conforms 9`` or ``DEVIATES 3/16``; ``known 3/16`` if all failures are known deviations."""
        verdict, total = self.verdict, self.verdicts.total()
        count = self.verdicts[verdict]
        word = verdict.value.upper() if verdict.failed else verdict.value
        wrong = self.verdicts[Verdict.DEVIATES] + self.verdicts[Verdict.INCONCLUSIVE]
        word = "known" if self.known and self.known == wrong else word
        word = "n/a" if verdict is Verdict.NOT_APPLICABLE else word
        return f"{word} {count}{'' if count == total else f'/{total}'}"


def tally(results: Iterable[CaseResult], requirements: Mapping[str, Requirement]) -> list[Tally]:
    """The verdicts by requirement, in the register's order; without requirements that have no result."""
    counted: dict[str, Counter[Verdict]] = {}
    known: Counter[str] = Counter()
    for result in results:
        counted.setdefault(result.requirement, Counter())[result.verdict] += 1
        known[result.requirement] += result.standing is Standing.KNOWN
    return [Tally(requirements[name], counted[name], known[name]) for name in requirements if name in counted]


def respellings(results: Iterable[CaseResult]) -> dict[tuple[str, str], int]:
    """The statements that were replaced by a spelling, the sent statement, and the number of cases."""
    return dict(Counter(pair for result in results for pair in result.respelled.items()))


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
        counted[result.effective_level][result.verdict] += 1
    return [Score(level, verdicts) for level, verdicts in counted.items()]
