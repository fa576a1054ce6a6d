"""GitHub Actions: annotations at the lines of failed cases, and the summary of the job."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from runner.execution.case_result import CaseResult, Standing, Verdict
from runner.gating.known_deviations import StaleEntry
from runner.language.model import Level
from runner.reporting.escaping import code, workflow_data, workflow_property
from runner.reporting.placeholders import with_placeholders

_MOST = 10  # annotations of a kind that GitHub shows for a step
_MOST_ROWS = 200  # of a table: a summary may have 1 MiB


def write_github_output(
    write: Callable[[str], None],
    head: str,
    conclusion: str,
    results: Sequence[CaseResult],
    stale: Sequence[StaleEntry],
    *,
    strict: bool,
) -> None:
    """Writes annotations and appends to the job's summary, if the environment variables of GitHub Actions are set."""
    if os.environ.get("GITHUB_ACTIONS") == "true":
        workspace = Path(os.environ.get("GITHUB_WORKSPACE") or Path.cwd()).resolve()
        for line in annotate(results, stale, strict=strict, workspace=workspace):
            write(line)
    if path := os.environ.get("GITHUB_STEP_SUMMARY"):
        text = "\n".join(job_summary(head, conclusion, results, stale, strict=strict)) + "\n"
        try:
            with Path(path).open("a", encoding="utf-8") as summary:
                summary.write(text)
        except OSError as error:
            write(f"GITHUB_STEP_SUMMARY: {path} can't be written: {error.strerror}. The run is not affected")


def annotate(
    results: Sequence[CaseResult], stale: Sequence[StaleEntry], *, strict: bool, workspace: Path
) -> Iterator[str]:
    """Workflow commands: an error for each failure, a warning for each deviation that doesn't fail the run.

    Args:
        results: the run's.
        stale: stale entries of the list of known deviations.
        strict: whether `should` failures fail the run, too.
        workspace: the repository's folder, from which GitHub counts paths.
    """
    errors = [_of_result("error", result, workspace) for result in results if result.fails(strict=strict)]
    errors += [_of_stale(entry, workspace) for entry in stale]
    warnings = [_of_result("warning", result, workspace) for result in _aside(results, strict=strict)]
    for kind, commands in (("error", errors), ("warning", warnings)):
        shown = commands if len(commands) <= _MOST else commands[: _MOST - 1]
        yield from shown
        if len(commands) > len(shown):
            more = f"{len(commands) - len(shown)} more: see the job's summary"
            yield _command(kind, {"title": "Conformance"}, more)


def _aside(results: Iterable[CaseResult], *, strict: bool) -> list[CaseResult]:
    """Failed cases that don't fail the run, unlisted ones first."""
    aside = [result for result in results if result.failed and not result.fails(strict=strict)]
    return sorted(aside, key=lambda result: result.standing is Standing.KNOWN)


def _of_result(kind: str, result: CaseResult, workspace: Path) -> str:
    result = with_placeholders(result)
    listing = result.listing
    path, _, line = result.place.rpartition(":")
    if listing is not None and listing.standing is Standing.GONE:
        path, line = listing.entry.rsplit(":", 2)[:2]
    what = "known deviation" if result.standing is Standing.KNOWN else result.verdict.value
    lines = [result.title]
    if result.verdict is Verdict.DEVIATES:
        lines += [f"expected: {result.expected}", f"actual: {result.actual}"]
    elif result.reason:
        lines += [f"reason: {result.reason}"]
    if listing is not None:
        lines += [f"listed: {listing.note}" if listing.note else f"known: {listing.reason}"]
    title = f"{result.requirement} ({result.effective_level.value}) {what}: {result.name}"
    return _command(kind, {"file": _from(workspace, path), "line": line, "title": title}, "\n".join(lines))


def _of_stale(entry: StaleEntry, workspace: Path) -> str:
    place = {"file": _from(workspace, str(entry.place.path)), "line": str(entry.place.line)}
    return _command("error", {**place, "title": "known deviations"}, entry.text)


def _from(workspace: Path, path: str) -> str:
    """A path relative to the repository; one outside of it unchanged."""
    whole = Path(path).resolve()
    return whole.relative_to(workspace).as_posix() if whole.is_relative_to(workspace) else path


def _command(kind: str, properties: dict[str, str], message: str) -> str:
    shown = ",".join(f"{name}={workflow_property(value)}" for name, value in properties.items())
    return f"::{kind} {shown}::{workflow_data(message)}"


def job_summary(
    head: str, conclusion: str, results: Sequence[CaseResult], stale: Sequence[StaleEntry], *, strict: bool
) -> Iterator[str]:
    """The run in Markdown, line by line: the verdict, counts by level, failures, other deviations.

    Args:
        head: the name and profile of the target.
        conclusion: the run in a sentence.
        results: the run's.
        stale: stale entries of the list of known deviations.
        strict: whether `should` failures fail the run, too.
    """
    yield f"## Conformance: {conclusion}"
    yield ""
    yield code(head)
    yield ""
    yield "| level | " + " | ".join(verdict.value for verdict in Verdict) + " |"
    yield "|---|" + "---|" * len(Verdict)
    for level in Level:
        counts = Counter(result.verdict for result in results if result.level is level)
        if counts:
            yield f"| {level.value} | " + " | ".join(str(counts[verdict]) for verdict in Verdict) + " |"
    yield from _table("Fails the build", [result for result in results if result.fails(strict=strict)])
    if stale:
        yield from ("", "### Stale entries in the list of known deviations", "")
        yield from (f"- {code(str(entry))}" for entry in stale)
    yield from _table("Deviates or is inconclusive, and doesn't fail the build", _aside(results, strict=strict))
    yield ""


def _table(title: str, results: Sequence[CaseResult]) -> Iterator[str]:
    if not results:
        return
    yield from ("", f"### {title}: {len(results)}", "", "| requirement | case | verdict | actual | known |")
    yield "|---|---|---|---|---|"
    for result in map(with_placeholders, results[:_MOST_ROWS]):
        known = code(result.listing.note or result.listing.reason) if result.listing else ""
        what = f"{result.verdict.value} | {code(result.outcome_text)} | {known} |"
        yield f"| {result.requirement} ({result.effective_level.value}) | {code(result.name)} | {what}"
    if len(results) > _MOST_ROWS:
        yield from ("", f"{len(results) - _MOST_ROWS} more: the record (`--record FILE.json`) lists them all.")
