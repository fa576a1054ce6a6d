"""Writes a file atomically: a reader never sees a part of it."""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(path: Path, text: str, *, errors: str = "strict") -> None:
    """Writes a file atomically: a reader never sees a part of it, and without space for it the old one remains.

    The file behind a symbolic link is written, and the link remains.

    Raises:
        OSError: it can't be written.
    """
    whole = Path(os.path.realpath(path))
    draft = whole.with_name(whole.name + ".part")
    try:
        draft.write_text(text, encoding="utf-8", errors=errors, newline="\n")
        draft.replace(whole)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
