"""Lists of known deviations (``--known-deviations``): reading a list, applying it to results, finding stale entries."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from runner.execution.case_result import CaseResult, ListedEntry, Standing, Verdict
from runner.gating.version_ranges import VersionRange, numbers_in, parts_of
from runner.language.message_text import did_you_mean
from runner.language.model import Case
from runner.language.problems import Place, SourceError
from runner.language.schema_check import read_document
from runner.language.yaml_file import Document, KeyPath
from runner.reporting.placeholders import with_placeholders, without_durations_and_names

FORMAT = 1
UNFINISHED = "TODO"
"""The placeholder for reasons that are still to be written."""


@dataclass(frozen=True)
class KnownDeviation:
    """One entry.

    Attributes:
        subject: the name of a case with its parameters, the id of a case, or the id of a requirement.
        whole_requirement: whether the subject is a requirement.
        actual, pattern: text or pattern that the actual result contains; both None for an inconclusive case.
        versions: the versions of the target that the entry applies to; None: all.
        expires: the last day on which the entry is valid.
        safety: whether the entry accepts that an unrelated session is killed.
    """

    subject: str
    whole_requirement: bool
    verdict: Verdict
    actual: str | None
    pattern: re.Pattern[str] | None
    reason: str
    link: str
    versions: VersionRange | None
    expires: dt.date | None
    safety: bool
    place: Place

    def covers(self, result: CaseResult) -> bool:
        """Whether the entry is about the case of this result."""
        names = (result.requirement,) if self.whole_requirement else (result.name, result.case_id)
        return self.subject in names

    def describes(self, actual: str) -> bool:
        """Whether the actual result is the listed one, without regard to durations."""
        if self.pattern is not None:
            return self.pattern.search(actual) is not None
        return self.actual is None or without_durations_and_names(self.actual) in without_durations_and_names(actual)

    @property
    def expected(self) -> str:
        """The listed result, as text for users."""
        return self.actual or (f"/{self.pattern.pattern}/" if self.pattern else self.verdict.value)


@dataclass(frozen=True)
class KnownDeviations:
    """A list of known deviations, in the order of the file."""

    path: Path
    entries: tuple[KnownDeviation, ...] = ()

    def in_force(self, version: str) -> tuple[KnownDeviation, ...]:
        """The entries that apply to a target of this version.

        Raises:
            SourceError: two of them name the same case, or the version has no number to compare.
        """
        number, chosen = numbers_in(version), []
        taken: dict[str, KnownDeviation] = {}
        for entry in self.entries:
            if entry.versions is not None and number is None:
                raise SourceError(
                    entry.place, f"the target's version {version!r} contains no number to compare", "remove 'versions'"
                )
            if entry.versions is not None and number is not None and not entry.versions.include(number):
                continue
            if not entry.whole_requirement and entry.subject in taken:
                earlier = taken[entry.subject].place
                raise SourceError(entry.place, f"{entry.subject} is already listed at {earlier}", "keep one of them")
            taken[entry.subject] = entry
            chosen.append(entry)
        return tuple(chosen)


def entry_for(result: CaseResult, entries: Sequence[KnownDeviation], actual: str) -> KnownDeviation | None:
    """The most specific entry for a result; of several entries of a requirement the one that fits the actual result."""
    covering = [entry for entry in entries if entry.covers(result)]
    covering.sort(key=lambda entry: (entry.whole_requirement, entry.subject != result.name))
    if covering and covering[0].whole_requirement:
        return next((entry for entry in covering if entry.describes(actual)), covering[0])
    return covering[0] if covering else None


def read_known_deviations(path: Path, *, unfinished: bool = False) -> KnownDeviations:
    """Reads a list.

    Args:
        path: the file.
        unfinished: whether placeholders are accepted as reasons.

    Raises:
        SourceError: the file is not a list of known deviations, or an entry is incomplete.
    """
    document = read_document(path, "known-deviations.schema.json", FORMAT)
    rows = enumerate(document.data["deviations"])
    return KnownDeviations(path, tuple(_entry(document, ("deviations", at), row, unfinished) for at, row in rows))


def _entry(document: Document, keys: KeyPath, row: Mapping[str, Any], unfinished: bool) -> KnownDeviation:
    if ("case" in row) == ("requirement" in row):
        raise document.fail(keys, "an entry has either a case or a requirement", "add 'case:' or 'requirement:'")
    if row["reason"].strip().upper().startswith(UNFINISHED) and not unfinished:
        raise document.fail(
            (*keys, "reason"),
            "the reason is not written yet",
            f"replace {UNFINISHED} by the reason, or remove the entry",
        )
    verdict = Verdict(row.get("verdict", Verdict.DEVIATES.value))
    texts = [key for key in ("actual", "actual_pattern") if key in row]
    if len(texts) != (1 if verdict is Verdict.DEVIATES else 0):
        raise document.fail(
            (*keys, *texts[:1]),
            "an entry has either 'actual' or 'actual_pattern'; an entry with 'verdict: inconclusive' has neither",
            "copy 'actual' of the record, or a part of it, to 'actual:', or write an 'actual_pattern:'",
        )
    return KnownDeviation(
        subject=row.get("case") or row["requirement"],
        whole_requirement="requirement" in row,
        verdict=verdict,
        actual=row.get("actual"),
        pattern=_pattern(document, keys, row),
        reason=" ".join(row["reason"].split()),
        link=row.get("link", ""),
        versions=_versions(row.get("versions")),
        expires=_day(document, keys, row),
        safety=row.get("safety", False),
        place=document.place(*keys),
    )


def _pattern(document: Document, keys: KeyPath, row: Mapping[str, Any]) -> re.Pattern[str] | None:
    text = row.get("actual_pattern")
    return None if text is None else document.expression((*keys, "actual_pattern"), text)


def _versions(row: Mapping[str, str | int] | None) -> VersionRange | None:
    if row is None:
        return None
    first, last = (parts_of(str(row[key])) if key in row else None for key in ("from", "before"))
    return VersionRange(first, last)


def _day(document: Document, keys: KeyPath, row: Mapping[str, Any]) -> dt.date | None:
    try:
        return dt.date.fromisoformat(row["expires"]) if "expires" in row else None
    except ValueError as error:
        raise document.fail((*keys, "expires"), f"{row['expires']} is not a date", "write it as 2027-01-31") from error


@dataclass(frozen=True)
class StaleEntry:
    """An entry that doesn't fit the run, where no result of a single case shows that."""

    place: Place
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.text}"


def with_listing(result: CaseResult, entries: Sequence[KnownDeviation], today: dt.date) -> CaseResult:
    """The result with its entry of the list, if there is one. The verdict is not changed."""
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
    return replace(result, listing=ListedEntry(standing, str(entry.place), entry.reason, entry.link, note))


def _standing(result: CaseResult, actual: str, entry: KnownDeviation, today: dt.date) -> tuple[Standing, str]:
    name, verdict = result.name, result.verdict.value
    if not result.failed:
        if entry.whole_requirement:
            return Standing.UNLISTED, ""  # it lists only the cases that deviate
        return Standing.GONE, f"{name} is listed as {_listed_as(entry)} and {_now(verdict)}: remove the entry"
    if result.verdict is Verdict.INCONCLUSIVE and entry.verdict is Verdict.DEVIATES:
        return (
            Standing.UNLISTED,
            "",
        )  # the entry doesn't allow an inconclusive case
    if mismatch := _mismatch(result, actual, entry):
        return Standing.DIFFERENT, mismatch
    if entry.expires is not None and entry.expires < today:
        what = f"the entry for {name} expired on {entry.expires}"
        return Standing.EXPIRED, f"{what}: fix the target, or set a later day"
    return Standing.KNOWN, ""


def _mismatch(result: CaseResult, actual: str, entry: KnownDeviation) -> str:
    """The difference between a failed result and its entry; empty if there is none."""
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


def stale_entries(
    known: KnownDeviations, in_force: Sequence[KnownDeviation], cases: Sequence[Case], results: Iterable[CaseResult]
) -> Iterator[StaleEntry]:
    """Entries of unknown cases and requirements, and of requirements of which no case deviates any more.

    Args:
        known: the list.
        in_force: those of its entries that apply to the target.
        cases: all cases, selected for this run or not.
        results: the results of this run, with their entries.
    """
    done = list(results)
    unknown = unknown_names(known, cases)
    yield from (StaleEntry(problem.place, f"{problem.what}: {problem.hint}") for problem in unknown)
    reported = {problem.place for problem in unknown}
    for entry in in_force:
        if entry.whole_requirement and entry.place not in reported and _is_gone(entry, cases, done):
            what = f"no case of {entry.subject} is {_listed_as(entry)} as listed any more ({entry.expected!r})"
            yield StaleEntry(entry.place, f"{what}: remove the entry")


def unknown_names(known: KnownDeviations, cases: Sequence[Case]) -> list[SourceError]:
    """The entries of unknown requirements and cases."""
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
    """Whether all cases of the entry were run and decided, and none has the listed result."""
    ours = [result for result in results if result.requirement == entry.subject]
    if {case.name for case in cases if case.requirement.id == entry.subject} != {result.name for result in ours}:
        return False
    return not any(
        (result.listing is not None and result.listing.entry == str(entry.place))
        or (result.verdict is Verdict.INCONCLUSIVE and result.listing is None)
        for result in ours
    )
