"""Every session id that a lenient server could read in a statement.

Servers cut a text at a comma, cast what leads it, round a fraction, take an exponent, join quoted texts, wrap or stop
at the largest number of 32 or 64 bits, read a sign or hexadecimal digits. The guard has to think of all of it.
"""

from __future__ import annotations

import decimal
import re
from collections.abc import Iterator
from decimal import Decimal

WRAPS = (2**32, 2**64)
LARGEST = (2**31 - 1, 2**32 - 1, 2**63 - 1, 2**64 - 1)
"""Where servers stop that don't wrap."""

_RUN = re.compile(r"[0-9]+")
_HEXADECIMAL = re.compile(r"0[xX]([0-9a-fA-F]+)")
_LITERAL = re.compile(r"(?P<mantissa>[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE](?P<exponent>[+-]?[0-9]+))?")
_JOINT = re.compile(r"'\s*'|\"\s*\"")
_TIGHT_COMMA = re.compile(r"(?<=[0-9]),(?=[0-9])")
_OCTAL = re.compile(r"(?<![0-9])0[0-7]+(?![0-9])")
_FARTHEST = 400  # powers of ten: beyond it every number is nothing, or the largest there is


def readings(statement: str) -> set[int]:
    """The numbers; see the module."""
    numbers = {0}  # what a text without a number is read as
    for text in (statement, _JOINT.sub("", statement), _TIGHT_COMMA.sub("", statement)):
        numbers.update(int(Decimal(run)) for run in _RUN.findall(text))
        numbers.update(int(run[:_FARTHEST], 8) for run in _OCTAL.findall(text))
        numbers.update(int(run, 16) for run in _HEXADECIMAL.findall(text))
        for literal in _LITERAL.finditer(text):
            numbers.update(_values(literal["mantissa"], literal["exponent"]))
    if "-" in statement:
        numbers |= {-number % wrap for number in numbers for wrap in WRAPS}
    if any(number >= WRAPS[0] for number in numbers):
        numbers.update(LARGEST)
    return numbers | {number % wrap for number in numbers for wrap in WRAPS}


def _values(mantissa: str, exponent: str | None) -> Iterator[int]:
    """A literal cut and rounded, with its exponent and without."""
    with decimal.localcontext() as context:
        context.prec = len(mantissa) + _FARTHEST + 10
        value = Decimal(mantissa)
        yield from _integers(value)
        if exponent is None:
            return
        power = Decimal(exponent)
        if abs(power) <= _FARTHEST:
            yield from _integers(value.scaleb(int(power)))
        elif power > 0 and value:
            yield WRAPS[1]
        else:
            yield 0


def _integers(value: Decimal) -> tuple[int, int]:
    return int(value), int(value.to_integral_value(decimal.ROUND_HALF_UP))
