"""Renders the HTML pages and badges of a report, and writes all its files, with the Markdown report.

Each page is one file that loads nothing else and works without scripts.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib import resources
from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from runner.execution.case_result import CaseResult, Verdict
from runner.language.message_text import plural
from runner.language.model import Level
from runner.publishing import observations, wording
from runner.publishing.markdown_report import markdown_report
from runner.publishing.matrix import requirement_rows
from runner.publishing.page_evidence import Evidence, Preparations, evidence
from runner.publishing.reported_targets import ReportedTarget, specifications_of
from runner.reporting import escaping
from runner.reporting.conclusion import LEVEL_MEANINGS, Headline
from runner.reporting.counts import respellings
from runner.reporting.written_file import write_whole

_ROOMY = 5
"""The most targets for which the matrix has words beside the signs."""
_REQUIREMENT, _COLUMN = 18, 3.4  # rem
_COLOURS = {Verdict.CONFORMS: "#1a6b3c", Verdict.DEVIATES: "#b3261e"}
_UNDECIDED_COLOUR = "#7a5200"
_CHARACTER_WIDTH = 6.6  # units of the badge's template
_BADGE_PADDING = 16
_LONGEST_BADGE = 60
_EARLY = 'document.documentElement.classList.add("js")'
"""Runs before the layout of the page, so that the parts that scripts fold are folded from the start."""


@cache
def _environment() -> Environment:
    """The templates. Their text is cut and escaped, unless it is our own markup."""
    made = Environment(
        loader=PackageLoader("runner.publishing"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_escaped,
    )
    made.filters |= {
        "target_text": _target_text,
        "block": lambda text: Markup("{}").format(escaping.several_lines(text, 4 * escaping.LIMIT)),
        "anchor": escaping.anchor,
        "ms": wording.milliseconds,
        "plural": plural,
        "place": observations.on_scale,
        "key": lambda verdict: verdict.name.lower().replace("_", "-"),
    }
    made.globals |= {
        "SIGNS": wording.SIGNS,
        "MEANINGS": wording.MEANINGS,
        "LEVELS": LEVEL_MEANINGS,
        "SCALE_WIDTH": observations.SCALE_WIDTH,
        "Verdict": Verdict,
        "Level": Level,
    }
    return made


def _escaped(value: Any) -> Any:
    return escaping.one_line(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _target_text(text: str, limit: int = escaping.LIMIT) -> Markup:
    """Text of a target; its writing direction doesn't affect the text around it."""
    return Markup("<bdi>{}</bdi>").format(escaping.one_line(text, limit))


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
    page = _environment().get_template(template)
    return page.render(style=Markup(style), early=Markup(_EARLY), script=Markup(script), policy=policy, **values)  # noqa: S704 - our own files


def index_page(targets: Sequence[ReportedTarget]) -> str:
    """The page with the matrix over all targets and the observations side by side."""
    observed = observations.observations(targets)
    return _page(
        "index.html",
        ["page.js"],
        # All tables have columns of the same width; their total width depends on the number of targets.
        f".dense{{min-width:{_REQUIREMENT + _COLUMN * len(targets):g}rem}}",
        targets=targets,
        digests=_by_digest(targets),
        specifications=specifications_of(targets),
        tested=wording.tested(specifications_of(targets)),
        rows=requirement_rows(targets, observations.letters(targets, observed)),
        observations=observed,
        timings=observations.timings(targets, observed),
        roomy=len(targets) <= _ROOMY,
    )


def _by_digest(targets: Sequence[ReportedTarget]) -> dict[str, list[ReportedTarget]]:
    found: dict[str, list[ReportedTarget]] = {}
    for target in targets:
        found.setdefault(target.record.run.cases_digest, []).append(target)
    return found


def target_page(target: ReportedTarget) -> str:
    """The page of one target, with the evidence for each case."""
    preparations = Preparations()
    cases: dict[str, list[Evidence]] = {}
    for result in target.record.results:
        cases.setdefault(result.requirement, []).append(evidence(result, preparations))
    known = [row for row in target.record.requirements.values() if row.id in cases]
    levels = {level: [(row, cases[row.id]) for row in known if row.level is level] for level in Level}
    return _page(
        "target.html",
        ["page.js", "timeline.js"],
        target=target,
        specifications=target.record.specifications,
        levels=levels,
        preparations=preparations.all,
        deviations=_deviations(target),
        respellings=respellings(target.record.results),
        reasons={
            verdict: _reasons(target.record.results, verdict)
            for verdict in (Verdict.INCONCLUSIVE, Verdict.NOT_APPLICABLE)
        },
    )


def _deviations(target: ReportedTarget) -> list[tuple[tuple[str, Level], list[CaseResult]]]:
    """The deviations, by requirement and effective level, in the register's order."""
    found: dict[tuple[str, Level], list[CaseResult]] = {}
    for result in target.record.results:
        if result.verdict is Verdict.DEVIATES:
            found.setdefault((result.requirement, result.effective_level), []).append(result)
    names = list(target.record.requirements)
    return sorted(found.items(), key=lambda group: (group[0][1].rank, names.index(group[0][0])))


def _reasons(results: Sequence[CaseResult], verdict: Verdict) -> list[tuple[str, list[CaseResult]]]:
    """The reasons for which cases were not decided, with the cases, the most frequent reason first."""
    found = sorted((result for result in results if result.verdict is verdict), key=lambda result: result.reason)
    groups = [(reason, list(cases)) for reason, cases in groupby(found, key=lambda result: result.reason)]
    return sorted(groups, key=lambda group: (-len(group[1]), group[0]))


def badge_svg(tested: str, headline: Headline) -> str:
    """A badge as SVG. The colour adds nothing to the text.

    Args:
        tested: the title of the specification.
        headline: the result of the run.
    """
    left = escaping.one_line(tested, _LONGEST_BADGE)
    right = f"{wording.SIGNS[headline.verdict]} {headline.text}"
    widths = [round(len(text) * _CHARACTER_WIDTH) for text in (left, right)]
    return (
        _environment()
        .get_template("badge.svg")
        .render(
            left=left,
            right=right,
            left_text=widths[0],
            right_text=widths[1],
            left_width=widths[0] + _BADGE_PADDING,
            right_width=widths[1] + _BADGE_PADDING,
            colour=_COLOURS.get(headline.verdict, _UNDECIDED_COLOUR),
        )
    )


def write_report(targets: Sequence[ReportedTarget], folder: Path) -> list[Path]:
    """Writes ``index.html``, ``report.md``, and a page and a badge per target; equal records give equal files.

    Raises:
        OSError: a file can't be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = {"index.html": index_page(targets), "report.md": markdown_report(targets)}
    for target in targets:
        files[target.page] = target_page(target)
        files[f"{target.slug}.svg"] = badge_svg(target.tested, target.headline)
    for name, text in files.items():
        write_whole(folder / name, text, errors="backslashreplace")
    return [folder / name for name in files]
