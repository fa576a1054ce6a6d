"""Conversion of a text to a session id: as OceanBase casts it to an integer, cut to 32 bits."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal

# Leading blanks and tabs are ignored, leading line feeds are not; text after the number is ignored.
_NUMBER = re.compile(r"[ \t]*([+-]?)0*([0-9]*)(\.[0-9]*)?(?:[eE]([+-]?[0-9]+))?", re.ASCII)

_LARGEST = 2**63 - 1
_SMALLEST = -(2**63)
_DIGITS = len(str(_LARGEST))
_BITS = 0xFFFFFFFF


def session_id(text: str) -> int:
    """The id in a text; 0, which no session has, if there is none."""
    return _integer(text) & _BITS


def _integer(text: str) -> int:
    match = _NUMBER.match(text)
    if match is None:  # pragma: no cover - the expression also matches the empty text
        return 0
    sign, whole, fraction, exponent = match.groups()
    limit = _SMALLEST if sign == "-" else _LARGEST
    if exponent is None and (fraction is None or fraction == "."):
        magnitude = int(whole or "0") if len(whole) <= _DIGITS else abs(limit)
    else:
        magnitude = _rounded(whole, (fraction or ".")[1:], exponent or "0")
    return max(-magnitude, limit) if sign == "-" else min(magnitude, limit)


def _rounded(whole: str, fraction: str, exponent: str) -> int:
    digits = f"{whole}{fraction}".lstrip("0")
    if not digits:
        return 0
    # Exponents are cut: larger ones give the same result.
    power = int(exponent[:6]) - len(fraction)
    if len(digits) + power > _DIGITS:
        return -_SMALLEST
    if len(digits) + power < 0:
        return 0
    value = Decimal(f"{digits[: _DIGITS + 2]}E{power + max(0, len(digits) - _DIGITS - 2)}")
    return int(value.to_integral_value(ROUND_HALF_UP))
