"""The registers of a run with all their cases, selected or not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from runner.language.case_files import cached_cases, case_files, digest_of, refuse_duplicates
from runner.language.default_folders import REGISTER_NAME, own_folders
from runner.language.model import Case, Register, Requirement, Specification
from runner.language.problems import Place, SourceError
from runner.language.register import read_register, refuse_nested, register_folder


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
                    f"the requirement {name} has another level or text in {earlier.places[name]}",
                    "run the two registers separately, or change the ids of one",
                )
