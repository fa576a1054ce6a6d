"""Finds and reads the files of profiles, of which one may extend another one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib import resources
from pathlib import Path

from runner.language.message_text import did_you_mean
from runner.language.paths import exists
from runner.language.problems import Place, SourceError, gathered
from runner.language.schema_check import misfits
from runner.language.yaml_file import Document, KeyPath, parse_document

FORMAT = 1
_SCHEMA = "profile.schema.json"
_BY_KEY = frozenset({"sql", "privileges", "words", "errors", "lacks", "fixes"})
"""Sections whose entries replace those of the extended profile one by one."""
_ADDED = "not_applicable"
"""The section whose entries are added to those of the extended profile."""
_SPELLINGS = "spellings"
"""The section whose entries replace those of the extended profile with the same statement."""


def profile_names() -> list[str]:
    """The profiles that come with the suite."""
    files = resources.files("runner.profiles").iterdir()
    return sorted(entry.name.removesuffix(".yaml") for entry in files if entry.name.endswith(".yaml"))


def open_profile(name_or_file: str) -> Document:
    """The content of a profile, by its name or from a file of the user's own, with all that it extends.

    Each value has the place where it stands, also if that is in a file that is extended.

    Raises:
        SourceError: there is no such profile, a file isn't one, or a profile extends itself.
    """
    with _found(name_or_file) as path:
        if path is None:
            hint = f"{did_you_mean(name_or_file, profile_names())} (or use a .yaml file)"
            raise SourceError(Place(Path(name_or_file)), f"unknown profile {name_or_file!r}", hint)
        document = _extended(path, ())
    if problem := gathered(misfits(document, _SCHEMA).values()):
        raise problem
    return document


@contextmanager
def _found(name_or_file: str, folder: Path = Path()) -> Iterator[Path | None]:
    """The path of a profile, None if there can be none; a file's is relative to a folder."""
    if name_or_file in profile_names():
        with resources.as_file(resources.files("runner.profiles") / f"{name_or_file}.yaml") as path:
            yield path
    else:
        yield folder / name_or_file if name_or_file.endswith((".yaml", ".yml")) else None


def _extended(path: Path, extending: tuple[Path, ...]) -> Document:
    """A profile with what it extends, not held against the schema yet.

    Args:
        path: its file.
        extending: the files that extend it, from the first on.
    """
    document = parse_document(path, FORMAT)
    name = document.data.get("extends") if isinstance(document.data, dict) else None
    if not isinstance(name, str):
        return _merged(document, Document(path, {}, {}))
    chain = (*extending, path.resolve())
    with _found(name, path.parent) as base:
        if base is None:
            hint = f"{did_you_mean(name, profile_names())} (or name a .yaml file)"
            raise document.fail(("extends",), f"unknown profile {name!r}", hint)
        if base.resolve() in chain:
            around = " extends ".join(each.name for each in (*chain, base))
            raise document.fail(("extends",), f"the profile extends itself: {around}", "extend another profile")
        if not exists(base):
            raise document.fail(("extends",), f"there is no file {base}", "check the path: it begins in this folder")
        inherited = _extended(base, chain)
    if not isinstance(inherited.data, dict):
        return inherited  # the schema rejects it, with its own place
    return _merged(document, inherited)


def _merged(document: Document, base: Document) -> Document:
    """A profile's own content over that of the profile that it extends.

    Raises:
        SourceError: it removes what isn't there.
    """
    own = document.data
    if not isinstance(own, dict):
        return document  # the schema rejects it
    stated = {key: value for key, value in own.items() if key != "extends" or not isinstance(value, str)}
    data = {**base.data, **stated}
    places = {**base.places, **document.places}
    for section in own.keys() & base.data.keys():
        inherited, value = base.data[section], own[section]
        if section in _BY_KEY and isinstance(inherited, dict) and isinstance(value, dict):
            data[section] = {**inherited, **value}
        if section in {_ADDED, _SPELLINGS} and isinstance(inherited, list) and isinstance(value, list):
            rows = _joined(section, document, base)
            data[section] = [source.data[section][index] for source, index in rows]
            places.update(_places(section, rows))
    if isinstance(lacks := data.get("lacks"), dict):
        data["lacks"] = {name: reason for name, reason in lacks.items() if reason is not None}
        for name, reason in lacks.items():
            if reason is None and name not in base.data.get("lacks", {}):
                hint = "null removes what an extended profile lacks: state a reason, or remove the line"
                raise document.fail(("lacks", name), f"no extended profile lacks {name!r}", hint)
    return replace(document, data=data, places=places)


def _joined(section: str, own: Document, base: Document) -> list[tuple[Document, int]]:
    """The entries of a list of both profiles, in their order: the document and the index of each."""
    stated, inherited = own.data[section], base.data[section]
    own_rows = [(own, index) for index in range(len(stated))]
    if section == _ADDED:
        return [*((base, index) for index in range(len(inherited))), *own_rows]
    statements = [row.get("statement") for row in stated if isinstance(row, dict)]
    kept = (index for index, row in enumerate(inherited) if row.get("statement") not in statements)
    return [*own_rows, *((base, index) for index in kept)]


def _places(section: str, rows: Sequence[tuple[Document, int]]) -> Iterator[tuple[KeyPath, Place]]:
    """The places of the entries of a joined list."""
    for at, (source, index) in enumerate(rows):
        yield from (
            ((section, at, *keys[2:]), place) for keys, place in source.places.items() if keys[:2] == (section, index)
        )
