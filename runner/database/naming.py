"""Names of the users, tables and roles that the suite creates on a server: recognisable, dated, never used twice."""

from __future__ import annotations

import itertools
import re
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

PREFIX = "KSC_"
"""Every user, role and table of the suite starts with it, on every server and in every version."""

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_SECONDS = 6  # base-36 digits that hold a Unix time until 2038
_MARK_DIGITS = 5
_SHAPE = re.compile(rf"{PREFIX}([0-9A-Z]{{{_SECONDS}}})([0-9A-Z]{{{_MARK_DIGITS}}})_[0-9]+")
_FIRST = 1_735_689_600  # 2025-01-01: the suite is not older, so an earlier time is some other word


def new_run_mark() -> str:
    """A random mark (one of 36^5) of one process of a run, for processes that create names in the same second."""
    return _base36(secrets.randbelow(36**_MARK_DIGITS)).rjust(_MARK_DIGITS, "0")


@dataclass(frozen=True)
class Names:
    """Makes names ``KSC_<time><run_mark>_<number>``, where the time is now, not when the run began.

    An object is removed with its case, or used by later cases for ten minutes. So the age alone tells a leftover from
    an object that a long run still uses. No name begins with another one: numbers have the same length, or the time
    differs. Names stay within 30 bytes, the shortest limit among the servers in view.
    """

    run_mark: str = field(default_factory=new_run_mark)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1), repr=False)

    def new(self) -> str:
        """The next name."""
        now = _base36(int(time.time())).rjust(_SECONDS, "0")
        return f"{PREFIX}{now}{self.run_mark}_{next(self._numbers):04}"

    def extended(self, name: str) -> str:
        """The name followed by five digits; ``new`` uses four, so that no name made by ``new`` equals it."""
        return f"{name}{next(self._numbers):05}"


def in_small_letters(name: str) -> str:
    """A name of the suite in small letters, to be quoted; the prefix, by which users are found, stays in capitals."""
    return PREFIX + name.removeprefix(PREFIX).lower()


def needs_quotes(name: str) -> bool:
    """Whether a name was made by ``in_small_letters``: without quotes in a statement it would be another name."""
    return name.startswith(PREFIX) and name.removeprefix(PREFIX).islower() and _parts(name) is not None


def is_same_name(name: str, other: str) -> bool:
    """Whether two texts are the name of one user: names that need quotes are compared exactly, others in any case."""
    return name == other or (name.casefold() == other.casefold() and not needs_quotes(name) and not needs_quotes(other))


def created_at(name: str) -> int | None:
    """The Unix time at which a name was created; None if the suite didn't create it."""
    parts = _parts(name)
    return None if parts is None else int(parts[1], 36)


def run_mark_of(name: str) -> str | None:
    """The run mark in a name; None if the suite didn't create the name."""
    parts = _parts(name)
    return None if parts is None else parts[2]


def _parts(name: str) -> re.Match[str] | None:
    # Servers fold names to one letter case, this one or the other; other mixed names than the suite's quoted ones are
    # somebody's own.
    match = _SHAPE.fullmatch(name.upper() if name.removeprefix(PREFIX).islower() else name)
    return match if match is not None and int(match[1], 36) >= _FIRST else None


def _base36(number: int) -> str:
    text = ""
    while number:
        number, digit = divmod(number, 36)
        text = _DIGITS[digit] + text
    return text or "0"
