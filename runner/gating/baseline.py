"""Writes a list of known deviations from a record, to be completed with reasons."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import yaml

from runner.execution.case_result import CaseResult, Verdict
from runner.gating.known_deviations import FORMAT, UNFINISHED, KnownDeviation, KnownDeviations, entry_for
from runner.language.problems import Place
from runner.reporting.record import Record

_HARMFUL = f"{UNFINISHED}: an unrelated session was killed; accept this only with a good reason"


def entries_of(
    record: Record, existing: KnownDeviations | None = None, *, inconclusive: bool = False
) -> list[KnownDeviation]:
    """The entries with which the recorded run would pass. Reasons of new entries are still to be written.

    Args:
        record: the run.
        existing: a list to update. Entries that still describe their case are kept, entries of cases that no longer
            fail are removed, and entries of cases that fail in another way get a new reason to be written.
        inconclusive: whether inconclusive cases are listed, too.

    Raises:
        SourceError: the existing list doesn't fit the record's target.
    """
    here = existing.in_force(record.target.version) if existing else ()
    others = [entry for entry in existing.entries if entry not in here] if existing else []
    kept = [renewed for entry in here for renewed in _renewed(entry, record.results)]
    for result in record.results:
        if not (result.failed if inconclusive else result.verdict is Verdict.DEVIATES):
            continue
        entry = entry_for(result, kept, result.actual)
        if entry is None:
            kept.append(_entry(result, _HARMFUL if result.safety else UNFINISHED))
        elif not _describes(entry, result):
            new = _entry(result, f"{UNFINISHED}: the case fails in another way now; the reason before: {entry.reason}")
            if entry.subject == result.name:
                kept[kept.index(entry)] = replace(new, link=entry.link, versions=entry.versions, expires=entry.expires)
            else:
                kept.append(new)
    return others + kept


def _renewed(entry: KnownDeviation, results: Sequence[CaseResult]) -> list[KnownDeviation]:
    """An entry without the cases that don't fail any more. A case that was not run isn't fixed."""
    ours = [result for result in results if entry.covers(result)]
    failed = [result for result in ours if result.failed]
    if len(failed) == len(ours) or (failed and entry.whole_requirement):
        return [entry]
    return [replace(entry, subject=result.name) for result in failed]


def _describes(entry: KnownDeviation, result: CaseResult) -> bool:
    same = entry.verdict is result.verdict and entry.describes(result.actual)
    return same and (entry.safety == result.safety or (entry.whole_requirement and entry.safety))


def _entry(result: CaseResult, reason: str) -> KnownDeviation:
    deviates = result.verdict is Verdict.DEVIATES
    return KnownDeviation(
        subject=result.name,
        whole_requirement=False,
        verdict=result.verdict,
        actual=result.actual if deviates else None,
        pattern=None,
        reason=reason,
        link="",
        versions=None,
        expires=None,
        safety=result.safety,
        place=Place(Path(result.place)),
    )


def lines(record: Record, entries: Sequence[KnownDeviation]) -> Iterator[str]:
    """The lines of the YAML file."""
    results = {result.name: result for result in record.results}
    yield f"# Known deviations of {record.target.name}, with reasons. docs/known-deviations.md explains the keys."
    yield f"format: {FORMAT}"
    yield "deviations:" + ("" if entries else " []")
    for entry in entries:
        result = results.get(entry.subject)
        if result is not None:
            yield f"  # {result.requirement} ({result.effective_level.value}): {result.title}"
        first, *others = _keys(entry)
        yield f"  - {first}"
        yield from (f"    {key}" for key in others)


def _keys(entry: KnownDeviation) -> Iterator[str]:
    yield f"{'requirement' if entry.whole_requirement else 'case'}: {_quoted(entry.subject)}"
    if entry.verdict is not Verdict.DEVIATES:
        yield f"verdict: {entry.verdict.value}"
    if entry.actual is not None:
        yield f"actual: {_quoted(entry.actual)}"
    if entry.pattern is not None:
        yield f"actual_pattern: {_quoted(entry.pattern.pattern)}"
    if entry.safety:
        yield "safety: true"
    yield f"reason: {_quoted(entry.reason)}"
    if entry.link:
        yield f"link: {_quoted(entry.link)}"
    if entry.versions is not None:
        yield f"versions: {entry.versions}"
    if entry.expires is not None:
        yield f"expires: {_quoted(str(entry.expires))}"


def _quoted(text: str) -> str:
    """Text in double quotes, on one line."""
    return yaml.dump(text, default_style='"', allow_unicode=True, width=10**9).rstrip("\n")
