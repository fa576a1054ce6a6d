"""Finds and reads registers: ``requirements.yaml``, in the folder of the cases or in a folder above it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from runner.language.default_folders import REGISTER_NAME, looks_like_a_register
from runner.language.message_text import did_you_mean
from runner.language.model import (
    ACCEPTED,
    ANSWERED,
    GONE,
    KNOWN,
    Capability,
    Example,
    Level,
    Presumed,
    Register,
    Requirement,
    Specification,
    Vocabulary,
)
from runner.language.problems import Place, SourceError
from runner.language.schema_check import read_document
from runner.language.yaml_file import Document, KeyPath

FORMAT = 1


def find_register(case_file: Path) -> Register:
    """The register of a case file.

    Raises:
        SourceError: there is none in the file's folder or above it, or it can't be read.
    """
    return read_register(register_folder(case_file) / REGISTER_NAME)


def register_folder(case_file: Path) -> Path:
    """The folder of the register of a case file; all cases of one register are in it or below it.

    Raises:
        SourceError: there is none in the file's folder or above it.
    """
    folder = nearest_register_folder(case_file)
    if folder is None:
        raise SourceError(
            Place(case_file),
            f"there is no {REGISTER_NAME} in this folder or above it",
            "put the case file in or below a folder with a register",
        )
    return folder


def nearest_register_folder(case_file: Path) -> Path | None:
    """The nearest folder with a register: the file's own or one above it; None if there is none."""
    folders = case_file.resolve().parents
    return next((folder for folder in folders if looks_like_a_register(folder / REGISTER_NAME)), None)


def refuse_nested(folders: Iterable[Path]) -> None:
    """Checks that no register is below the folder of another one, whose cases would include those of the first.

    Args:
        folders: the folders of registers.

    Raises:
        SourceError: one is; at the inner one.
    """
    for folder in folders:
        own = folder / REGISTER_NAME
        for outer in folder.parents:
            if _is_register(path := outer / REGISTER_NAME):
                raise _nested(own, path)
        for inner in sorted(folder.rglob(REGISTER_NAME)):
            if inner != own:
                raise _nested(inner, own)


def _is_register(path: Path) -> bool:
    """Whether a file is a valid register, and not another tool's requirements.yaml in a folder above."""
    try:
        return path.is_file() and bool(read_register(path).requirements)
    except SourceError:
        return False


def _nested(inner: Path, outer: Path) -> SourceError:
    what = f"this register is in the folder of another register, {Place(outer)}"
    return SourceError(Place(inner), what, "move one of them: each register has a folder of its own")


@cache
def read_register(path: Path) -> Register:
    """Reads a register file.

    Raises:
        SourceError: the file isn't a register.
    """
    document = read_document(path, "register.schema.json", FORMAT)
    data = document.data
    capabilities = _capabilities(document)
    requirements = {
        name: Requirement(
            name,
            Level(row["level"]),
            row["text"],
            tuple(row.get("about", ())),
            verbatim=row.get("verbatim", False),
            needs=needs_in(document, ("requirements", name, "needs"), row.get("needs", ()), capabilities),
        )
        for name, row in data["requirements"].items()
    }
    return Register(
        _with_presumptions(document, _with_refused_senders(document, requirements)),
        Vocabulary(
            data["errors"],
            data["words"],
            data["guarded"],
            tuple(data.get("harmless", ())),
            frozenset(data.get("guarded_words", ())),
            capabilities,
            _example(data),
        ),
        {name: document.place("requirements", name) for name in requirements},
        Specification(**data["source"]),
    )


def _example(data: Mapping[str, Any]) -> Example:
    row = data.get("example", {"statement": f"{data['guarded']} '${{victim.id}}'"})
    return Example(row["statement"], tuple(row.get("grants", ())))


def needs_in(
    document: Document, keys: KeyPath, names: Iterable[str], capabilities: Mapping[str, Capability]
) -> tuple[str, ...]:
    """A list of capabilities in a file.

    Raises:
        SourceError: the register doesn't define one of them.
    """
    found = tuple(names)
    for index, name in enumerate(found):
        if name not in capabilities:
            hint = did_you_mean(name, capabilities)
            raise document.fail((*keys, index), f"unknown capability {name!r}", hint)
    return found


def _with_refused_senders(document: Document, requirements: dict[str, Requirement]) -> dict[str, Requirement]:
    """The requirements, with the one that a session stays usable after its guarded statement was refused.

    Raises:
        SourceError: the register has no such requirement.
    """
    name = document.data.get("refused_senders")
    if name is None:
        return requirements
    if name not in requirements:
        what = f"refused_senders: {name!r} is no requirement of this register"
        hint = did_you_mean(name, requirements) or "name one of its requirements"
        raise SourceError(document.place("refused_senders"), what, hint)
    level = requirements[name].level
    return {
        each: row if row.level is level else replace(row, refused_senders=name) for each, row in requirements.items()
    }


def _with_presumptions(document: Document, requirements: dict[str, Requirement]) -> dict[str, Requirement]:
    """The requirements, with what their cases presume: that the statement kills the sessions that it names.

    Raises:
        SourceError: the register does not have a requirement or error class that is named.
    """
    kills = document.data.get("kills")
    if kills is None:
        return requirements
    if kills["unknown_error"] not in (classes := document.data.get("errors", {})):
        what = f"unknown error class {kills['unknown_error']!r}"
        raise document.fail(("kills", "unknown_error"), what, did_you_mean(kills["unknown_error"], classes))
    judged_by: dict[str, list[str]] = {aspect: kills[aspect] for aspect in (GONE, ACCEPTED, ANSWERED, KNOWN)}
    compared_by: list[str] = kills.get("compared_by", [])
    for key, names in {**judged_by, "compared_by": compared_by}.items():
        for index, name in enumerate(names):
            if name not in requirements:
                hint = did_you_mean(name, requirements) or "name one of its requirements"
                raise document.fail(("kills", key, index), f"{name!r} is no requirement of this register", hint)
    presumed = {
        name: Presumed(
            frozenset(aspect for aspect, judges in judged_by.items() if name not in judges),
            tuple(kills["cases"]),
            kills["unknown_error"],
            compares=name in compared_by,
        )
        for name in requirements
    }
    return {name: replace(row, presumed=presumed[name]) for name, row in requirements.items()}


def _capabilities(document: Document) -> dict[str, Capability]:
    return {
        name: Capability(
            row["text"],
            _expression(document, ("capabilities", name, "guarded"), row),
            _expression(document, ("capabilities", name, "statement"), row),
            row.get("state"),
        )
        for name, row in document.data.get("capabilities", {}).items()
    }


def _expression(document: Document, keys: KeyPath, row: Mapping[str, Any]) -> re.Pattern[str] | None:
    text = row.get(str(keys[-1]))
    return None if text is None else document.expression(keys, text, re.DOTALL, selects=False)
