"""Finds and reads the register: ``requirements.yaml``, beside the cases or in a folder above them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path

from runner.language.casefolders import REGISTER_NAME, looks_like_a_register
from runner.language.model import Level, Register, Requirement, Specification, Vocabulary
from runner.language.problems import Place, SourceError
from runner.language.yamlfile import read_document

FORMAT = 1


def find_register(case_file: Path) -> Register:
    """The register that a case file answers to.

    Raises:
        SourceError: there is none in the file's folder or above it, or it can't be read.
    """
    return read_register(register_folder(case_file) / REGISTER_NAME)


def register_folder(case_file: Path) -> Path:
    """The folder of the register that a case file answers to: all cases of one register are below it.

    Raises:
        SourceError: there is none in the file's folder or above it.
    """
    folder = nearest_register_folder(case_file)
    if folder is None:
        raise SourceError(
            Place(case_file),
            f"there is no {REGISTER_NAME} in this folder or above it",
            "cases need a register",
        )
    return folder


def nearest_register_folder(case_file: Path) -> Path | None:
    """The nearest folder with a register: the file's own or one above it; None if there is none."""
    folders = case_file.resolve().parents
    return next((folder for folder in folders if looks_like_a_register(folder / REGISTER_NAME)), None)


def refuse_nested(folders: Iterable[Path]) -> None:
    """Checks that no register is in another one's folder: its cases would count as the other one's, too.

    Args:
        folders: the folders of registers.

    Raises:
        SourceError: one is, at the inner one.
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
    """Whether a file is a register: in folders above it may be other tools' requirements.yaml."""
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
    requirements = {
        name: Requirement(
            name, Level(row["level"]), row["text"], tuple(row.get("about", ())), verbatim=row.get("verbatim", False)
        )
        for name, row in data["requirements"].items()
    }
    return Register(
        requirements,
        Vocabulary(
            data["errors"],
            data["words"],
            data["guarded"],
            tuple(data.get("harmless", ())),
            frozenset(data.get("guarded_words", ())),
        ),
        {name: document.place("requirements", name) for name in requirements},
        Specification(**data["source"]),
    )
