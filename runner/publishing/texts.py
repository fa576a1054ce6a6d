"""Texts that a target, or whoever wrote the record, chose: made fit to show, to name files by, to link to.

Control characters and marks that change the direction of writing are shown as escapes; what is longer than anybody
reads is cut, and says so.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Collection

LIMIT = 1000
"""Characters of one text that a page shows."""

_SLUG = 60
_TAKEN_BY_SYSTEMS = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])")
_ANCHOR = re.compile(r"[^\w.\[\]+=,-]", re.ASCII)
_MARKDOWN = re.compile(r"[\\`*_\[\]|~$]|#(?=\d)")  # what is markup in the middle of a line
_ENTITIES = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    "@": "&#64;",
    "://": "&#58;//",
    "www.": "www&#46;",
}  # @ calls people
_ENTITY = re.compile("|".join(map(re.escape, _ENTITIES)))


def line(text: str, limit: int = LIMIT) -> str:
    """One line of it."""
    return _cut(text, limit, "")


def block(text: str, limit: int = LIMIT) -> str:
    """The same with its line breaks and tabs."""
    return _cut(text, limit, "\n\t")


def _cut(text: str, limit: int, kept: str) -> str:
    shown = "".join(
        char if char.isprintable() or char in kept else char.encode("unicode_escape").decode("ascii")
        for char in text[:limit]
    )
    return shown if len(text) <= limit else f"{shown}… [cut: {len(text)} characters]"


def slug(name: str, taken: Collection[str]) -> str:
    """A file name without its ending that is safe everywhere, and not among ``taken``."""
    ascii_name = unicodedata.normalize("NFKD", name[:LIMIT]).encode("ascii", "ignore").decode("ascii").lower()
    base = re.sub(r"[^a-z0-9]+", "-", ascii_name)[:_SLUG].strip("-") or "target"
    if _TAKEN_BY_SYSTEMS.fullmatch(base):
        base = f"target-{base}"
    found, number = base, 1
    while found in taken:
        number += 1
        found = f"{base}-{number}"
    return found


def anchor(name: str) -> str:
    """What a link calls a case: its name, wherever that can stand in an address; the same on all pages."""
    fit = _ANCHOR.sub("-", name[:_SLUG])
    return fit if fit == name else f"{fit}-{hashlib.sha256(name.encode('utf-8', 'replace')).hexdigest()[:8]}"


def markdown(text: str, limit: int = LIMIT) -> str:
    """One line in which nothing is markup."""
    escaped = _MARKDOWN.sub(r"\\\g<0>", line(text, limit))
    return _ENTITY.sub(lambda found: _ENTITIES[found[0]], escaped)
