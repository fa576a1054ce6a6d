"""The records that a report is made of: read, checked against each other, each with a title and a file name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from runner.execution.verdict import CaseResult
from runner.language.model import Specification
from runner.publishing import texts, wording
from runner.publishing.wording import Score, Standing
from runner.reporting.parts import read_run
from runner.reporting.record import Record, RecordError
from runner.reporting.summary import Tally, conclusion, tally

_TITLE = 80
_PAGES = ("index", "report")
_TELLS_APART: tuple[Callable[[Record], str], ...] = (
    lambda record: record.target.version,
    lambda record: record.target.profile,
    lambda record: record.target.route,
    lambda record: f"run of {record.run.started[:16].replace('T', ' ')}",
)


class PublishingError(ValueError):
    """These records make no report; the message says why, and what to do."""


@dataclass(frozen=True)
class Subject:
    """One run as the report shows it.

    Attributes:
        title: what the report calls the target; no other subject has it.
        slug: its files' name without the ending.
    """

    record: Record
    title: str
    slug: str

    @property
    def page(self) -> str:
        """Its page's file name."""
        return f"{self.slug}.html"

    @cached_property
    def standing(self) -> Standing:
        """The run in a few words."""
        return wording.standing(self.record)

    @property
    def conclusion(self) -> str:
        """The run in a sentence, as its screen said it."""
        return conclusion(list(self.record.results), strict=self.record.run.strict)

    @cached_property
    def scores(self) -> list[Score]:
        """Counts by level."""
        return wording.scores(self.record.results)

    @cached_property
    def tallies(self) -> dict[str, Tally]:
        """Its requirements by id."""
        return {entry.requirement.id: entry for entry in tally(self.record.results, dict(self.record.requirements))}

    @cached_property
    def results(self) -> dict[str, CaseResult]:
        """Its results by the case's name."""
        return {result.name: result for result in self.record.results}

    @property
    def left_out(self) -> int:
        """How many cases were deselected."""
        return max(0, self.record.run.cases - len(self.record.results))


def read_subjects(paths: Sequence[Path], *, mixed: bool) -> list[Subject]:
    """Reads the records of a report.

    Args:
        paths: the records, in the order of the report.
        mixed: whether records of different cases will do.

    Raises:
        RecordError: a file is no record, or one that contradicts itself, or the run was cut off.
        PublishingError: the records were made with different cases.
    """
    records = [_checked(path, read_run(path)) for path in paths]
    digests = dict.fromkeys(map(_digest, records))
    if len(digests) > 1 and not mixed:
        groups = "\n".join(
            f"  {texts.line(digest, 80)}: "
            + ", ".join(str(path) for path, record in zip(paths, records, strict=True) if _digest(record) == digest)
            for digest in digests
        )
        raise PublishingError(
            "these records were made with different cases, so their verdicts can't be compared:\n"
            f"{groups}\nrun the suite again with the same cases, or add --mixed, which marks the report as mixed"
        )
    subjects: list[Subject] = []
    for record, title in zip(records, _titles(records), strict=True):
        taken = {*_PAGES, *(subject.slug for subject in subjects)}
        subjects.append(Subject(record, title, texts.slug(title, taken)))
    return subjects


def specifications_of(subjects: Iterable[Subject]) -> tuple[Specification, ...]:
    """The documents that the requirements of these runs number."""
    return tuple(dict.fromkeys(each for subject in subjects for each in subject.record.specifications))


def _digest(record: Record) -> str:
    return record.run.cases_digest


def _checked(path: Path, record: Record) -> Record:
    names = set()
    for result in record.results:
        requirement = record.requirements.get(result.requirement)
        if requirement is None or requirement.level is not result.level:
            raise RecordError(
                f"{path}: the case {texts.line(result.name, 100)} is of {texts.line(result.requirement, 40)} "
                f"({result.level.value}), which is no requirement in it: the file was edited; run the suite again"
            )
        if result.name in names:
            raise RecordError(
                f"{path} has two results of the case {texts.line(result.name, 100)}: the file was edited; "
                "run the suite again"
            )
        names.add(result.name)
    return record


def _titles(records: Sequence[Record]) -> list[str]:
    """A title each, no two alike: where names are, with the first thing that tells them all apart, or a number."""
    titles = [texts.line(record.target.name.strip() or "target without a name", _TITLE) for record in records]
    for title in [name for name in dict.fromkeys(titles) if titles.count(name) > 1]:
        places = [place for place, other in enumerate(titles) if other == title]
        for tell in _TELLS_APART:
            told = [texts.line(tell(records[place]), _TITLE) for place in places]
            if len(set(told)) == len(told):
                break
        else:
            told = [f"run {number}" for number in range(1, len(places) + 1)]
        for place, what in zip(places, told, strict=True):
            titles[place] = f"{title} ({what})"
    if len(set(titles)) < len(titles):  # somebody called a target what another one is called now
        titles = [f"{number}. {title}" for number, title in enumerate(titles, 1)]
    return titles
