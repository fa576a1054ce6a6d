"""The end of a run on one screen: the verdict, the requirements by level, what failed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from runner.database.outcome import shorten
from runner.execution.verdict import CaseResult, Standing, Verdict, fails
from runner.language.model import Level, Requirement

_CELL = 26
_MOST_FINDINGS = 12
_MOST_LEFTOVERS = 3
_ORDER = {level: place for place, level in enumerate(Level)}
_SPECIFIC = re.compile(r"KSC_\w+|[0-9]{2,}")  # names and ids differ from case to case
_QUOTED = re.compile(r"""(?<!\w)(['"`]).*?\1+(?!\w)""", re.DOTALL)  # and so does the text that a message quotes
_HEAD = {
    Level.MUST: "must (the specification states it)",
    Level.SHOULD: "should (shown or implied by the specification; fails the run only with --strict)",
    Level.OBSERVE: "observe (the specification is silent; outcomes never fail the run)",
}


@dataclass(frozen=True)
class Tally:
    """What became of one requirement's cases; ``known`` counts the known deviations among them."""

    requirement: Requirement
    verdicts: Counter[Verdict]
    known: int = 0

    @property
    def verdict(self) -> Verdict:
        """The requirement's verdict: the worst of its cases'; one that no case decided is not applicable."""
        for verdict in (Verdict.DEVIATES, Verdict.INCONCLUSIVE, Verdict.CONFORMS, Verdict.OBSERVED):
            if self.verdicts[verdict]:
                return verdict
        return Verdict.NOT_APPLICABLE

    @property
    def cell(self) -> str:
        """``PUR-1  conforms 9`` or ``PUR-2  DEVIATES 3/16``; ``known 3/16`` if all that is wrong is known."""
        verdict, total = self.verdict, self.verdicts.total()
        count = self.verdicts[verdict]
        word = verdict.value.upper() if verdict in {Verdict.DEVIATES, Verdict.INCONCLUSIVE} else verdict.value
        wrong = self.verdicts[Verdict.DEVIATES] + self.verdicts[Verdict.INCONCLUSIVE]
        word = "known" if self.known and self.known == wrong else word
        word = "n/a" if verdict is Verdict.NOT_APPLICABLE else word
        return f"{self.requirement.id:<7}{word} {count}{'' if count == total else f'/{total}'}"


def tally(results: Iterable[CaseResult], requirements: Mapping[str, Requirement]) -> list[Tally]:
    """Results by requirement, in the register's order; requirements without a result are left out."""
    counted: dict[str, Counter[Verdict]] = {}
    known: Counter[str] = Counter()
    for result in results:
        counted.setdefault(result.requirement, Counter())[result.verdict] += 1
        known[result.requirement] += result.standing is Standing.KNOWN
    return [Tally(requirements[name], counted[name], known[name]) for name in requirements if name in counted]


def conclusion(results: list[CaseResult], stale_entries: int = 0, *, strict: bool) -> str:
    """The run in a sentence.

    Args:
        results: the run's.
        stale_entries: the number of stale known deviations that belong to no result.
        strict: whether ``should`` cases are required, too.
    """
    known = [result for result in results if result.standing is Standing.KNOWN]
    aside = f"; {_cases(len(known))} known" if known else ""
    bad = [result for result in results if result.fails(strict=strict)]
    required = [result.verdict for result in bad if _required(result, strict=strict)]
    if deviating := required.count(Verdict.DEVIATES):
        return f"does not conform: {_cases(deviating, 'required')} failed{aside}"
    if required:
        return f"undecided: {_cases(len(required), 'required')} could not be decided{aside}"
    if stale := len(bad) + stale_entries:
        return f"the list of known deviations has {stale} stale entr{'y' if stale == 1 else 'ies'}{aside}"
    conforming = sum(result.verdict is Verdict.CONFORMS for result in results)
    if any(_required(result, strict=strict) for result in known):
        return f"does not conform, known deviations only ({_cases(len(known))} listed, {conforming} conform)"
    should = sum(result.verdict is Verdict.DEVIATES and result.standing is Standing.UNLISTED for result in results)
    failed = f"{_cases(should, Level.SHOULD.value)} failed{aside}"
    if not conforming:
        return f"no required case was decided; {failed}" if should else f"no case was decided{aside}"
    decided = conforming + sum(result.verdict is Verdict.DEVIATES for result in results)
    judged = sum(result.binding is not Level.OBSERVE for result in results)
    of = f"{decided} of " if decided < judged else ""
    return f"conforms ({of}{_cases(judged)} decided)" + (f"; {failed}" if should else aside)


def _required(result: CaseResult, *, strict: bool) -> bool:
    """Whether a result would fail the run if nothing were listed."""
    return fails(result.verdict, result.binding, Standing.UNLISTED, strict=strict)


def plural(number: int, word: str) -> str:
    """``1 case``, ``3 cases``."""
    return f"{number} {word}{'' if number == 1 else 's'}"


def _cases(number: int, kind: str = "") -> str:
    return plural(number, f"{kind} case".strip())


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
    """A line for each cause of a failure, required cases first; causes that differ in a quoted text only are one."""
    causes: dict[tuple[str, ...], list[CaseResult]] = {}
    for result in results:
        if result.verdict in {Verdict.DEVIATES, Verdict.INCONCLUSIVE}:
            cause = _QUOTED.sub("?", _SPECIFIC.sub("?", _cause(result)))
            mark = "" if result.standing is Standing.UNLISTED else result.standing.value
            inconclusive = result.verdict is Verdict.INCONCLUSIVE  # then the cause is nobody's requirement
            whose = () if inconclusive else (result.binding.value, result.requirement)
            key = (mark, result.verdict.value, cause, *whose)
            causes.setdefault(key, []).append(result)
    if len(causes) > _MOST_FINDINGS:  # too many for a screen: then the requirement is not part of the cause
        merged: dict[tuple[str, ...], list[CaseResult]] = {}
        for key, cases in causes.items():
            merged.setdefault(key[:4], []).extend(cases)
        causes = merged
    for cases in causes.values():
        cases.sort(key=lambda result: _ORDER[result.binding])
    ordered = sorted(
        causes.values(),
        key=lambda cases: (cases[0].standing is Standing.KNOWN, cases[0].verdict.value, _ORDER[cases[0].binding]),
    )
    for cases in ordered[:_MOST_FINDINGS]:
        first = cases[0]
        quoted = {tuple(match[0] for match in _QUOTED.finditer(_SPECIFIC.sub("?", _cause(case)))) for case in cases}
        what = _cause(first) if len(quoted) == 1 else _QUOTED.sub("'…'", _cause(first))
        more = f" and {_cases(len(cases) - 1, 'more')}" if len(cases) > 1 else ""
        known = first.listing if first.standing is Standing.KNOWN else None
        verdict = f"known: {first.verdict.value}" if known else first.verdict.value.upper()
        why = f" ({known.reason})" if known else ""
        line = f"{verdict} {first.requirement} ({first.binding.value}) {first.name}{more}{why}: {what}"
        yield shorten(line, max(2 * width, 120))
    if len(ordered) > _MOST_FINDINGS:
        yield f"... and {len(ordered) - _MOST_FINDINGS} more causes: see above, or the record (--record FILE.json)"


def _cause(result: CaseResult) -> str:
    return result.actual if result.verdict is Verdict.DEVIATES else result.reason


def stale(results: list[CaseResult], others: list[str]) -> Iterator[str]:
    """The stale entries of the list of known deviations, and what to do; ``others`` belong to no case."""
    notes = [result.listing.note for result in results if result.listing and result.listing.note] + others
    yield from (f"known deviations: {note}" for note in notes[:_MOST_FINDINGS])
    if len(notes) > _MOST_FINDINGS:
        yield f"known deviations: {len(notes) - _MOST_FINDINGS} more stale entries"


def leftovers(results: list[CaseResult], kept: Iterable[str] = ()) -> Iterator[str]:
    """What could not be removed after its case, or, of what cases had kept for later ones, at the end of the run."""
    left = list(dict.fromkeys([*(warning for result in results for warning in result.warnings), *kept]))
    yield from (f"not removed: {line}" for line in left[:_MOST_LEFTOVERS])
    if len(left) > _MOST_LEFTOVERS:
        yield f"not removed: {len(left) - _MOST_LEFTOVERS} more"


def exemptions(results: list[CaseResult]) -> Iterator[str]:
    """What the profile says does not apply, and why."""
    reasons: dict[str, int] = {}
    for result in results:
        if result.verdict is Verdict.NOT_APPLICABLE:
            reasons[result.reason] = reasons.get(result.reason, 0) + 1
    for reason, number in reasons.items():
        yield f"not applicable, {_cases(number)}: {reason}"


def respellings(results: Iterable[CaseResult]) -> dict[tuple[str, str], int]:
    """The statements that the profile spelled otherwise, what was sent instead, and in how many cases."""
    return dict(Counter(pair for result in results for pair in result.respelled.items()))


def respelled(results: Iterable[CaseResult]) -> Iterator[str]:
    """A line for every statement that was sent as another one."""
    for (statement, sent), number in respellings(results).items():
        yield f"sent in another form, {_cases(number)}: {statement} -> {sent}"


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
    gone = sorted(max(ending.connection_ms or 0, ending.row_ms or 0) for ending in result.endings)
    return f"; gone after {gone[len(gone) // 2]:g} ms (median), {gone[-1]:g} ms (longest)" if len(gone) > 1 else ""
