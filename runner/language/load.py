"""Reads case files: finds them, fills in parameters, and has each case read."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from runner.language.casefolders import FOLDER_NAME, REGISTER_NAME
from runner.language.casereader import CaseReader, RawStep
from runner.language.combining import combinations
from runner.language.model import Case
from runner.language.problems import SourceError, did_you_mean
from runner.language.register import FORMAT, find_register, nearest_register_folder
from runner.language.template import substitute
from runner.language.yamlfile import Document, Path_, read_document

_HYPHEN = re.compile(r"(?<=[a-z])-(?=[a-z])")
"""Between the words of a label: a title has a blank there."""


def is_case_file(path: Path) -> bool:
    """Whether a path is a file of cases: YAML in or below a folder called cases with a register, the register apart."""
    return (
        path.suffix == ".yaml"
        and path.name != REGISTER_NAME
        and FOLDER_NAME in path.parent.parts
        and nearest_register_folder(path) is not None
    )


def case_files(folder: Path) -> list[Path]:
    """The case files in a folder and below it, in order; not those in environments and builds, as for pytest."""
    found: list[Path] = []
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not _is_made(Path(parent, name))]
        found += (Path(parent, name) for name in names if is_case_file(Path(parent, name).resolve()))
    return sorted(found)


def _is_made(folder: Path) -> bool:
    """Whether a folder holds what tools have put there, maybe an installed copy of cases."""
    made = folder.name.startswith(".") or folder.name in {"build", "dist", "node_modules", "venv", "__pycache__"}
    return made or (folder / "pyvenv.cfg").is_file()


def digest_of(*folders: Path) -> str:
    """A digest of registers and all their case files: equal digests, equal questions.

    Args:
        folders: the registers', in any order.
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
        SourceError: something in the file is not in the language; it says where and what to do.
    """
    document = read_document(path, "case-format.schema.json", FORMAT)
    register = find_register(path)
    cases: list[Case] = []
    seen: dict[str, Path_] = {}
    for index, raw in enumerate(document.data["cases"]):
        way: Path_ = ("cases", index)
        if raw["id"] in seen:
            raise document.fail(
                (*way, "id"),
                f"the id {raw['id']!r} is already used by an earlier case",
                "choose another id: ids are unique",
            )
        seen[raw["id"]] = way
        cases += [
            CaseReader(document, register, way, filled, steps).read(label)
            for label, filled, steps in _filled_in(document, way, raw)
        ]
    return cases


cached_cases = cache(load_cases)
"""``load_cases``, once a file in a process: several checks before a run, and its collection, read the same files."""


def refuse_duplicates(cases: Iterable[Case]) -> None:
    """Checks that no two files use one case id: ids are how reports of years are compared.

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
class _Value:
    """One value of a parameter: a text, or the steps of a state, with the way to where they stand."""

    label: str
    text: str = ""
    way: Path_ = ()
    steps: tuple[Mapping[str, Any], ...] | None = None


@dataclass(frozen=True)
class _Filler:
    """Fills one combination of parameters in."""

    document: Document
    texts: Mapping[str, str]
    states: Mapping[str, _Value] = field(default_factory=dict)

    def filled(self, way: Path_, value: Any) -> Any:
        """A part of a case with its parameters filled in, in keys too: a parameter may say which session speaks."""
        if isinstance(value, dict):
            filled: dict[str, Any] = {}
            for key, inner in value.items():
                new = substitute(key, self.texts)
                if new in filled:
                    raise self.document.fail(
                        (*way, key), f"with its parameters, the key {new!r} is duplicate", "keep one"
                    )
                filled[new] = self.filled((*way, key), inner)
            return filled
        if isinstance(value, list):
            return [self.filled((*way, index), inner) for index, inner in enumerate(value)]
        if not isinstance(value, str):
            return value
        text = substitute(value, self.texts)
        if value and not text:
            raise self.document.fail(
                way, "with its parameters, this is empty", "give the parameter a value, or more text"
            )
        if state := next((name for name in self.states if f"${{{name}}}" in text), None):
            raise self.document.fail(
                way, f"{state!r} is a parameter of steps, and is used in a text", f"use it in a step: do: ${{{state}}}"
            )
        return text

    def steps(self, case: Path_, raw: Iterable[Mapping[str, Any]]) -> Iterator[RawStep]:
        """A case's steps; a step ``do`` is replaced by the steps of the state that it names."""
        for index, step in enumerate(raw):
            way: Path_ = ("steps", index)
            if "do" not in step:
                yield RawStep(way, self.filled((*case, *way), step))
                continue
            named = next((state for name, state in self.states.items() if step["do"] == f"${{{name}}}"), None)
            if named is None or len(step) > 1:
                raise self.document.fail(
                    (*case, *way, "do"),
                    "a step with 'do' has no other key, and names a parameter whose values are lists of steps",
                    did_you_mean(str(step["do"]), [f"${{{name}}}" for name in self.states]),
                )
            for number, inner in enumerate(named.steps or ()):
                at = (*named.way, number)
                if "do" in inner:
                    raise self.document.fail((*case, *at, "do"), "a state contains a state", "write the steps instead")
                yield RawStep(at, self.filled((*case, *at), inner), sets_state=True)


def _filled_in(
    document: Document, way: Path_, raw: Mapping[str, Any]
) -> Iterator[tuple[str, Mapping[str, Any], tuple[RawStep, ...]]]:
    """A case once for each combination of its parameters, with the label that tells it apart, and its steps."""
    parameters: Mapping[str, Any] = raw.get("parameters", {})
    valued = [_values(document, way, name, values) for name, values in parameters.items()]
    if "combine" in raw and len(valued) < 2:  # noqa: PLR2004 - one parameter, or none, has nothing to be combined with
        raise document.fail((*way, "combine"), "combine needs two parameters", "remove it")
    for combination in combinations([len(values) for values in valued], raw.get("combine")):
        chosen = {name: values[at] for name, values, at in zip(parameters, valued, combination, strict=True)}
        filler = _Filler(
            document,
            {name: value.text for name, value in chosen.items() if value.steps is None},
            {name: value for name, value in chosen.items() if value.steps is not None},
        )
        labels_by_name = {name: value.label for name, value in chosen.items()}
        filled = {
            key: filler.filled((*way, key), value)
            for key, value in raw.items()
            if key not in {"parameters", "steps", "title"}
        }
        title = substitute(raw["title"], {name: _HYPHEN.sub(" ", label) for name, label in labels_by_name.items()})
        if "${" in title:
            raise document.fail(
                (*way, "title"), f"the title has a placeholder that is not a parameter: {title!r}", "name a parameter"
            )
        filled |= {"parameters": parameters, "title": title}
        yield "-".join(labels_by_name.values()), filled, tuple(filler.steps(way, raw["steps"]))


def _values(document: Document, way: Path_, name: str, raw: Any) -> list[_Value]:
    """The values of a parameter: all of them texts, or all of them lists of steps."""
    at: Path_ = ("parameters", name)
    pairs = raw.items() if isinstance(raw, dict) else ((value, value) for value in raw)
    values = []
    for key, value in pairs:
        if isinstance(value, list):
            if not isinstance(raw, dict):
                raise document.fail((*way, *at), "lists of steps need labels", "write {label: [steps]}")
            values.append(_Value(_label(key), way=(*at, key), steps=tuple(value)))
        else:
            values.append(_Value(_label(key), text=str(value)))
    if len({value.steps is None for value in values}) > 1:
        raise document.fail(
            (*way, *at), f"the values of {name!r} are partly texts, partly lists of steps", "use one kind for all"
        )
    labels = [value.label for value in values]
    if double := next((label for label in labels if labels.count(label) > 1), None):
        raise document.fail(
            (*way, *at), f"two values have the label {double!r}", "label them in a mapping: {label: value}"
        )
    return values


def _label(key: object) -> str:
    return re.sub(r"[\s\[\]]+", "_", str(key))
