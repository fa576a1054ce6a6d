"""Checks the values of options and arguments of all commands: an empty one is rejected."""

from __future__ import annotations

import argparse
from pathlib import Path


def given_text(text: str) -> str:
    """A value as given, but not an empty one: it comes from an unset variable, and the option would have no effect.

    Raises:
        argparse.ArgumentTypeError: it is empty.
    """
    if not text.strip():
        raise argparse.ArgumentTypeError("the value is empty; give one, or remove the option")
    return text


def given_path(text: str) -> Path:
    """A path, not an empty one, which would be the current folder.

    Raises:
        argparse.ArgumentTypeError: it is empty.
    """
    return Path(given_text(text))
