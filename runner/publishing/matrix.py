"""The matrix of a report: requirements by targets, and for each requirement its cases by targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runner.execution.case_result import CaseResult, Verdict
from runner.language.model import Level, Requirement
from runner.publishing.reported_targets import ReportedTarget
from runner.reporting import escaping


@dataclass(frozen=True)
class Cell:
    """The verdict of one target for one requirement or case.

    Attributes:
        link: the URL of the evidence.
        count: the number of the requirement's cases with this verdict.
        total: the number of the requirement's cases.
        letters: the outcomes of a case of level observe, with the letters of ``observations``.
    """

    verdict: Verdict
    link: str
    count: int = 1
    total: int = 1
    letters: str = ""

    @property
    def shown_count(self) -> str:
        """``9``, or ``3/16`` if the other cases have another verdict."""
        return str(self.count) if self.count == self.total else f"{self.count}/{self.total}"


@dataclass(frozen=True)
class CaseRow:
    """A case with a cell per target; None: the target's record has no result."""

    name: str
    title: str
    anchor: str
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True)
class Row:
    """A requirement with a cell per target."""

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
        """Whether targets have different results for one of its cases."""
        return any(
            len({(cell.verdict, cell.letters) for cell in case.cells if cell is not None}) > 1 for case in self.cases
        )


def requirement_rows(targets: Sequence[ReportedTarget], letters: dict[tuple[str, int], str]) -> dict[Level, list[Row]]:
    """The rows by level, in the order of the registers. In mixed records, a requirement with two levels has two rows.

    Args:
        targets: the columns.
        letters: the letters of the observed outcomes, by the case's name and the number of the target's column.
    """
    known: dict[tuple[str, Level], Requirement] = {}
    names: dict[tuple[str, Level], dict[str, CaseResult]] = {}
    for target in targets:
        for requirement in target.record.requirements.values():
            known.setdefault((requirement.id, requirement.level), requirement)
        for result in target.record.results:
            names.setdefault((result.requirement, result.level), {}).setdefault(result.name, result)
    rows: dict[Level, list[Row]] = {level: [] for level in Level}
    for key, requirement in known.items():
        if key in names:
            cases = tuple(_case(targets, result, letters) for result in names[key].values())
            rows[requirement.level].append(Row(requirement, _requirement(targets, requirement), cases))
    return rows


def _requirement(targets: Sequence[ReportedTarget], requirement: Requirement) -> tuple[Cell | None, ...]:
    cells: list[Cell | None] = []
    for target in targets:
        found = target.tallies.get(requirement.id)
        if found is None or found.requirement.level is not requirement.level:
            cells.append(None)
            continue
        link = f"{target.page}#requirement={escaping.anchor(requirement.id)}"
        cells.append(Cell(found.verdict, link, found.verdicts[found.verdict], found.verdicts.total()))
    return tuple(cells)


def _case(targets: Sequence[ReportedTarget], case: CaseResult, letters: dict[tuple[str, int], str]) -> CaseRow:
    name = escaping.anchor(case.name)
    cells: list[Cell | None] = []
    for column, target in enumerate(targets):
        result = target.results.get(case.name)
        if result is None or (result.requirement, result.level) != (case.requirement, case.level):
            cells.append(None)
        else:
            link = f"{target.page}#case={name}"
            cells.append(Cell(result.verdict, link, letters=letters.get((case.name, column), "")))
    return CaseRow(case.name, case.title, name, tuple(cells))
