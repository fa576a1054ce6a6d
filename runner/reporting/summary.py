"""The end of a run on one screen: the verdict, the requirements by level, what failed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from runner.database.outcome import shorten
from runner.execution.verdict import CaseResult, Verdict
from runner.language.model import Level, Requirement

_CELL = 26
_MOST_FINDINGS = 12
_MOST_LEFTOVERS = 3
_ORDER = {level: place for place, level in enumerate(Level)}
_SPECIFIC = re.compile(r"KSC_\w+|\bp[0-9a-f]{16}\b|[0-9]{2,}")  # names, passwords and ids differ from case to case
_HEAD = {
    Level.MUST: "must (the page states it)",
    Level.SHOULD: "should (the page shows or implies it; binding with --strict)",
    Level.OBSERVE: "observe (the page is silent; never failed)",
}


@dataclass(frozen=True)
class Tally:
    """What became of one requirement's cases."""

    requirement: Requirement
    verdicts: Counter[Verdict]

    @property
    def verdict(self) -> Verdict:
        """The requirement's verdict: the worst of its cases'; one that no case decided is not applicable."""
        for verdict in (Verdict.DEVIATES, Verdict.INCONCLUSIVE, Verdict.CONFORMS, Verdict.OBSERVED):
            if self.verdicts[verdict]:
                return verdict
        return Verdict.NOT_APPLICABLE

    @property
    def cell(self) -> str:
        """``PUR-1  conforms 9`` or ``PUR-2  DEVIATES 3/16``."""
        verdict, total = self.verdict, self.verdicts.total()
        count = self.verdicts[verdict]
        word = verdict.value.upper() if verdict in {Verdict.DEVIATES, Verdict.INCONCLUSIVE} else verdict.value
        word = "n/a" if verdict is Verdict.NOT_APPLICABLE else word
        return f"{self.requirement.id:<7}{word} {count}{'' if count == total else f'/{total}'}"


def tally(results: Iterable[CaseResult], requirements: Mapping[str, Requirement]) -> list[Tally]:
    """Results by requirement, in the register's order; requirements without a result are left out."""
    counted: dict[str, Counter[Verdict]] = {}
    for result in results:
        counted.setdefault(result.requirement, Counter())[result.verdict] += 1
    return [Tally(requirements[name], counted[name]) for name in requirements if name in counted]


def conclusion(results: list[CaseResult], *, strict: bool) -> str:
    """The run in a sentence."""
    bad = [result for result in results if result.fails(strict=strict)]
    deviating = sum(result.verdict is Verdict.DEVIATES for result in bad)
    if deviating:
        return f"does not conform: {_cases(deviating)} of what binds deviate{'s' if deviating == 1 else ''}"
    if bad:
        return f"undecided: {_cases(len(bad))} of what binds could not be decided"
    decided = sum(result.verdict is Verdict.CONFORMS for result in results)
    if not decided:
        return "nothing was decided"
    aside = sum(result.verdict is Verdict.DEVIATES for result in results)
    return f"conforms ({_cases(decided)} decided)" + (
        f"; {_cases(aside)} of what should be deviate{'s' if aside == 1 else ''}" if aside else ""
    )


def _cases(number: int) -> str:
    return f"{number} case{'' if number == 1 else 's'}"


def table(tallies: list[Tally], width: int) -> Iterator[str]:
    """The requirements by level, as many to a line as the screen takes."""
    columns = max(1, width // _CELL)
    for level in Level:
        cells = [entry.cell for entry in tallies if entry.requirement.level is level]
        if cells:
            yield _HEAD[level]
        for start in range(0, len(cells), columns):
            yield "  " + "".join(f"{cell:<{_CELL}}" for cell in cells[start : start + columns]).rstrip()


def findings(results: list[CaseResult], width: int) -> Iterator[str]:
    """A line for everything that came out wrong, binding ones first; cases with one cause share a line."""
    causes: dict[tuple[str, ...], list[CaseResult]] = {}
    for result in results:
        if result.verdict in {Verdict.DEVIATES, Verdict.INCONCLUSIVE}:
            cause = _SPECIFIC.sub("?", result.came if result.verdict is Verdict.DEVIATES else result.reason)
            inconclusive = result.verdict is Verdict.INCONCLUSIVE  # then the cause is nobody's requirement
            whose = () if inconclusive else (result.binding.value, result.requirement)
            key = (result.verdict.value, cause, *whose)
            causes.setdefault(key, []).append(result)
    if len(causes) > _MOST_FINDINGS:  # too many for a screen: then the requirement is not part of the cause
        merged: dict[tuple[str, ...], list[CaseResult]] = {}
        for key, cases in causes.items():
            merged.setdefault(key[:3], []).extend(cases)
        causes = merged
    for cases in causes.values():
        cases.sort(key=lambda result: _ORDER[result.binding])
    ordered = sorted(causes.values(), key=lambda cases: (cases[0].verdict.value, _ORDER[cases[0].binding]))
    for cases in ordered[:_MOST_FINDINGS]:
        first = cases[0]
        what = first.came if first.verdict is Verdict.DEVIATES else first.reason
        more = f" and {_cases(len(cases) - 1)} more" if len(cases) > 1 else ""
        line = f"{first.verdict.value.upper()} {first.requirement} ({first.binding.value}) {first.name}{more}: {what}"
        yield shorten(line, max(2 * width, 120))
    if len(ordered) > _MOST_FINDINGS:
        yield f"... and {len(ordered) - _MOST_FINDINGS} more causes: see above, or the record of --report"


def leftovers(results: list[CaseResult]) -> Iterator[str]:
    """What could not be cleared up."""
    left = list(dict.fromkeys(warning for result in results for warning in result.warnings))
    yield from (f"left behind: {line}" for line in left[:_MOST_LEFTOVERS])
    if len(left) > _MOST_LEFTOVERS:
        yield f"left behind: {len(left) - _MOST_LEFTOVERS} more"


def exemptions(results: list[CaseResult]) -> Iterator[str]:
    """What the profile says does not apply, and why."""
    reasons: dict[str, int] = {}
    for result in results:
        if result.verdict is Verdict.NOT_APPLICABLE:
            reasons[result.reason] = reasons.get(result.reason, 0) + 1
    for reason, number in reasons.items():
        yield f"not applicable, {_cases(number)}: {reason}"


def observations(results: list[CaseResult]) -> Iterator[str]:
    """A line for every case that observed something."""
    for result in results:
        if result.verdict is Verdict.OBSERVED:
            seen = ", ".join(
                name if count == 1 and len(result.observed) == 1 else f"{name} ({count}x)"
                for name, count in sorted(result.observed.items(), key=lambda pair: -pair[1])
            )
            yield f"{result.requirement} {result.name}: {seen}{_lags(result)}"


def _lags(result: CaseResult) -> str:
    gone = sorted(max(ending.connection_ms, ending.row_ms or 0) for ending in result.endings)
    return f"; gone after {gone[len(gone) // 2]:g} ms (median), {gone[-1]:g} ms (longest)" if len(gone) > 1 else ""
