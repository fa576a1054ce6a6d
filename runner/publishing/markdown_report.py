"""Renders the report as Markdown, for the summary of a CI job or a README."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from runner.execution.case_result import CaseResult, Verdict
from runner.language.message_text import plural
from runner.publishing import wording
from runner.publishing.matrix import requirement_rows
from runner.publishing.observations import observations
from runner.publishing.reported_targets import ReportedTarget, specifications_of
from runner.reporting import counts, escaping
from runner.reporting.counts import respellings

_LONGEST = 300
_MOST_FINDINGS = 30


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("runner.publishing"),
        autoescape=False,  # noqa: S701 - no HTML: the text is escaped for Markdown
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_escaped,
    )
    made.filters |= {"plural": plural, "raw": Markup}
    made.globals |= {"SIGNS": wording.SIGNS, "Verdict": Verdict, "counts": _counts}
    return made


def _escaped(value: Any) -> Any:
    return escaping.markdown(value, _LONGEST) if isinstance(value, str) and not isinstance(value, Markup) else value


def markdown_report(targets: Sequence[ReportedTarget]) -> str:
    """The matrix of requirements, the failed cases, and the observations in which targets differ."""
    return (
        _environment()
        .get_template("report.md")
        .render(
            targets=targets,
            digests=list(dict.fromkeys(target.record.run.cases_digest for target in targets)),
            tested=wording.tested(specifications_of(targets)),
            specifications=[str(specification) for specification in specifications_of(targets)],
            rows=requirement_rows(targets, {}),
            findings={target.slug: _findings(target.record.results) for target in targets},
            most=_MOST_FINDINGS,
            respellings={target.slug: respellings(target.record.results) for target in targets},
            differing=[entry for entry in observations(targets) if entry.differs],
        )
    )


def _findings(results: Sequence[CaseResult]) -> list[CaseResult]:
    """The failed cases: deviations first, then by level."""
    bad = [result for result in results if result.failed]
    return sorted(bad, key=lambda result: (result.verdict is Verdict.INCONCLUSIVE, result.effective_level.rank))


def _counts(score: counts.Score) -> str:
    """``✓ 99 of 102 decided (97 %), ? 2``."""
    parts = [f"✓ {score.conforming} of {score.decided} decided ({score.share})"] if score.decided else []
    rest = [Verdict.INCONCLUSIVE, Verdict.OBSERVED, Verdict.NOT_APPLICABLE]
    parts += [f"{wording.SIGNS[verdict]} {score.verdicts[verdict]}" for verdict in rest if score.verdicts[verdict]]
    return ", ".join(parts) or "none"
