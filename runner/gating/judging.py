"""Holds results against a list of known deviations: what is known, and which entries are not true (any more)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from runner.execution.verdict import CaseResult, Listing, Standing, Verdict
from runner.gating.knownlist import KnownDeviation, KnownDeviations, entry_for
from runner.language.model import Case
from runner.language.problems import Place, SourceError, did_you_mean
from runner.reporting.placeholders import with_placeholders

_WRONG = {Verdict.DEVIATES, Verdict.INCONCLUSIVE}


@dataclass(frozen=True)
class Complaint:
    """An entry that is not true, and that no single case's result shows."""

    place: Place
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.text}"


def listed(result: CaseResult, entries: Sequence[KnownDeviation], today: dt.date) -> CaseResult:
    """The result with what the list says of it; the verdict stays what it is."""
    if not entries:
        return result
    came = with_placeholders(result).came
    entry = entry_for(result, entries, came)
    if entry is None:
        return result
    standing, what = _standing(result, came, entry, today)
    if standing is Standing.UNLISTED:
        return result
    note = f"{entry.place}: {what}" if what else ""
    return replace(result, listing=Listing(standing, str(entry.place), entry.reason, entry.link, note))


def _standing(result: CaseResult, came: str, entry: KnownDeviation, today: dt.date) -> tuple[Standing, str]:
    name, is_ = result.name, result.verdict.value
    if result.verdict not in _WRONG:
        if entry.whole_requirement:
            return Standing.UNLISTED, ""  # it speaks of those that deviate
        return Standing.GONE, f"{name} is listed as one that {_comes_to(entry)}, and {_now(is_)}: remove the entry"
    if result.verdict is Verdict.INCONCLUSIVE and entry.verdict is Verdict.DEVIATES:
        return Standing.UNLISTED, ""  # whether it still deviates is not known, and nobody has said it may be undecided
    if other := _otherwise(result, came, entry):
        return Standing.DIFFERENT, other
    if entry.expires is not None and entry.expires < today:
        what = f"what is listed for {name} expired on {entry.expires}"
        return Standing.EXPIRED, f"{what}: mend the target, or decide again and set a later day"
    return Standing.KNOWN, ""


def _otherwise(result: CaseResult, came: str, entry: KnownDeviation) -> str:
    """How a result is wrong in another way than listed; empty if it is not."""
    name = result.name
    if result.verdict is not entry.verdict:
        return f"{name} is listed as inconclusive, and deviates ({came!r} came): mend the target, or list it so"
    if not entry.describes(came):
        what = f"{name} deviates otherwise than listed: {entry.expected!r} is listed, {came!r} came"
        return f"{what}: look at it, then mend the target or the entry"
    if result.safety and not entry.safety:
        what = f"in {name} a session ended that no statement named, which this entry doesn't allow"
        return f"{what}: mend the target, or say 'safety: true' if that is to be put up with"
    if entry.safety and not result.safety and not entry.whole_requirement:
        return f"in {name} no session ends any more that no statement named: remove 'safety: true'"
    return ""


def _comes_to(entry: KnownDeviation) -> str:
    return "deviates" if entry.verdict is Verdict.DEVIATES else "can't be decided"


def _now(verdict: str) -> str:
    return {"conforms": "conforms now", "observed": "is observed now"}.get(verdict, "does not apply to this target")


def complaints(
    known: KnownDeviations, in_force: Sequence[KnownDeviation], cases: Sequence[Case], results: Iterable[CaseResult]
) -> Iterator[Complaint]:
    """The entries that name nothing, and those of requirements of which no case deviates any more.

    Args:
        known: the list.
        in_force: those of its entries that apply to the target.
        cases: all there are, chosen for this run or not.
        results: this run's, with what the list says of them.
    """
    done = list(results)
    unknown = unknown_names(known, cases)
    yield from (Complaint(problem.place, f"{problem.what}: {problem.hint}") for problem in unknown)
    told = {problem.place for problem in unknown}
    for entry in in_force:
        if entry.whole_requirement and entry.place not in told and _is_gone(entry, cases, done):
            what = f"no case of {entry.subject} {_comes_to(entry)} any more as listed ({entry.expected!r})"
            yield Complaint(entry.place, f"{what}: remove the entry")


def unknown_names(known: KnownDeviations, cases: Sequence[Case]) -> list[SourceError]:
    """The entries of a list that name no requirement and no case."""
    names = {name for case in cases for name in (case.name, case.id)}
    requirements = {case.requirement.id for case in cases}
    problems = []
    for entry in known.entries:
        kind, there = ("requirement", requirements) if entry.whole_requirement else ("case", names)
        if entry.subject not in there:
            hint = did_you_mean(entry.subject, there)
            hint = hint if hint.startswith("did") else "remove the entry"
            problems.append(SourceError(entry.place, f"no {kind} is called {entry.subject!r}", hint))
    return problems


def _is_gone(entry: KnownDeviation, cases: Iterable[Case], results: Iterable[CaseResult]) -> bool:
    """Whether all its cases were run and decided, and none came to what it says."""
    ours = [result for result in results if result.requirement == entry.subject]
    if {case.name for case in cases if case.requirement.id == entry.subject} != {result.name for result in ours}:
        return False
    return not any(
        (result.listing is not None and result.listing.entry == str(entry.place))
        or (result.verdict is Verdict.INCONCLUSIVE and result.listing is None)
        for result in ours
    )
