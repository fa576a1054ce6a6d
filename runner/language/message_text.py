"""Texts of messages: printable, shortened, with plurals, and suggestions for misspelt names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_SHOWN_LENGTH = 300  # characters
_MOST_NAMES = 60
"""The most known names that a hint lists."""


def printable(text: str, kept: str = "") -> str:
    """The text with its control characters escaped, except those in ``kept``."""
    escaped = (each if each.isprintable() or each in kept else each.encode("unicode_escape").decode() for each in text)
    return "".join(escaped)


def shorten(text: str, length: int = _SHOWN_LENGTH) -> str:
    """The text as one line of at most ``length`` characters, with its control characters escaped."""
    line = printable(text)
    return line if len(line) <= length else line[: length - 1] + "…"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint that names the closest known word, in any letter case, or the known ones if none is close."""
    names = sorted(known)
    folded = {name.casefold(): name for name in names}
    close = difflib.get_close_matches(word.casefold(), folded, n=1)
    if close:
        return f"did you mean {folded[close[0]]!r}?"
    more = f", and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return f"known names: {', '.join(names[:_MOST_NAMES]) or 'nothing'}{more}"


def plural(number: int, word: str) -> str:
    """``1 case``, ``3 cases``."""
    return f"{number} {word}{'' if number == 1 else 's'}"
