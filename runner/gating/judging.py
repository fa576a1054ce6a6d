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
    actual = with_placeholders(result).actual
    entry = entry_for(result, entries, actual)
    if entry is None:
        return result
    standing, what = _standing(result, actual, entry, today)
    if standing is Standing.UNLISTED:
        return result
    note = f"{entry.place}: {what}" if what else ""
    return replace(result, listing=Listing(standing, str(entry.place), entry.reason, entry.link, note))


def _standing(result: CaseResult, actual: str, entry: KnownDeviation, today: dt.date) -> tuple[Standing, str]:
    name, is_ = result.name, result.verdict.value
    if result.verdict not in _WRONG:
        if entry.whole_requirement:
            return Standing.UNLISTED, ""  # it speaks of those that deviate
        return Standing.GONE, f"{name} is listed as {_listed_as(entry)} and {_now(is_)}: remove the entry"
    if result.verdict is Verdict.INCONCLUSIVE and entry.verdict is Verdict.DEVIATES:
        return Standing.UNLISTED, ""  # whether it still deviates is not known, and nobody has said it may be undecided
    if other := _otherwise(result, actual, entry):
        return Standing.DIFFERENT, other
    if entry.expires is not None and entry.expires < today:
        what = f"the entry for {name} expired on {entry.expires}"
        return Standing.EXPIRED, f"{what}: fix the target, or set a later day"
    return Standing.KNOWN, ""


def _otherwise(result: CaseResult, actual: str, entry: KnownDeviation) -> str:
    """How a result is wrong in another way than listed; empty if it is not."""
    name = result.name
    if result.verdict is not entry.verdict:
        what = f"{name} is listed as inconclusive and deviates now (actual: {actual!r})"
        return f"{what}: fix the target, or correct the entry"
    if not entry.describes(actual):
        what = f"{name} deviates in another way than listed (listed: {entry.expected!r}, actual: {actual!r})"
        return f"{what}: fix the target, or correct the entry"
    if result.safety and not entry.safety:
        what = f"{name} killed an unrelated session, and the entry has no 'safety: true'"
        return f"{what}: fix the target, or add 'safety: true' to accept it"
    if entry.safety and not result.safety and not entry.whole_requirement:
        return f"{name} doesn't kill an unrelated session any more: remove 'safety: true'"
    return ""


def _listed_as(entry: KnownDeviation) -> str:
    return "deviating" if entry.verdict is Verdict.DEVIATES else "inconclusive"


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
            what = f"no case of {entry.subject} is {_listed_as(entry)} as listed any more ({entry.expected!r})"
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
            problems.append(SourceError(entry.place, f"unknown {kind} {entry.subject!r}", hint))
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
