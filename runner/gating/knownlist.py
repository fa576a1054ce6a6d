"""Reads a list of known deviations (``--known-deviations``): what comes instead, and why that is put up with."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.execution.verdict import CaseResult, Verdict
from runner.gating.sameness import without_times
from runner.gating.versions import Versions, number_of, parts_of
from runner.language.problems import Place, SourceError
from runner.language.yamlfile import Document, Path_, read_document

FORMAT = 1
UNFINISHED = "TODO"
"""What stands for a reason in a list that nobody has completed."""


@dataclass(frozen=True)
class KnownDeviation:
    """One entry.

    Attributes:
        subject: a case's name with its parameters, a case's id, or a requirement's.
        whole_requirement: whether it is a requirement's.
        came, pattern: what has to stand in what comes instead; both None for what is inconclusive.
        versions: the target's versions to which it applies; None is all.
        expires: the last day on which it holds.
        safety: whether it is known that a session ends which no statement named.
    """

    subject: str
    whole_requirement: bool
    verdict: Verdict
    actual: str | None
    pattern: re.Pattern[str] | None
    reason: str
    link: str
    versions: Versions | None
    expires: dt.date | None
    safety: bool
    place: Place

    def covers(self, result: CaseResult) -> bool:
        """Whether it speaks of this case."""
        names = (result.requirement,) if self.whole_requirement else (result.name, result.case_id)
        return self.subject in names

    def describes(self, actual: str) -> bool:
        """Whether this is what it says comes instead; times don't count."""
        if self.pattern is not None:
            return self.pattern.search(actual) is not None
        return self.actual is None or without_times(self.actual) in without_times(actual)

    @property
    def expected(self) -> str:
        """What it says comes instead, for people."""
        return self.actual or (f"/{self.pattern.pattern}/" if self.pattern else self.verdict.value)


@dataclass(frozen=True)
class KnownDeviations:
    """A list, in the order of its file."""

    path: Path
    entries: tuple[KnownDeviation, ...] = ()

    def in_force(self, version: str) -> tuple[KnownDeviation, ...]:
        """The entries that apply to a target of this version.

        Raises:
            SourceError: two of them name the same case, or the version has no number to compare.
        """
        number, chosen = number_of(version), []
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
    """The entry that decides about a result: the one that names most exactly; of a requirement's the one that fits."""
    covering = [entry for entry in entries if entry.covers(result)]
    covering.sort(key=lambda entry: (entry.whole_requirement, entry.subject != result.name))
    if covering and covering[0].whole_requirement:
        return next((entry for entry in covering if entry.describes(actual)), covering[0])
    return covering[0] if covering else None


def read_known_deviations(path: Path, *, unfinished: bool = False) -> KnownDeviations:
    """Reads a list.

    Args:
        path: the file.
        unfinished: whether reasons that nobody has written yet will do.

    Raises:
        SourceError: the file is no such list, or an entry lacks what it needs.
    """
    document = read_document(path, "known-deviations.schema.json", FORMAT)
    rows = enumerate(document.data["deviations"])
    return KnownDeviations(path, tuple(_entry(document, ("deviations", at), row, unfinished) for at, row in rows))


def _entry(document: Document, way: Path_, row: Mapping[str, Any], unfinished: bool) -> KnownDeviation:
    if ("case" in row) == ("requirement" in row):
        raise document.fail(way, "an entry has either a case or a requirement", "add 'case:' or 'requirement:'")
    if row["reason"].strip().upper().startswith(UNFINISHED) and not unfinished:
        raise document.fail(
            (*way, "reason"),
            "the reason is not written yet",
            f"replace {UNFINISHED} by the reason, or remove the entry",
        )
    verdict = Verdict(row.get("verdict", Verdict.DEVIATES.value))
    texts = [key for key in ("actual", "actual_pattern") if key in row]
    if len(texts) != (1 if verdict is Verdict.DEVIATES else 0):
        raise document.fail(
            (*way, *texts[:1]),
            "an entry that deviates has one of 'actual' and 'actual_pattern'; an inconclusive one has neither",
            "copy 'actual' of the record, or a part of it, to 'actual:', or write an 'actual_pattern:'",
        )
    return KnownDeviation(
        subject=row.get("case") or row["requirement"],
        whole_requirement="requirement" in row,
        verdict=verdict,
        actual=row.get("actual"),
        pattern=_pattern(document, way, row),
        reason=" ".join(row["reason"].split()),
        link=row.get("link", ""),
        versions=_versions(row.get("versions")),
        expires=_day(document, way, row),
        safety=row.get("safety", False),
        place=document.place(*way),
    )


def _pattern(document: Document, way: Path_, row: Mapping[str, Any]) -> re.Pattern[str] | None:
    if "actual_pattern" not in row:
        return None
    try:
        pattern = re.compile(row["actual_pattern"])
    except (re.error, OverflowError) as error:
        what = f"is not a valid regular expression: {error}"
        raise document.fail((*way, "actual_pattern"), what, "the syntax is that of Python's re module") from error
    if pattern.search(""):
        what = f"{row['actual_pattern']!r} matches every text, and would accept any result"
        raise document.fail((*way, "actual_pattern"), what, "check | and *")
    return pattern


def _versions(row: Mapping[str, str | int] | None) -> Versions | None:
    if row is None:
        return None
    first, last = (parts_of(str(row[key])) if key in row else None for key in ("from", "before"))
    return Versions(first, last)


def _day(document: Document, way: Path_, row: Mapping[str, Any]) -> dt.date | None:
    try:
        return dt.date.fromisoformat(row["expires"]) if "expires" in row else None
    except ValueError as error:
        raise document.fail((*way, "expires"), f"{row['expires']} is not a date", "write it as 2027-01-31") from error
