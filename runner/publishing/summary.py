"""The report as Markdown: for a job's summary page, or a README."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from runner.execution.verdict import CaseResult, Verdict
from runner.language.model import Level
from runner.publishing import texts, wording
from runner.publishing.matrix import requirement_rows
from runner.publishing.observations import observations
from runner.publishing.subjects import Subject, specifications_of
from runner.reporting.summary import plural, respellings

_LONGEST = 300
_MOST_FINDINGS = 30


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("runner.publishing"),
        autoescape=False,  # noqa: S701 - it is no HTML: what is written is escaped for Markdown
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_fit,
    )
    made.filters |= {"plural": plural, "raw": Markup}
    made.globals |= {"SIGNS": wording.SIGNS, "SUBJECT": wording.SUBJECT, "Verdict": Verdict, "counts": _counts}
    return made


def _fit(value: Any) -> Any:
    return texts.markdown(value, _LONGEST) if isinstance(value, str) and not isinstance(value, Markup) else value


def markdown_report(subjects: Sequence[Subject]) -> str:
    """The matrix of the requirements, what deviates or is undecided and why, and where targets differ."""
    return (
        _environment()
        .get_template("report.md")
        .render(
            subjects=subjects,
            digests=list(dict.fromkeys(subject.record.run.cases_digest for subject in subjects)),
            specifications=[str(specification) for specification in specifications_of(subjects)],
            rows=requirement_rows(subjects, {}),
            findings={subject.slug: _findings(subject.record.results) for subject in subjects},
            most=_MOST_FINDINGS,
            respellings={subject.slug: respellings(subject.record.results) for subject in subjects},
            differing=[entry for entry in observations(subjects) if entry.differs],
        )
    )


def _findings(results: Sequence[CaseResult]) -> list[CaseResult]:
    """Deviations first, what binds most first."""
    levels = list(Level)
    bad = [result for result in results if result.verdict in {Verdict.DEVIATES, Verdict.INCONCLUSIVE}]
    return sorted(bad, key=lambda result: (result.verdict is Verdict.INCONCLUSIVE, levels.index(result.binding)))


def _counts(score: wording.Score) -> str:
    """``✓ 99 of 102 decided (97 %), ? 2``."""
    parts = [f"✓ {score.conforming} of {score.decided} decided ({score.share})"] if score.decided else []
    rest = [Verdict.INCONCLUSIVE, Verdict.OBSERVED, Verdict.NOT_APPLICABLE]
    parts += [f"{wording.SIGNS[verdict]} {score.verdicts[verdict]}" for verdict in rest if score.verdicts[verdict]]
    return ", ".join(parts) or "none"
