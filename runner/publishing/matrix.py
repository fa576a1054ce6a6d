"""The matrix: requirements by targets, and behind each requirement its cases by targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runner.execution.verdict import CaseResult, Verdict
from runner.language.model import Level, Requirement
from runner.publishing import texts
from runner.publishing.subjects import Subject


@dataclass(frozen=True)
class Cell:
    """What one target came to at one requirement or case.

    Attributes:
        count: of how many of the requirement's cases ``verdict`` is said, and of how many cases in all.
        link: where the evidence is.
        letters: for a case that observes: the outcomes, by the letters that ``observations`` gives them.
    """

    verdict: Verdict
    link: str
    count: int = 1
    total: int = 1
    letters: str = ""

    @property
    def shown_count(self) -> str:
        """``9``, or ``3/16`` where the other cases came to something else."""
        return str(self.count) if self.count == self.total else f"{self.count}/{self.total}"


@dataclass(frozen=True)
class CaseRow:
    """A case at all targets; None where a target's record has no result."""

    name: str
    title: str
    anchor: str
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True)
class Row:
    """A requirement at all targets."""

    requirement: Requirement
    cells: tuple[Cell | None, ...]
    cases: tuple[CaseRow, ...]

    @property
    def verdicts(self) -> list[str]:
        """The verdicts of its cases, each once."""
        found = {cell.verdict for case in self.cases for cell in case.cells if cell}
        return [verdict.value for verdict in Verdict if verdict in found]

    @property
    def differs(self) -> bool:
        """Whether targets came to different things at one of its cases."""
        return any(
            len({(cell.verdict, cell.letters) for cell in case.cells if cell is not None}) > 1 for case in self.cases
        )


def requirement_rows(subjects: Sequence[Subject], letters: dict[tuple[str, int], str]) -> dict[Level, list[Row]]:
    """The rows by level, in the registers' order. With mixed records, a requirement of two levels has two rows.

    Args:
        subjects: the columns.
        letters: the outcomes that a target showed at a case, by the case's name and the target's place.
    """
    known: dict[tuple[str, Level], Requirement] = {}
    names: dict[tuple[str, Level], dict[str, CaseResult]] = {}
    for subject in subjects:
        for requirement in subject.record.requirements.values():
            known.setdefault((requirement.id, requirement.level), requirement)
        for result in subject.record.results:
            names.setdefault((result.requirement, result.level), {}).setdefault(result.name, result)
    rows: dict[Level, list[Row]] = {level: [] for level in Level}
    for key, requirement in known.items():
        if key in names:
            cases = tuple(_case(subjects, result, letters) for result in names[key].values())
            rows[requirement.level].append(Row(requirement, _requirement(subjects, requirement), cases))
    return rows


def _requirement(subjects: Sequence[Subject], requirement: Requirement) -> tuple[Cell | None, ...]:
    cells: list[Cell | None] = []
    for subject in subjects:
        found = subject.tallies.get(requirement.id)
        if found is None or found.requirement.level is not requirement.level:
            cells.append(None)
            continue
        link = f"{subject.page}#requirement={texts.anchor(requirement.id)}"
        cells.append(Cell(found.verdict, link, found.verdicts[found.verdict], found.verdicts.total()))
    return tuple(cells)


def _case(subjects: Sequence[Subject], case: CaseResult, letters: dict[tuple[str, int], str]) -> CaseRow:
    name = texts.anchor(case.name)
    cells: list[Cell | None] = []
    for place, subject in enumerate(subjects):
        result = subject.results.get(case.name)
        if result is None or (result.requirement, result.level) != (case.requirement, case.level):
            cells.append(None)
        else:
            link = f"{subject.page}#case={name}"
            cells.append(Cell(result.verdict, link, letters=letters.get((case.name, place), "")))
    return CaseRow(case.name, case.title, name, tuple(cells))
