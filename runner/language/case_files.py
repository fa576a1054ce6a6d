"""Finds and reads case files, refuses duplicate ids, and computes the digest of all files."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from runner.language.case_reader import CaseReader
from runner.language.default_folders import REGISTER_NAME
from runner.language.model import Case, Register
from runner.language.parameters import filled_in
from runner.language.placeholder_text import uses
from runner.language.problems import SourceError, gathered
from runner.language.register import FORMAT, find_register, nearest_register_folder
from runner.language.schema_check import FileKind, file_kind_of, open_document
from runner.language.yaml_file import Document, KeyPath


def is_case_file(path: Path) -> bool:
    """Whether a path is a case file: YAML in or below the folder of a register, and none of the other kinds."""
    return (
        path.suffix == ".yaml"
        and path.name != REGISTER_NAME
        and nearest_register_folder(path) is not None
        and file_kind_of(path) is FileKind.CASES
    )


def case_files(folder: Path) -> list[Path]:
    """The case files in a folder and below it, in order, without those in virtual environments and builds."""
    found: list[Path] = []
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not _is_generated(Path(parent, name))]
        found += (Path(parent, name) for name in names if is_case_file(Path(parent, name).resolve()))
    return sorted(found)


def _is_generated(folder: Path) -> bool:
    """Whether a folder was made by a tool, and may contain an installed copy of the cases."""
    generated = folder.name.startswith(".") or folder.name in {"build", "dist", "node_modules", "venv", "__pycache__"}
    return generated or (folder / "pyvenv.cfg").is_file()


def digest_of(*folders: Path) -> str:
    """A digest of registers and all their case files. Records with equal digests can be compared.

    Args:
        folders: the folders of the registers, in any order.
    """
    digests = sorted(map(_digest_of, folders))
    if len(digests) == 1:
        return digests[0]
    return f"sha256:{hashlib.sha256(' '.join(digests).encode()).hexdigest()}"


@cache
def _digest_of(folder: Path) -> str:
    """The digest of a folder's files as they were when it was first asked for, like the cases."""
    total = hashlib.sha256()
    for path in [folder / REGISTER_NAME, *case_files(folder)]:
        content = path.read_bytes()
        total.update(f"{path.relative_to(folder).as_posix()} {len(content)}\n".encode())
        total.update(content)
    return f"sha256:{total.hexdigest()}"


def load_cases(path: Path) -> list[Case]:
    """Reads all cases of a file, each once for every combination of its parameters.

    Raises:
        SourceError: the file has problems: the first one, with place and fix, and the others in its ``others``.
    """
    document, misfits = open_document(path, "case-format.schema.json", FORMAT)
    problems = list(misfits.values())
    cases: list[Case] = []
    if all(keys[:1] == ("cases",) and len(keys) > 1 for keys in misfits):
        register = find_register(path)
        seen: set[str] = set()
        for index, raw in enumerate(document.data["cases"]):
            keys: KeyPath = ("cases", index)
            if any(misfit[:2] == keys for misfit in misfits):
                continue  # a case that doesn't fit the schema can't be read
            if raw["id"] in seen:
                what = f"the id {raw['id']!r} is already used by an earlier case"
                problems.append(document.fail((*keys, "id"), what, "choose another id: ids are unique"))
            seen.add(raw["id"])
            try:
                cases += _read_case(document, register, keys, raw)
            except SourceError as error:
                problems.append(error)
    if problem := gathered(problems):
        raise problem
    return cases


def _read_case(document: Document, register: Register, keys: KeyPath, raw: Mapping[str, Any]) -> list[Case]:
    """Reads a case once for each combination of its parameters.

    Raises:
        SourceError: with all problems of the case.
    """
    cases: list[Case] = []
    problems: list[SourceError] = []
    for labels, filled, steps in filled_in(document, keys, raw):
        try:
            cases.append(CaseReader(document, register, keys, filled, steps, labels).read())
        except SourceError as error:
            problems.append(error)
    if not problems:  # a misspelt use of a parameter is reported by itself
        written = json.dumps(raw, ensure_ascii=False)
        problems += [
            document.fail((*keys, "parameters", name), f"the parameter {name!r} is not used", f"use ${{{name}}}")
            for name in raw.get("parameters", {})
            if not uses(written, name)
        ]
    if problem := gathered(problems):
        raise problem
    return cases


cached_cases = cache(load_cases)
"""``load_cases``, once per file and process: several checks, and the collection, read the same files."""


def refuse_duplicates(cases: Iterable[Case]) -> None:
    """Checks that no two files use the same case id: runs are compared by ids.

    Raises:
        SourceError: at the second use.
    """
    first: dict[str, Case] = {}
    for case in cases:
        earlier = first.setdefault(case.id, case)
        if earlier.place.path != case.place.path:
            raise SourceError(
                case.place,
                f"the id {case.id!r} is already used in {earlier.place}",
                "choose another id: ids are unique",
            )
