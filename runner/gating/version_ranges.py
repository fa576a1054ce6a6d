"""Versions of servers: their numbers, and the ranges of versions in a list of known deviations."""

from __future__ import annotations

import re
from dataclasses import dataclass

_OWN = re.compile(r"(?:^|[^A-Za-z0-9])[vV]([0-9]+(?:\.[0-9]+)+)")
_FIRST = re.compile(r"[0-9]+(?:\.[0-9]+)+")


def numbers_in(version: str) -> tuple[int, ...] | None:
    """The numbers in the version of a server; None if there are none.

    A server that implements the protocol of another product often puts that version first, and its own version
    behind a v, as in ``5.7.25-OceanBase-v4.2.1.8``: then that one counts, otherwise the first number with a dot.
    """
    found = _OWN.findall(version) or _FIRST.findall(version)[:1]
    return parts_of(found[-1]) if found else None


def parts_of(number: str) -> tuple[int, ...]:
    """The numbers of ``4.2.0``, without zeros at the end."""
    parts = [int(part) for part in number.split(".")]
    while parts and not parts[-1]:
        parts.pop()
    return tuple(parts)


@dataclass(frozen=True)
class VersionRange:
    """A range of versions, from the first (included) to the last (excluded); None: no limit."""

    first: tuple[int, ...] | None = None
    last: tuple[int, ...] | None = None

    def include(self, number: tuple[int, ...]) -> bool:
        """Whether a version is in the range."""
        return (self.first is None or self.first <= number) and (self.last is None or number < self.last)

    def __str__(self) -> str:
        """The range as in a list of known deviations."""
        limits = {"from": self.first, "before": self.last}
        shown = {word: ".".join(map(str, limit)) or "0" for word, limit in limits.items() if limit is not None}
        return "{" + ", ".join(f'{word}: "{limit}"' for word, limit in shown.items()) + "}"
