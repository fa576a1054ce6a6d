"""The words and signs of a report. No information is shown by colour only, and no percentage without counts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from runner.execution.case_result import Verdict
from runner.language.model import Specification
from runner.reporting.conclusion import Headline, RunResults
from runner.reporting.record import Record

SIGNS = {
    Verdict.CONFORMS: "✓",
    Verdict.DEVIATES: "✗",
    Verdict.INCONCLUSIVE: "?",
    Verdict.OBSERVED: "●",
    Verdict.NOT_APPLICABLE: "\N{EN DASH}",
}
MEANINGS = {
    Verdict.CONFORMS: "behaves as specified",
    Verdict.DEVIATES: "behaves differently",
    Verdict.INCONCLUSIVE: "could not be decided because of the environment",
    Verdict.OBSERVED: "the specification is silent: the outcome is recorded, and never fails the run",
    Verdict.NOT_APPLICABLE: "tests something that this kind of server doesn't have; the target's page has the reason",
}


def tested(specifications: Iterable[Specification]) -> str:
    """The titles of the specifications that were tested."""
    return " and ".join(dict.fromkeys(specification.title for specification in specifications))


def headline(record: Record) -> Headline:
    """The text of a badge: the reason of the exit code, and whether cases were deselected."""
    results = record.results
    part = f" ({len(results)} of {record.run.cases} cases)" if len(results) < record.run.cases else ""
    whole = RunResults(results, strict=record.run.strict).headline
    return replace(whole, text=f"{whole.text}{part}")


def milliseconds(value: float) -> str:
    """A time in milliseconds as text, in ms or s."""
    return f"{value / 1000:.1f} s" if value >= 1000 else f"{value:.1f} ms"  # noqa: PLR2004 - a second
