"""SQL values, and conversions between numbers and text."""

from __future__ import annotations

import re
from decimal import Decimal

from runner.simulator import errors

Value = int | Decimal | str | None

LARGEST_EXPONENT = 126
LONGEST_NUMBER = 200
LONGEST_TEXT = 32_767

_NUMBER = re.compile(r"\s*([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE]([+-]?[0-9]{1,6}))?)\s*")
_INTEGER = re.compile(r"[+-]?[0-9]+")


def number(text: str) -> int | Decimal:
    """Converts text to a number."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise errors.not_a_number()
    if len(match[1]) > LONGEST_NUMBER or abs(int(match[2] or 0)) > LARGEST_EXPONENT:
        raise errors.number_overflow()
    return int(match[1]) if _INTEGER.fullmatch(match[1]) else Decimal(match[1])


def as_number(value: int | Decimal | str) -> int | Decimal:
    """Converts a value to a number."""
    return number(value) if isinstance(value, str) else value


def as_text(value: int | Decimal | str) -> str:
    """Converts a value to text; numbers without an exponent and without trailing zeros."""
    if isinstance(value, Decimal):
        text = f"{value or 0:f}"  # 0 for -0, which no server shows
        return text.rstrip("0").rstrip(".") if "." in text else text
    return str(value)
