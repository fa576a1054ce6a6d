"""Finds, reads and digests case files, and checks that no id is used twice."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from runner.language.case_reader import CaseReader
from runner.language.default_folders import REGISTER_NAME, own_folders
from runner.language.model import Case, Register, Requirement, Specification
from runner.language.parameters import filled_in
from runner.language.placeholder_text import uses
from runner.language.problems import Place, SourceError, gathered
from runner.language.register import (
    FORMAT,
    find_register,
    nearest_register_folder,
    read_register,
    refuse_nested,
    register_folder,
)
from runner.language.yaml_file import Document, FileKind, KeyPath, file_kind_of, open_document


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


def _digest_of(folder: Path) -> str:
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


@dataclass(frozen=True)
class Suite:
    """Registers with all their cases; ids are unique in all of them.

    Attributes:
        folders: the folders of the registers.
        registers: in the order of ``folders``.
    """

    folders: tuple[Path, ...]
    registers: tuple[Register, ...]
    cases: tuple[Case, ...]

    @property
    def requirements(self) -> dict[str, Requirement]:
        """The requirements of all registers, by id."""
        return {name: row for register in self.registers for name, row in register.requirements.items()}

    @property
    def specifications(self) -> tuple[Specification, ...]:
        """The specifications of the registers."""
        return tuple(dict.fromkeys(register.source for register in self.registers))

    @property
    def error_classes(self) -> frozenset[str]:
        """The error classes of all registers."""
        return frozenset().union(*(register.vocabulary.errors for register in self.registers))

    @property
    def words(self) -> frozenset[str]:
        """The words of all registers, for which profiles have SQL text."""
        return frozenset().union(*(register.vocabulary.words for register in self.registers))

    @property
    def capabilities(self) -> frozenset[str]:
        """The capabilities that all registers define."""
        return frozenset().union(*(register.vocabulary.capabilities for register in self.registers))

    @property
    def privileges(self) -> frozenset[str]:
        """The privileges that the users of the cases are granted."""
        return frozenset(grant for case in self.cases for spec in case.sessions for grant in spec.grants)

    @cached_property
    def digest(self) -> str:
        """The digest of all files of the suite, as they were at its first use."""
        return digest_of(*self.folders)


def suite_of(files: Iterable[Path]) -> Suite:
    """The registers of these case files, with all their cases.

    Args:
        files: case files.

    Raises:
        SourceError: a file can't be used, a register is below another one's folder, or an id is not unique.
    """
    folders = folders_of(files)
    registers = tuple(read_register(folder / REGISTER_NAME) for folder in folders)
    _refuse_collisions(registers)
    cases = tuple(case for folder in folders for case in _cases_in(folder))
    refuse_duplicates(cases)
    return Suite(folders, registers, cases)


@cache
def _cases_in(folder: Path) -> tuple[Case, ...]:
    return tuple(case for path in case_files(folder) for case in cached_cases(path))


def cases_beside(case: Case) -> tuple[Case, ...]:
    """All cases of a case's register."""
    return _cases_in(register_folder(case.place.path))


def folders_of(files: Iterable[Path]) -> tuple[Path, ...]:
    """The folders of the registers of case files.

    Raises:
        SourceError: a file has no register, or a register is below another one's folder.
    """
    folders = tuple(dict.fromkeys(map(register_folder, files)))
    refuse_nested(folders)
    return folders


def suite_in(folders: Sequence[Path]) -> Suite:
    """The registers and cases of folders.

    Raises:
        SourceError: a folder has no case files, or see ``suite_of``.
    """
    files: list[Path] = []
    for folder in folders:
        found = case_files(folder)
        if not found:
            raise SourceError(
                Place(folder),
                "no cases found here",
                f"name a folder with {REGISTER_NAME} and case files, or a folder above it",
            )
        files += found
    return suite_of(files)


@cache
def own_suite() -> Suite:
    """The registers and cases that come with the suite; empty if it is installed without them.

    Raises:
        SourceError: see ``suite_of``.
    """
    return suite_of([path for folder in own_folders() for path in case_files(folder)])


def _refuse_collisions(registers: Iterable[Register]) -> None:
    """Checks that a requirement's id has one meaning: results are counted, filtered and compared by it."""
    first: dict[str, Register] = {}
    for register in registers:
        for name, requirement in register.requirements.items():
            earlier = first.setdefault(name, register)
            if earlier.requirements[name] != requirement:
                raise SourceError(
                    register.places[name],
                    f"the requirement {name} has another meaning in {earlier.places[name]}",
                    "run the two registers separately, or change the ids of one",
                )
