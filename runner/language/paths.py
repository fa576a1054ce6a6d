"""Checks whether a path names a file or a folder; the answer is no for a path that can't be examined.

The methods of ``pathlib.Path`` raise in a folder that may not be searched, and for a name that is too long. The code
that reads or writes the file afterwards reports the reason.
"""

from __future__ import annotations

from pathlib import Path


def exists(path: Path) -> bool:
    """Whether a file or folder has this path."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def is_folder(path: Path) -> bool:
    """Whether it is a folder."""
    return exists(path) and path.is_dir()


def is_plain_file(path: Path) -> bool:
    """Whether it is a file, not a folder, a device or a pipe."""
    return exists(path) and path.is_file()
