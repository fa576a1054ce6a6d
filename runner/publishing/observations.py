"""What databases did where the specification is silent, side by side; and how long their sessions took to end."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median, quantiles

from runner.execution.verdict import CaseResult, Ending, Verdict
from runner.language.model import Level
from runner.publishing import texts
from runner.publishing.subjects import Subject

_MOST = 26
"""Outcomes of one case that are told apart; a record with more was not made by the suite."""
_FEWEST = 2
"""Ends of sessions at one case from which times are worth a table."""


@dataclass(frozen=True)
class Shown:
    """How often one target came to an outcome, and of how many times."""

    subject: Subject
    count: int
    total: int


@dataclass(frozen=True)
class Outcome:
    """One thing that came, and which targets it came from."""

    letter: str
    name: str
    shown: tuple[Shown, ...]
    everywhere: bool
    """Whether every target came to it, each time."""


@dataclass(frozen=True)
class Observation:
    """A case that observes, at all targets."""

    case: CaseResult
    anchor: str
    outcomes: tuple[Outcome, ...]
    others: tuple[tuple[Subject, CaseResult], ...]
    """Targets at which it was not observed: inconclusive, not applicable, or deviating."""

    @property
    def differs(self) -> bool:
        """Whether two targets came to different outcomes, however often."""
        sets: dict[str, set[str]] = {}
        for outcome in self.outcomes:
            for shown in outcome.shown:
                sets.setdefault(shown.subject.slug, set()).add(outcome.letter)
        return len({frozenset(letters) for letters in sets.values()}) > 1


def observations(subjects: Sequence[Subject]) -> list[Observation]:
    """The cases of level observe, in the records' order."""
    cases: dict[str, CaseResult] = {}
    for subject in subjects:
        for result in subject.record.results:
            if result.level is Level.OBSERVE:
                cases.setdefault(result.name, result)
    return [_observation(subjects, case) for case in cases.values()]


def _observation(subjects: Sequence[Subject], case: CaseResult) -> Observation:
    found: dict[str, list[Shown]] = {}
    others: list[tuple[Subject, CaseResult]] = []
    for subject in subjects:
        result = subject.results.get(case.name)
        if result is None:
            continue
        if result.verdict is not Verdict.OBSERVED:
            others.append((subject, result))
            continue
        total = sum(result.observed.values())
        for name, count in sorted(result.observed.items(), key=lambda pair: (-pair[1], pair[0])):
            if name in found or len(found) < _MOST:
                found.setdefault(name, []).append(Shown(subject, count, total))
    outcomes = tuple(
        Outcome(
            chr(ord("a") + place),
            name,
            tuple(shown),
            everywhere=len(shown) == len(subjects) and all(entry.count == entry.total for entry in shown),
        )
        for place, (name, shown) in enumerate(found.items())
    )
    return Observation(case, texts.anchor(case.name), outcomes, tuple(others))


def letters(subjects: Sequence[Subject], observed: Iterable[Observation]) -> dict[tuple[str, int], str]:
    """The letters of the outcomes that each target showed, by the case's name and the target's place."""
    places = {subject.slug: place for place, subject in enumerate(subjects)}
    found: dict[tuple[str, int], str] = {}
    for observation in observed:
        for outcome in observation.outcomes:
            for shown in outcome.shown:
                key = (observation.case.name, places[shown.subject.slug])
                found[key] = found.get(key, "") + outcome.letter
    return found


@dataclass(frozen=True)
class Spread:
    """How times lie, in milliseconds."""

    least: float
    lower: float
    middle: float
    upper: float
    most: float

    @classmethod
    def of(cls, times: Sequence[float]) -> Spread | None:
        """The spread of these times, of none at all None."""
        if not times:
            return None
        lower, _, upper = quantiles(times, n=4, method="inclusive") if len(times) > 1 else (times[0],) * 3
        return cls(min(times), lower, median(times), upper, max(times))


@dataclass(frozen=True)
class Timing:
    """How long after the statement's answer one target's connections and rows were seen gone."""

    subject: Subject
    number: int
    connection: Spread
    row: Spread | None


@dataclass(frozen=True)
class Timings:
    """The same at all targets, for all cases or for one."""

    title: str
    anchor: str
    of: tuple[Timing, ...]


def timings(subjects: Sequence[Subject], observed: Iterable[Observation]) -> list[Timings]:
    """Of all ends of sessions, then of the cases that look several times."""
    every = [(subject, [end for result in subject.record.results for end in result.endings]) for subject in subjects]
    found = [Timings("All cases in which a session ended", "", _timing(every))]
    for observation in observed:
        one = [
            (subject, list(result.endings))
            for subject in subjects
            if (result := subject.results.get(observation.case.name))
        ]
        if any(len(ends) >= _FEWEST for _, ends in one):
            found.append(Timings(observation.case.title, observation.anchor, _timing(one)))
    return [table for table in found if table.of]


def _timing(ends: Iterable[tuple[Subject, list[Ending]]]) -> tuple[Timing, ...]:
    rows = []
    for subject, endings in ends:
        connection = Spread.of([end.connection_ms for end in endings if end.connection_ms is not None])
        if connection is not None:
            row = Spread.of([end.row_ms for end in endings if end.row_ms is not None])
            rows.append(Timing(subject, len(endings), connection, row))
    return tuple(rows)


SCALE_WIDTH = 240
_DECADES = (-1, 5)  # from 0.1 ms to 100 s


def on_scale(value: float) -> float:
    """Where a time lies on the scale of the drawings, which grows by powers of ten."""
    least, most = _DECADES
    place = math.log10(max(value, 10.0**least)) if math.isfinite(value) else most
    return round(SCALE_WIDTH * (min(place, most) - least) / (most - least), 1)
