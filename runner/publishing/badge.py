"""A badge: a small picture for a README that says how a target stands."""

from __future__ import annotations

from runner.execution.verdict import Verdict
from runner.publishing.pages import environment
from runner.publishing.wording import SIGNS, SUBJECT, Standing

_COLOURS = {Verdict.CONFORMS: "#1a6b3c", Verdict.DEVIATES: "#b3261e"}
_UNDECIDED = "#7a5200"
_CHARACTER = 6.6  # units, at the size of the template
_PADDING = 16


def badge(standing: Standing) -> str:
    """The SVG. The text says all; the colour only repeats it."""
    right = f"{SIGNS[standing.verdict]} {standing.text}"
    widths = [round(len(text) * _CHARACTER) for text in (SUBJECT, right)]
    return (
        environment()
        .get_template("badge.svg")
        .render(
            left=SUBJECT,
            right=right,
            left_text=widths[0],
            right_text=widths[1],
            left_width=widths[0] + _PADDING,
            right_width=widths[1] + _PADDING,
            colour=_COLOURS.get(standing.verdict, _UNDECIDED),
        )
    )
