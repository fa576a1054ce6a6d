"""The error that every bad YAML file gets: what, where, and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from runner.language.casefolders import shown_path

_MOST_NAMES = 60
"""So many known names are listed in a hint: more are no help."""


@dataclass(frozen=True, order=True)
class Place:
    """A spot in a file; ``line`` and ``column`` count from 1."""

    path: Path
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.shown_path}:{self.line}:{self.column}"

    @property
    def shown_path(self) -> str:
        """The path as a reader wants it: from the working directory if it is below that."""
        return shown_path(self.path)


class SourceError(Exception):
    """A file that people write (cases, register, profile) can't be used as it stands.

    Args:
        place: where the trouble is.
        what: what is wrong, in a sentence without a full stop.
        hint: what to do about it.
    """

    def __init__(self, place: Place, what: str, hint: str = "") -> None:
        super().__init__(place, what, hint)
        self.place = place
        self.what = what
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.place}: {self.what}" + (f"\n    hint: {self.hint}" if self.hint else "")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint that names the closest known word, in any letter case, or the known ones if none is close."""
    names = sorted(known)
    folded = {name.casefold(): name for name in names}
    close = difflib.get_close_matches(word.casefold(), folded, n=1)
    if close:
        return f"did you mean {folded[close[0]]!r}?"
    more = f", and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return f"known names: {', '.join(names[:_MOST_NAMES]) or 'nothing'}{more}"
