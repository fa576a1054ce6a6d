"""All session ids that a lenient server could read in a guarded statement.

It is complete for statements that ``guarded_statements.shape_problem`` accepts: their numbers are runs of digits,
some with a sign or a fraction, and the only thing that servers may join is what stands before and behind a comma
without a blank.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection

from runner.language.guarded_statements import texts_of_ids

UNSIGNED_BITS = (32, 64)
SIGNED_BITS = (31, 63)
"""The bits of the integers that servers have for ids. No server has 16: they would be used up within an hour."""

_NUMBER = re.compile(r"(?P<minus>-?)(?P<digits>[0-9]+)(?:\.(?P<fraction>[0-9]))?")
_THOUSANDS = re.compile(r"(?<=[0-9]),(?=[0-9])")
_BUFFERS = range(9, 65)  # digits in the shortest and the longest buffer for a number


def possible_ids(statement: str, widths: Collection[int] = (*SIGNED_BITS, *UNSIGNED_BITS)) -> set[int]:
    """The ids that a server could read in a statement.

    Args:
        statement: the statement.
        widths: the bits of the integers that the server may have for ids.
    """
    texts = {statement, _THOUSANDS.sub("", statement)}
    matches = [match for text in texts for match in _NUMBER.finditer(text)]
    numbers = set[int]().union(*(_fitted(_written(match), match["minus"], widths) for match in matches))
    return numbers | {0} if not matches or any(map(_may_lack_number, texts_of_ids(statement))) else numbers


def _may_lack_number(text: str) -> bool:
    """Whether a server may find no digit at the start of a text or of one of its parts, which it reads as 0.

    All servers skip blanks; some neither skip a tab nor accept a sign.
    """
    return not all(re.match(" *[0-9]", part) for part in text.split(","))


def _written(match: re.Match[str]) -> set[int]:
    """The values of a number: decimal and octal, whole and cut at the end of a buffer, rounded, and as a float."""
    digits, fraction = match["digits"], match["fraction"]
    runs = {run[:length] for run in (digits, digits.lstrip("0") or "0") for length in (len(run), *_BUFFERS)}
    numbers = {int(run) for run in runs}
    numbers |= {int(octal[0], 8) for run in runs if (octal := re.match("0[0-7]*", run))}
    numbers |= {int(number) for number in map(float, {*runs, match[0].lstrip("-")}) if math.isfinite(number)}
    return numbers | {int(fraction), int(digits) + (fraction >= "5")} if fraction else numbers


def _fitted(numbers: set[int], minus: str, widths: Collection[int]) -> set[int]:
    """The numbers themselves, limited to the largest and smallest integer, negative, and wrapped."""
    largest = max(numbers)
    numbers = numbers | {2**width - 1 for width in widths if largest >= 2**width}
    if minus:
        below = {-number for number in numbers} | {-(2**width) for width in SIGNED_BITS if largest >= 2**width}
        numbers = numbers | {0} | {number % 2**width for number in below for width in UNSIGNED_BITS}
    return numbers | {number % 2**width for number in numbers for width in widths}
