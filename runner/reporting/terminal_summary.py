"""The summary of a run for the terminal: the lines about requirements, causes of failures, and leftovers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from runner.execution.case_result import CaseResult, Standing, Verdict
from runner.language.message_text import plural, shorten
from runner.language.model import Level
from runner.reporting.conclusion import LEVEL_MEANINGS
from runner.reporting.counts import Tally, respellings
from runner.reporting.ending_times import EndingTimes
from runner.reporting.placeholders import with_placeholders

_CELL = 26
_SHORT_ID = len("PUR-10")
_LONGEST_COUNT = len("INCONCLUSIVE 1/16 ")
_NOT_RUN = "not run: "
_LONGEST_REASON = 1000  # characters
_MOST_FINDINGS = 12
_MOST_NAMES = 4  # requirements that a line names
_MOST_LEFTOVERS = 3
_FEWEST_ENDS = 2  # of sessions, from which their durations are shown
_SPECIFIC = re.compile(r"KSC_\w+|[0-9]{2,}")  # names and ids, in which cases differ
_QUOTED = re.compile(r"""(?<!\w)(['"`]).*?\1+(?!\w)""", re.DOTALL)  # quoted text, too


def table_lines(tallies: list[Tally], width: int) -> Iterator[str]:
    """The requirements by level, in as many columns as fit in ``width`` characters."""
    ids = max(_SHORT_ID, *(len(entry.requirement.id) for entry in tallies)) + 1 if tallies else 0
    cell_width = max(_CELL, ids + _LONGEST_COUNT)
    columns = max(1, width // cell_width)
    for level in Level:
        cells = [f"{entry.requirement.id:<{ids}}{entry.cell}" for entry in tallies if entry.requirement.level is level]
        if cells:
            yield f"{level.value} ({LEVEL_MEANINGS[level]})"
        for start in range(0, len(cells), columns):
            yield "  " + "".join(f"{cell:<{cell_width - 1}} " for cell in cells[start : start + columns]).rstrip()


def finding_lines(results: list[CaseResult], width: int) -> Iterator[str]:
    """A line for each cause of a failure, required cases first; causes that differ only in quoted text count as one."""
    causes: dict[tuple[str, ...], list[CaseResult]] = {}
    for result in results:
        if result.failed:
            cause = _QUOTED.sub("?", _SPECIFIC.sub("?", _cause(result)))
            mark = "" if result.standing is Standing.UNLISTED else result.standing.value
            inconclusive = result.verdict is Verdict.INCONCLUSIVE  # then the requirement is irrelevant
            whose = () if inconclusive else (result.effective_level.value, result.requirement)
            key = (mark, result.verdict.value, cause, *whose)
            causes.setdefault(key, []).append(result)
    if len(causes) > _MOST_FINDINGS:  # too many for a screen: group without the requirement
        merged: dict[tuple[str, ...], list[CaseResult]] = {}
        for key, cases in causes.items():
            merged.setdefault(key[:4], []).extend(cases)
        causes = merged
    for cases in causes.values():
        cases.sort(key=lambda result: result.effective_level.rank)
    ordered = sorted(
        causes.values(),
        key=lambda cases: (cases[0].standing is Standing.KNOWN, cases[0].verdict.value, cases[0].effective_level.rank),
    )
    for cases in ordered[:_MOST_FINDINGS]:
        first = cases[0]
        quoted = {tuple(match[0] for match in _QUOTED.finditer(_SPECIFIC.sub("?", _cause(case)))) for case in cases}
        what = _cause(first) if len(quoted) == 1 else _QUOTED.sub("'…'", _cause(first))
        more = f" and {plural(len(cases) - 1, 'more case')}" if len(cases) > 1 else ""
        known = first.listing if first.standing is Standing.KNOWN else None
        verdict = f"known: {first.verdict.value}" if known else first.verdict.value.upper()
        why = f" ({known.reason})" if known else ""
        line = f"{verdict} {_whose(cases)} ({first.effective_level.value}) {first.name}{more}{why}: {what}"
        in_full = what.startswith(_NOT_RUN)  # such cases have no failure text
        yield shorten(line, _LONGEST_REASON if in_full else max(2 * width, 120))
    if len(ordered) > _MOST_FINDINGS:
        yield f"... and {len(ordered) - _MOST_FINDINGS} more causes: see above, or the record (--record FILE.json)"


def _whose(cases: list[CaseResult]) -> str:
    """The requirements of cases with one cause, that of the first case first."""
    names = list(dict.fromkeys(case.requirement for case in cases))
    return ", ".join(names[:_MOST_NAMES]) + (", ..." if len(names) > _MOST_NAMES else "")


def _cause(result: CaseResult) -> str:
    return result.actual if result.verdict is Verdict.DEVIATES else result.reason


def stale_lines(results: list[CaseResult], others: list[str]) -> Iterator[str]:
    """The stale entries of the list of known deviations, and the fix; ``others`` are those without a result."""
    notes = [result.listing.note for result in results if result.listing and result.listing.note] + others
    yield from (f"known deviations: {note}" for note in notes[:_MOST_FINDINGS])
    if len(notes) > _MOST_FINDINGS:
        yield f"known deviations: {len(notes) - _MOST_FINDINGS} more stale entries"


def leftover_lines(results: list[CaseResult], kept: Iterable[str] = ()) -> Iterator[str]:
    """The leftovers that were not removed after their case, and ``kept`` ones that were not removed after the run."""
    left = list(dict.fromkeys([*(warning for result in results for warning in result.warnings), *kept]))
    yield from (f"not removed: {line}" for line in left[:_MOST_LEFTOVERS])
    if len(left) > _MOST_LEFTOVERS:
        yield f"not removed: {len(left) - _MOST_LEFTOVERS} more"


def exemption_lines(results: list[CaseResult]) -> Iterator[str]:
    """The reasons of cases that are not applicable, and their numbers."""
    reasons: dict[str, int] = {}
    for result in results:
        if result.verdict is Verdict.NOT_APPLICABLE:
            reason = with_placeholders(result).reason  # users' names differ in each case
            reasons[reason] = reasons.get(reason, 0) + 1
    for reason, number in reasons.items():
        yield f"not applicable, {plural(number, 'case')}: {reason}"


def respelling_lines(results: Iterable[CaseResult]) -> Iterator[str]:
    """A line for each statement that was replaced by a spelling."""
    for (statement, sent), number in respellings(results).items():
        yield f"sent in another form, {plural(number, 'case')}: {statement} -> {sent}"


def observation_lines(results: list[CaseResult]) -> Iterator[str]:
    """A line for each case with an observation."""
    for result in results:
        if result.verdict is Verdict.OBSERVED:
            seen = ", ".join(
                name if count == 1 and len(result.observed) == 1 else f"{name} ({count}x)"
                for name, count in sorted(result.observed.items(), key=lambda pair: -pair[1])
            )
            yield f"{result.requirement} {result.name}: {seen}{_durations(result)}"


def _durations(result: CaseResult) -> str:
    """The times that the sessions of a repeated case took to be gone."""
    if len(result.endings) < _FEWEST_ENDS:
        return ""
    ends = EndingTimes.of(result.endings)
    shown = ", ".join(
        f"{what} after {times.p50:g} / {times.p99:g} / {times.longest:g} ms"
        for what, times in (("connection closed", ends.connection), ("row gone", ends.row))
        if times
    )
    return f"; {shown} (p50 / p99 / max)" if shown else ""
