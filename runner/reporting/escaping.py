"""Escapes text that a target or a record contains: for pages, Markdown, GitHub, file names and links.

Control characters and marks that change the direction of writing become escapes. Text beyond a limit is cut.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Collection

from runner.language.message_text import printable

LIMIT = 1000
"""The characters of one text that a page shows."""

_SLUG = 60
_TAKEN_BY_SYSTEMS = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])")
_ANCHOR = re.compile(r"[^\w.\[\]+=,-]", re.ASCII)
_MARKDOWN = re.compile(r"[\\`*_\[\]|~$]|#(?=\d)")  # markup in the middle of a line
_ENTITIES = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    "@": "&#64;",  # GitHub notifies the person behind it
    "://": "&#58;//",
    "www.": "www&#46;",
}
_ENTITY = re.compile("|".join(map(re.escape, _ENTITIES)))
_CODE = re.compile(r"[&<>\\`*_\[\]|~$@#!]|(?<=:)/|(?<=www)\.")
_LONGEST_CODE = 300


def one_line(text: str, limit: int = LIMIT) -> str:
    """The text on one line: line breaks and tabs are escaped, too."""
    return _cut(text, limit, "")


def several_lines(text: str, limit: int = LIMIT) -> str:
    """The text with its line breaks and tabs."""
    return _cut(text, limit, "\n\t")


def _cut(text: str, limit: int, kept: str) -> str:
    shown = printable(text[:limit], kept)
    return shown if len(text) <= limit else f"{shown}… [cut: {len(text)} characters]"


def slug(name: str, taken: Collection[str]) -> str:
    """A file name without suffix that is valid on all systems and not in ``taken``."""
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
    """The fragment of a link to a case or requirement: its name if a URL can contain it; the same on all pages."""
    fit = _ANCHOR.sub("-", name[:_SLUG])
    return fit if fit == name else f"{fit}-{hashlib.sha256(name.encode('utf-8', 'replace')).hexdigest()[:8]}"


def markdown(text: str, limit: int = LIMIT) -> str:
    """The text on one line of Markdown, without markup, HTML or mentions."""
    escaped = _MARKDOWN.sub(r"\\\g<0>", one_line(text, limit))
    return _ENTITY.sub(lambda found: _ENTITIES[found[0]], escaped)


def code(text: str) -> str:
    """The text as code on one line of limited length, for Markdown of GitHub; without Markdown, HTML or mentions."""
    flat = " ".join(text.split())
    flat = flat if len(flat) <= _LONGEST_CODE else flat[: _LONGEST_CODE - 3] + "..."
    return f"<code>{_CODE.sub(lambda match: f'&#{ord(match[0])};', flat)}</code>" if flat else ""


def workflow_data(text: str) -> str:
    """The text as the message of a workflow command of GitHub: it can't start another line or command."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def workflow_property(text: str) -> str:
    """The text as the value of a property of a workflow command."""
    return workflow_data(text).replace(":", "%3A").replace(",", "%2C")
