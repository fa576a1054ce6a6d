"""The pages: one matrix, one page per target; each is one file that loads nothing and works without scripts."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib import resources
from itertools import groupby
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from runner.execution.verdict import CaseResult, Verdict
from runner.language.model import Level
from runner.publishing import observations, texts, wording
from runner.publishing.evidence import Evidence, Preparations, evidence
from runner.publishing.matrix import requirement_rows
from runner.publishing.subjects import Subject, specifications_of
from runner.reporting.summary import plural, respellings

_ROOMY = 5
"""Up to so many targets, the matrix has words beside the signs."""
_REQUIREMENT, _COLUMN = 18, 3.4  # rem
_EARLY = 'document.documentElement.classList.add("js")'
"""Said before the page is laid out: what the scripts fold is folded from the start."""


@cache
def environment() -> Environment:
    """The templates. Whatever a template writes is made fit to show, cut and escaped, unless it is markup of ours."""
    made = Environment(
        loader=PackageLoader("runner.publishing"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_fit,
    )
    made.filters |= {
        "foreign": _foreign,
        "block": lambda text: Markup("{}").format(texts.block(text, 4 * texts.LIMIT)),
        "anchor": texts.anchor,
        "ms": wording.milliseconds,
        "plural": plural,
        "place": observations.on_scale,
        "key": lambda verdict: verdict.name.lower().replace("_", "-"),
    }
    made.globals |= {
        "SIGNS": wording.SIGNS,
        "MEANINGS": wording.MEANINGS,
        "LEVELS": wording.LEVELS,
        "SUBJECT": wording.SUBJECT,
        "SCALE_WIDTH": observations.SCALE_WIDTH,
        "Verdict": Verdict,
        "Level": Level,
    }
    return made


def _fit(value: Any) -> Any:
    return texts.line(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _foreign(text: str, limit: int = texts.LIMIT) -> Markup:
    """A text of the target's, kept apart from the direction of what stands beside it."""
    return Markup("<bdi>{}</bdi>").format(texts.line(text, limit))


def _source(name: str) -> str:
    return (resources.files(__package__) / "templates" / name).read_text(encoding="utf-8")


def _digest(source: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"


def _page(template: str, scripts: Sequence[str], own_style: str = "", **values: Any) -> str:
    style, script = _source("style.css") + own_style, "\n".join(map(_source, scripts))
    policy = (
        f"default-src 'none'; style-src {_digest(style)}; script-src {_digest(_EARLY)} {_digest(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    page = environment().get_template(template)
    return page.render(style=Markup(style), early=Markup(_EARLY), script=Markup(script), policy=policy, **values)  # noqa: S704 - our own files


def index(subjects: Sequence[Subject]) -> str:
    """The matrix over all targets, with what was observed side by side."""
    observed = observations.observations(subjects)
    return _page(
        "index.html",
        ["page.js"],
        # Columns of one width in all its tables; how wide they are together depends on how many there are.
        f".dense{{min-width:{_REQUIREMENT + _COLUMN * len(subjects):g}rem}}",
        subjects=subjects,
        digests=_by_digest(subjects),
        specifications=specifications_of(subjects),
        rows=requirement_rows(subjects, observations.letters(subjects, observed)),
        observations=observed,
        timings=observations.timings(subjects, observed),
        roomy=len(subjects) <= _ROOMY,
    )


def _by_digest(subjects: Sequence[Subject]) -> dict[str, list[Subject]]:
    found: dict[str, list[Subject]] = {}
    for subject in subjects:
        found.setdefault(subject.record.run.cases_digest, []).append(subject)
    return found


def target(subject: Subject) -> str:
    """One target's page, with the evidence of each case."""
    preparations = Preparations()
    cases: dict[str, list[Evidence]] = {}
    for result in subject.record.results:
        cases.setdefault(result.requirement, []).append(evidence(result, preparations))
    known = [row for row in subject.record.requirements.values() if row.id in cases]
    levels = {level: [(row, cases[row.id]) for row in known if row.level is level] for level in Level}
    return _page(
        "target.html",
        ["page.js", "timeline.js"],
        subject=subject,
        specifications=subject.record.specifications,
        levels=levels,
        preparations=preparations.all,
        deviations=_deviations(subject),
        respellings=respellings(subject.record.results),
        reasons={
            verdict: _reasons(subject.record.results, verdict)
            for verdict in (Verdict.INCONCLUSIVE, Verdict.NOT_APPLICABLE)
        },
    )


def _deviations(subject: Subject) -> list[tuple[tuple[str, Level], list[CaseResult]]]:
    """What deviates, by requirement and by how it binds, in the register's order."""
    found: dict[tuple[str, Level], list[CaseResult]] = {}
    for result in subject.record.results:
        if result.verdict is Verdict.DEVIATES:
            found.setdefault((result.requirement, result.binding), []).append(result)
    levels, names = list(Level), list(subject.record.requirements)
    return sorted(found.items(), key=lambda group: (levels.index(group[0][1]), names.index(group[0][0])))


def _reasons(results: Sequence[CaseResult], verdict: Verdict) -> list[tuple[str, list[CaseResult]]]:
    """Why cases were not decided, the most frequent reason first."""
    found = sorted((result for result in results if result.verdict is verdict), key=lambda result: result.reason)
    groups = [(reason, list(cases)) for reason, cases in groupby(found, key=lambda result: result.reason)]
    return sorted(groups, key=lambda group: (-len(group[1]), group[0]))
