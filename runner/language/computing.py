"""Statements that make the server compute what they name, so that nobody can tell beforehand which sessions end.

The guard reads the numbers in a statement's text. MariaDB, for one, also takes ``KILL (SELECT MAX(id) …)``, ``KILL @n``
and ``KILL USER name``, none of which has a number. Such statements are refused in case files, and before they are sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_PARTS = re.compile(
    r"""'(?P<single>(?:[^']|'')*)(?:'|$) | "(?P<double>(?:[^"]|"")*)(?:"|$) | /\*(?![!+M]).*?\*/ | --(?:\s[^\n]*|$)""",
    re.VERBOSE | re.DOTALL,
)
"""What is text or comment on every server: MySQL runs ``/*! … */`` and reads ``5--3`` as a sum."""

_COMPUTED = re.compile(
    r"""[(|*/%^&~<>=?] | @\s*[\w@'"`] | :\s*\w | /\*[!+M] | [\w'"`)]\s*[+-] | \+\s*\+ | -\s*-"""
    r""" | \b(?:SELECT|USER|DIV|MOD|XOR|CASE)\b""",
    re.VERBOSE | re.IGNORECASE,
)


def computed(statement: str, guarded: str) -> str | None:
    """What in a statement the server would compute, or None.

    Args:
        statement: one that can end sessions.
        guarded: the word of such statements; a quoted text that holds it is a statement itself.
    """
    if "\\'" in statement or '\\"' in statement:
        return "\\ before a quote"  # servers differ about where the text ends
    for text in (_PARTS.sub(" ' ", statement), *_quoted_statements(statement, guarded)):
        found = _COMPUTED.search(text)
        if found is not None:
            return found[0].strip("'\"` ") or found[0]
    return None


def _quoted_statements(statement: str, guarded: str) -> Iterator[str]:
    for match in _PARTS.finditer(statement):
        inner = (match["single"] or "").replace("''", "'") or (match["double"] or "").replace('""', '"')
        if guarded.casefold() in inner.casefold():
            yield _PARTS.sub(" ' ", inner)
            yield from _quoted_statements(inner, guarded)
