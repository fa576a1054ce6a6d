"""Text of servers and cases inside GitHub's Markdown: shown as it is, never read as Markdown, HTML or a mention."""

from __future__ import annotations

import re

_SPECIAL = re.compile(r"[&<>\\`*_\[\]|~$@#!]|(?<=:)/|(?<=www)\.")
_LONGEST = 300


def code(text: str) -> str:
    """Text in one line and with a limit, in the letters of a program: GitHub looks for no mentions there."""
    flat = " ".join(text.split())
    flat = flat if len(flat) <= _LONGEST else flat[: _LONGEST - 3] + "..."
    return f"<code>{_SPECIAL.sub(lambda match: f'&#{ord(match[0])};', flat)}</code>" if flat else ""
