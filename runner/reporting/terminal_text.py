"""The text of a failure: expected and actual result, transcript, and the statements to reproduce it by hand."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from runner.execution.case_result import CaseResult, Standing, Verdict
from runner.execution.transcript import Event
from runner.language.message_text import plural, shorten
from runner.language.model import Level
from runner.reporting.conclusion import LEVEL_MEANINGS, Tally, respellings
from runner.reporting.ending_times import EndingTimes
from runner.reporting.placeholders import with_placeholders

_LINE = 150
_TRANSCRIPT = (
    "transcript (ms since the start of the case; > sent, < received, [duration]; prepares: sent before the steps, "
    "for this case or an earlier one)"
)
_BY_HAND = "by hand (open one client per session; run the lines of all sessions in the order of their numbers)"


def failure_text(result: CaseResult, rerun: str) -> str:
    """The text of a failed case, with all that is needed to check and reproduce it.

    Args:
        result: of a case that deviates, is inconclusive, or has a stale entry in the list of known deviations.
        rerun: the command that runs this case alone.
    """
    harm = "the statement affected sessions that it does not name" if result.safety else ""
    harm = harm or ("the reply was a success, and the named session stays usable" if result.survived else "")
    binding = f" ({harm}: the case fails the run like a must)" if harm else ""
    parts = [
        f"{result.requirement} ({result.level.value}): {result.title}",
        f"case:     {result.case_id}, {result.place}",
        f"verdict:  {result.verdict.value}{binding}",
    ]
    if result.verdict is Verdict.DEVIATES:
        parts += [f"expected: {result.expected}", f"actual:   {result.actual}"]
    elif result.reason:
        parts += [f"reason:   {result.reason}"]
    if result.listing and result.listing.note:
        parts += [f"listed:   {result.listing.note}"]
    parts += [f"rerun:    {rerun}"]
    if not result.failed:
        return "\n".join(parts)  # only the entry in the list is wrong: no evidence is needed
    parts += ["", _TRANSCRIPT, *_transcript(result.transcript)]
    if any(event.manual for event in result.transcript):
        parts += ["", _BY_HAND, *_by_hand(result.transcript)]
    return "\n".join(parts)


def _transcript(events: tuple[Event, ...]) -> list[str]:
    width = max((len(event.session) for event in events), default=0)
    lines = []
    for event in events:
        took = f"  [{event.took_ms:g} ms]" if event.took_ms is not None else ""
        arrow = {"sends": "> ", "receives": "< "}.get(event.kind, f"{event.kind}: ")
        lines.append(f"{event.at_ms:>9.1f}  {event.session:<{width}}  {arrow}{shorten(event.text, _LINE)}{took}")
    return lines


def _by_hand(events: tuple[Event, ...]) -> list[str]:
    lines: list[str] = []
    numbered = [event for event in events if event.manual or event.action]
    for session in dict.fromkeys(event.session for event in numbered):
        lines.append(f"  -- {session}")
        for number, event in enumerate(numbered, 1):
            if event.session == session:
                lines.append(f"  /* {number:>2} */ {_typed(event)}")
    return lines


def _typed(event: Event) -> str:
    if event.kind == "connects":
        return f"-- {event.action}; its id in SHOW PROCESSLIST is <id of {event.session}>"
    if event.action:
        return f"-- {event.action}"
    text = event.manual.rstrip()
    return text if text.endswith(";") else text + ";"


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
            whose = () if inconclusive else (result.binding.value, result.requirement)
            key = (mark, result.verdict.value, cause, *whose)
            causes.setdefault(key, []).append(result)
    if len(causes) > _MOST_FINDINGS:  # too many for a screen: group without the requirement
        merged: dict[tuple[str, ...], list[CaseResult]] = {}
        for key, cases in causes.items():
            merged.setdefault(key[:4], []).extend(cases)
        causes = merged
    for cases in causes.values():
        cases.sort(key=lambda result: result.binding.rank)
    ordered = sorted(
        causes.values(),
        key=lambda cases: (cases[0].standing is Standing.KNOWN, cases[0].verdict.value, cases[0].binding.rank),
    )
    for cases in ordered[:_MOST_FINDINGS]:
        first = cases[0]
        quoted = {tuple(match[0] for match in _QUOTED.finditer(_SPECIFIC.sub("?", _cause(case)))) for case in cases}
        what = _cause(first) if len(quoted) == 1 else _QUOTED.sub("'…'", _cause(first))
        more = f" and {plural(len(cases) - 1, 'more case')}" if len(cases) > 1 else ""
        known = first.listing if first.standing is Standing.KNOWN else None
        verdict = f"known: {first.verdict.value}" if known else first.verdict.value.upper()
        why = f" ({known.reason})" if known else ""
        line = f"{verdict} {_whose(cases)} ({first.binding.value}) {first.name}{more}{why}: {what}"
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
