"""What GitHub Actions is told of a run: annotations at the cases' lines, and the job's summary in Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from runner.execution.verdict import CaseResult, Standing, Verdict
from runner.gating.judging import Complaint
from runner.gating.markdown import code
from runner.gating.sameness import outcome_of
from runner.language.model import Level
from runner.reporting.placeholders import with_placeholders

_MOST = 10  # annotations of a kind that GitHub shows for a step
_MOST_ROWS = 200  # of a table: a summary may have 1 MiB
_WRONG = {Verdict.DEVIATES, Verdict.INCONCLUSIVE}


def annotate(
    results: Sequence[CaseResult], complaints: Sequence[Complaint], *, strict: bool, workspace: Path
) -> Iterator[str]:
    """Workflow commands: an error for what fails the run, a warning for what is wrong and doesn't.

    Args:
        results: the run's.
        complaints: entries of the list of known deviations that are not true.
        strict: whether what should be binds, too.
        workspace: the repository's folder, from which GitHub counts paths.
    """
    errors = [_of_result("error", result, workspace) for result in results if result.fails(strict=strict)]
    errors += [_of_complaint(complaint, workspace) for complaint in complaints]
    warnings = [_of_result("warning", result, workspace) for result in _aside(results, strict=strict)]
    for kind, commands in (("error", errors), ("warning", warnings)):
        shown = commands if len(commands) <= _MOST else commands[: _MOST - 1]
        yield from shown
        if len(commands) > len(shown):
            more = f"{len(commands) - len(shown)} more: see the job's summary"
            yield _command(kind, {"title": "Conformance"}, more)


def _aside(results: Iterable[CaseResult], *, strict: bool) -> list[CaseResult]:
    """What is wrong and fails nothing; what nobody knew of comes first."""
    aside = [result for result in results if result.verdict in _WRONG and not result.fails(strict=strict)]
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
    title = f"{result.requirement} ({result.binding.value}) {what}: {result.name}"
    return _command(kind, {"file": _from(workspace, path), "line": line, "title": title}, "\n".join(lines))


def _of_complaint(complaint: Complaint, workspace: Path) -> str:
    place = {"file": _from(workspace, str(complaint.place.path)), "line": str(complaint.place.line)}
    return _command("error", {**place, "title": "known deviations"}, complaint.text)


def _from(workspace: Path, path: str) -> str:
    """A path as GitHub knows it; one outside of the repository as it is."""
    whole = Path(path).resolve()
    return whole.relative_to(workspace).as_posix() if whole.is_relative_to(workspace) else path


def _command(kind: str, properties: dict[str, str], message: str) -> str:
    shown = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    return f"::{kind} {shown}::{_data(message)}"


def _data(text: str) -> str:
    """Text behind a workflow command: it stays on its line, and can't begin a command of its own."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def job_summary(
    head: str, conclusion: str, results: Sequence[CaseResult], complaints: Sequence[Complaint], *, strict: bool
) -> Iterator[str]:
    """The run in Markdown, line by line: the verdict, counts by level, what fails, what doesn't.

    Args:
        head: what was tested.
        conclusion: the run in a sentence.
        results: the run's.
        complaints: entries of the list of known deviations that are not true.
        strict: whether what should be binds, too.
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
    if complaints:
        yield from ("", "### Stale entries in the list of known deviations", "")
        yield from (f"- {code(str(complaint))}" for complaint in complaints)
    yield from _table("Deviates or is inconclusive, and doesn't fail the build", _aside(results, strict=strict))
    yield ""


def _table(title: str, results: Sequence[CaseResult]) -> Iterator[str]:
    if not results:
        return
    yield from ("", f"### {title}: {len(results)}", "", "| requirement | case | verdict | actual | known |")
    yield "|---|---|---|---|---|"
    for result in map(with_placeholders, results[:_MOST_ROWS]):
        known = code(result.listing.note or result.listing.reason) if result.listing else ""
        what = f"{result.verdict.value} | {code(outcome_of(result))} | {known} |"
        yield f"| {result.requirement} ({result.binding.value}) | {code(result.name)} | {what}"
    if len(results) > _MOST_ROWS:
        yield from ("", f"{len(results) - _MOST_ROWS} more: the record (`--record FILE.json`) lists them all.")
