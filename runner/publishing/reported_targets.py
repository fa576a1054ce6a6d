"""The targets of a report: reads and compares their records, and gives each target a title and a file name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from runner.execution.case_result import CaseResult
from runner.language.model import Specification
from runner.publishing import wording
from runner.reporting import counts, escaping
from runner.reporting.conclusion import Headline, RunResults
from runner.reporting.counts import Score, Tally, tally
from runner.reporting.joined_records import read_run
from runner.reporting.record import Record, RecordError

_TITLE = 80
_PAGES = ("index", "report")
_DISTINGUISHING: tuple[Callable[[Record], str], ...] = (
    lambda record: record.target.version,
    lambda record: record.target.profile,
    lambda record: record.target.route,
    lambda record: f"run of {record.run.started[:16].replace('T', ' ')}",
)


class PublishingError(ValueError):
    """The records can't be used for one report; the message has the reason and the fix."""


@dataclass(frozen=True)
class ReportedTarget:
    """A target in a report, with the record of its run.

    Attributes:
        title: the unique name of the target in the report.
        slug: the name of its files without suffix.
    """

    record: Record
    title: str
    slug: str

    @property
    def page(self) -> str:
        """The file name of its page."""
        return f"{self.slug}.html"

    @property
    def tested(self) -> str:
        """The titles of the specifications that were tested."""
        return wording.tested(self.record.specifications)

    @cached_property
    def headline(self) -> Headline:
        """The result of the run in a few words."""
        return wording.headline(self.record)

    @property
    def conclusion(self) -> str:
        """The result of the run in a sentence, as shown on the screen."""
        return RunResults(self.record.results, strict=self.record.run.strict).sentence

    @cached_property
    def scores(self) -> list[Score]:
        """The verdicts counted by level."""
        return counts.scores(self.record.results)

    @cached_property
    def tallies(self) -> dict[str, Tally]:
        """The verdicts of its requirements, by id."""
        return {entry.requirement.id: entry for entry in tally(self.record.results, dict(self.record.requirements))}

    @cached_property
    def results(self) -> dict[str, CaseResult]:
        """Its results by the name of the case."""
        return {result.name: result for result in self.record.results}

    @property
    def left_out(self) -> int:
        """The number of deselected cases."""
        return max(0, self.record.run.cases - len(self.record.results))


def read_targets(paths: Sequence[Path], *, mixed: bool) -> list[ReportedTarget]:
    """Reads the records of a report.

    Args:
        paths: the records, in the order of the report.
        mixed: whether records of different cases are accepted.

    Raises:
        RecordError: a file is not a record, contradicts itself, or is of a run that was cut off.
        PublishingError: the records were made with different cases.
    """
    records = [_checked(path, read_run(path)) for path in paths]
    digests = dict.fromkeys(map(_digest, records))
    if len(digests) > 1 and not mixed:
        groups = "\n".join(
            f"  {escaping.one_line(digest, 80)}: "
            + ", ".join(str(path) for path, record in zip(paths, records, strict=True) if _digest(record) == digest)
            for digest in digests
        )
        raise PublishingError(
            "these records were made with different cases, so their verdicts can't be compared:\n"
            f"{groups}\nrun the suite again with the same cases, or add --mixed, which marks the report as mixed"
        )
    targets: list[ReportedTarget] = []
    for record, title in zip(records, _titles(records), strict=True):
        taken = {*_PAGES, *(target.slug for target in targets)}
        targets.append(ReportedTarget(record, title, escaping.slug(title, taken)))
    return targets


def specifications_of(targets: Iterable[ReportedTarget]) -> tuple[Specification, ...]:
    """The specifications of the requirements in these runs."""
    return tuple(dict.fromkeys(each for target in targets for each in target.record.specifications))


def _digest(record: Record) -> str:
    return record.run.cases_digest


def _checked(path: Path, record: Record) -> Record:
    names = set()
    for result in record.results:
        requirement = record.requirements.get(result.requirement)
        if requirement is None or requirement.level is not result.level:
            raise RecordError(
                f"{path}: the case {escaping.one_line(result.name, 100)} is of "
                f"{escaping.one_line(result.requirement, 40)} ({result.level.value}), which is no requirement in it: "
                "the file was edited; run the suite again"
            )
        if result.name in names:
            raise RecordError(
                f"{path} has two results of the case {escaping.one_line(result.name, 100)}: the file was edited; "
                "run the suite again"
            )
        names.add(result.name)
    return record


def _titles(records: Sequence[Record]) -> list[str]:
    """A unique title for each record: the target's name, if needed with a property that differs, or with a number."""
    titles = [escaping.one_line(record.target.name.strip() or "target without a name", _TITLE) for record in records]
    for title in [name for name in dict.fromkeys(titles) if titles.count(name) > 1]:
        places = [place for place, other in enumerate(titles) if other == title]
        for value_of in _DISTINGUISHING:
            values = [escaping.one_line(value_of(records[place]), _TITLE) for place in places]
            if len(set(values)) == len(values):
                break
        else:
            values = [f"run {number}" for number in range(1, len(places) + 1)]
        for place, what in zip(places, values, strict=True):
            titles[place] = f"{title} ({what})"
    if len(set(titles)) < len(titles):  # a target's name equals the new title of another one
        titles = [f"{number}. {title}" for number, title in enumerate(titles, 1)]
    return titles
