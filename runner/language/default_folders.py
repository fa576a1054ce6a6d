"""The default folders of cases, and their paths in messages and arguments."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from runner.language.paths import exists

REGISTER_NAME = "requirements.yaml"
FOLDER_NAME = "cases"
_OWN = (FOLDER_NAME, f"kill/{FOLDER_NAME}")  # those that pyproject.toml puts into the wheel
_PACKAGE = Path(__file__).resolve().parents[1]
_KEYS = [re.compile(rf"^{key}[ \t]*:", re.MULTILINE) for key in ("format", "requirements")]


def looks_like_a_register(path: Path) -> bool:
    """Whether a file has the name and the top-level keys of a register; it may be invalid nevertheless.

    Other tools use files of that name, too (Ansible, Helm).
    """
    if path.name != REGISTER_NAME:
        return False
    try:
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError:
        return False
    return all(key.search(text) for key in _KEYS)


@cache
def own_folders() -> tuple[Path, ...]:
    """The folders of the registers that come with the suite: ``cases``, and ``NAME/cases`` for each other statement.

    In a checkout they are beside the package, after an installation inside it. Empty if there are none. Other folders
    of a checkout, such as a user's, are not among them.
    """
    for root in (_PACKAGE.parent, _PACKAGE):
        if looks_like_a_register(root / FOLDER_NAME / REGISTER_NAME):
            return tuple(root / name for name in _OWN if looks_like_a_register(root / name / REGISTER_NAME))
    return ()


def own_cases() -> Path | None:
    """The folder of the cases that come with the suite and are run by default, or None."""
    return next(iter(own_folders()), None)


def default_cases() -> Path | None:
    """The folder of cases that a command uses by default: ``cases`` in the working directory, or the suite's own."""
    here = Path(FOLDER_NAME).resolve()
    return here if looks_like_a_register(here / REGISTER_NAME) else own_cases()


def shown_path(path: Path) -> str:
    """A path for messages: relative to the working directory; the suite's own cases always as ``cases/...``."""
    whole, own = path.resolve(), own_cases()
    if whole.is_relative_to(Path.cwd()):
        return str(whole.relative_to(Path.cwd()))
    if own is not None and any(map(whole.is_relative_to, own_folders())):
        shown = whole.relative_to(own.parent)
        if resolved(str(shown)) != str(shown):
            return shown.as_posix()
    return str(path)


def resolved(argument: str) -> str:
    """The argument with a full path if it names one of the suite's own cases, such as ``cases/forms.yaml::name``."""
    name, separator, rest = argument.partition("::")
    path, own = Path(name), own_cases()
    if own is None or argument.startswith("-") or exists(path):
        return argument
    meant = own.parent / path
    is_own = any(folder.is_relative_to(meant) or meant.is_relative_to(folder) for folder in own_folders())
    return f"{meant}{separator}{rest}" if is_own and meant != own.parent and exists(meant) else argument
