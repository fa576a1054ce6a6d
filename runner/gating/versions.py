"""Versions of targets, compared by their numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass

_OWN = re.compile(r"(?:^|[^A-Za-z0-9])[vV]([0-9]+(?:\.[0-9]+)+)")
_FIRST = re.compile(r"[0-9]+(?:\.[0-9]+)+")


def number_of(version: str) -> tuple[int, ...] | None:
    """The numbers of what a server calls its version; None if there are none.

    A server that speaks another one's protocol says that one's version first and its own behind a v, as
    ``5.7.25-OceanBase-v4.2.1.8``: then that counts. Otherwise the first number with a dot does.
    """
    found = _OWN.findall(version) or _FIRST.findall(version)[:1]
    return parts_of(found[-1]) if found else None


def parts_of(number: str) -> tuple[int, ...]:
    """``4.2.0`` as numbers; zeros at its end say nothing."""
    parts = [int(part) for part in number.split(".")]
    while parts and not parts[-1]:
        parts.pop()
    return tuple(parts)


@dataclass(frozen=True)
class Versions:
    """A range of versions: from the first on, before the last; None has no limit."""

    first: tuple[int, ...] | None = None
    last: tuple[int, ...] | None = None

    def include(self, number: tuple[int, ...]) -> bool:
        """Whether a version lies in it."""
        return (self.first is None or self.first <= number) and (self.last is None or number < self.last)

    def __str__(self) -> str:
        """As a list of known deviations has it."""
        limits = {"from": self.first, "before": self.last}
        shown = {word: ".".join(map(str, limit)) or "0" for word, limit in limits.items() if limit is not None}
        return "{" + ", ".join(f'{word}: "{limit}"' for word, limit in shown.items()) + "}"
