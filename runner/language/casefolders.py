"""Where cases are, if none are named: those of the working directory, of the checkout, or of the installed package."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

REGISTER_NAME = "requirements.yaml"
FOLDER_NAME = "cases"
_PACKAGE = Path(__file__).resolve().parents[1]
_KEYS = [re.compile(rf"^{key}[ \t]*:", re.MULTILINE) for key in ("format", "requirements")]


def looks_like_a_register(path: Path) -> bool:
    """Whether a file has the top-level keys of a register; whether it is a valid one is for the reader to find out.

    Other tools have files of that name, too (Ansible, Helm), and folders called cases: nothing there is ours.
    """
    if path.name != REGISTER_NAME:
        return False
    try:
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError:
        return False
    return all(key.search(text) for key in _KEYS)


@cache
def own_cases() -> Path | None:
    """The cases that come with the suite: in a checkout beside the package, installed in it; None if there are none."""
    folders = (_PACKAGE.parent / FOLDER_NAME, _PACKAGE / FOLDER_NAME)
    return next((folder for folder in folders if looks_like_a_register(folder / REGISTER_NAME)), None)


def default_cases() -> Path | None:
    """The cases that a command takes if none are named: the folder ``cases`` here, or else the suite's own."""
    here = Path(FOLDER_NAME).resolve()
    return here if looks_like_a_register(here / REGISTER_NAME) else own_cases()


def shown_path(path: Path) -> str:
    """A path as a reader wants it: from the working directory; the suite's own cases as ``cases/...`` from anywhere."""
    whole, own = path.resolve(), own_cases()
    if whole.is_relative_to(Path.cwd()):
        return str(whole.relative_to(Path.cwd()))
    if own is not None and whole.is_relative_to(own) and own == default_cases():
        return whole.relative_to(own.parent).as_posix()
    return str(path)


def resolved(argument: str) -> str:
    """What an argument stands for: ``cases/forms.yaml::name`` names one of the suite's own cases from anywhere."""
    name, separator, rest = argument.partition("::")
    path, own = Path(name), own_cases()
    if own is None or path.parts[:1] != (FOLDER_NAME,) or path.exists() or not (own.parent / path).exists():
        return argument
    return f"{own.parent / path}{separator}{rest}"
