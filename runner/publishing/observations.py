"""The observations of all targets side by side, and the times that killed sessions took to end."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from runner.execution.case_result import CaseResult, Ending, Verdict
from runner.language.model import Level
from runner.publishing.reported_targets import ReportedTarget
from runner.reporting import escaping
from runner.reporting.ending_times import EndingTimes

_MOST = 26
"""The most outcomes of one case that have letters; the suite writes no record with more."""
_FEWEST = 2
"""The ended sessions of one case from which on a table shows their times."""


@dataclass(frozen=True)
class OutcomeCount:
    """How often one target had an outcome, and in how many repetitions."""

    target: ReportedTarget
    count: int
    total: int


@dataclass(frozen=True)
class ObservedOutcome:
    """An outcome, and the targets that had it."""

    letter: str
    name: str
    shown: tuple[OutcomeCount, ...]
    everywhere: bool
    """Whether all targets had it in each repetition."""


@dataclass(frozen=True)
class Observation:
    """A case of level observe on all targets."""

    case: CaseResult
    anchor: str
    outcomes: tuple[ObservedOutcome, ...]
    others: tuple[tuple[ReportedTarget, CaseResult], ...]
    """The targets on which it is inconclusive, not applicable, or deviates."""

    @property
    def differs(self) -> bool:
        """Whether two targets have different sets of outcomes."""
        sets: dict[str, set[str]] = {}
        for outcome in self.outcomes:
            for shown in outcome.shown:
                sets.setdefault(shown.target.slug, set()).add(outcome.letter)
        return len({frozenset(letters) for letters in sets.values()}) > 1


def observations(targets: Sequence[ReportedTarget]) -> list[Observation]:
    """The cases of level observe, in the order of the records."""
    cases: dict[str, CaseResult] = {}
    for target in targets:
        for result in target.record.results:
            if result.level is Level.OBSERVE:
                cases.setdefault(result.name, result)
    return [_observation(targets, case) for case in cases.values()]


def _observation(targets: Sequence[ReportedTarget], case: CaseResult) -> Observation:
    found: dict[str, list[OutcomeCount]] = {}
    others: list[tuple[ReportedTarget, CaseResult]] = []
    for target in targets:
        result = target.results.get(case.name)
        if result is None:
            continue
        if result.verdict is not Verdict.OBSERVED:
            others.append((target, result))
            continue
        total = sum(result.observed.values())
        for name, count in sorted(result.observed.items(), key=lambda pair: (-pair[1], pair[0])):
            if name in found or len(found) < _MOST:
                found.setdefault(name, []).append(OutcomeCount(target, count, total))
    outcomes = tuple(
        ObservedOutcome(
            chr(ord("a") + place),
            name,
            tuple(shown),
            everywhere=len(shown) == len(targets) and all(entry.count == entry.total for entry in shown),
        )
        for place, (name, shown) in enumerate(found.items())
    )
    return Observation(case, escaping.anchor(case.name), outcomes, tuple(others))


def letters(targets: Sequence[ReportedTarget], observed: Iterable[Observation]) -> dict[tuple[str, int], str]:
    """The letters of each target's outcomes, by the case's name and the number of the target's column."""
    columns = {target.slug: column for column, target in enumerate(targets)}
    found: dict[tuple[str, int], str] = {}
    for observation in observed:
        for outcome in observation.outcomes:
            for shown in outcome.shown:
                key = (observation.case.name, columns[shown.target.slug])
                found[key] = found.get(key, "") + outcome.letter
    return found


@dataclass(frozen=True)
class Timing:
    """The times from the reply to the statement until connections and rows of one target were gone."""

    target: ReportedTarget
    number: int
    ends: EndingTimes


@dataclass(frozen=True)
class Timings:
    """The times of all targets, for one case or all cases."""

    title: str
    anchor: str
    of: tuple[Timing, ...]


def timings(targets: Sequence[ReportedTarget], observed: Iterable[Observation]) -> list[Timings]:
    """The times for each case in which several sessions ended, in the order of the records; then for all cases."""
    found = []
    for observation in observed:
        one = _timing(
            (target, result.endings)
            for target in targets
            if (result := target.results.get(observation.case.name)) is not None
        )
        if any(timing.number >= _FEWEST for timing in one):
            found.append(Timings(observation.case.title, observation.anchor, one))
    every = _timing((target, [end for result in target.record.results for end in result.endings]) for target in targets)
    return [*found, Timings("All cases in which a session ended", "", every)] if every else found


def _timing(endings: Iterable[tuple[ReportedTarget, Sequence[Ending]]]) -> tuple[Timing, ...]:
    rows = (Timing(target, len(of), EndingTimes.of(of)) for target, of in endings)
    return tuple(row for row in rows if row.ends.connection or row.ends.row)


SCALE_WIDTH = 240
_DECADES = (-1, 5)  # from 0.1 ms to 100 s


def on_scale(value: float) -> float:
    """The position of a time (in milliseconds) on the logarithmic scale of the drawings."""
    least, most = _DECADES
    place = math.log10(max(value, 10.0**least)) if math.isfinite(value) else most
    return round(SCALE_WIDTH * (min(place, most) - least) / (most - least), 1)
