"""Reads case files: finds them, fills in parameters, and has each case read."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from runner.language.casereader import CaseReader
from runner.language.model import Case
from runner.language.problems import SourceError
from runner.language.register import FORMAT, REGISTER_NAME, find_register
from runner.language.template import substitute
from runner.language.yamlfile import Document, Path_, read_document


def is_case_file(path: Path) -> bool:
    """Whether a path is a file of cases: YAML in a folder called cases or below one, the register apart."""
    return path.suffix == ".yaml" and path.name != REGISTER_NAME and "cases" in path.parent.parts


def case_files(folder: Path) -> list[Path]:
    """The case files in a folder and below it, in order."""
    return sorted(path for path in folder.rglob("*.yaml") if is_case_file(path.resolve()))


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
            raise document.fail((*way, "id"), f"the id {raw['id']!r} is taken by an earlier case", "ids are unique")
        seen[raw["id"]] = way
        cases += [
            CaseReader(document, register, way, filled).read(label) for label, filled in _filled_in(document, way, raw)
        ]
    return cases


def refuse_duplicates(cases: Iterable[Case]) -> None:
    """Checks that no two files use one case id: ids are how reports of years are compared.

    Raises:
        SourceError: at the second use.
    """
    first: dict[str, Case] = {}
    for case in cases:
        earlier = first.setdefault(case.id, case)
        if earlier.place.path != case.place.path:
            raise SourceError(case.place, f"the id {case.id!r} is taken in {earlier.place}", "ids are unique")


def _filled_in(document: Document, way: Path_, raw: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """A case once for each combination of its parameters, with the label that tells it apart."""
    parameters: Mapping[str, Any] = raw.get("parameters", {})
    labelled = []
    for name, values in parameters.items():
        pairs = list(_labelled(values))
        labels = [label for label, _ in pairs]
        if double := next((label for label in labels if labels.count(label) > 1), None):
            raise document.fail(
                (*way, "parameters", name),
                f"two values have the label {double!r}",
                "label them in a mapping: {label: value}",
            )
        labelled.append(pairs)
    for combination in itertools.product(*labelled):
        values = dict(zip(parameters, (value for _, value in combination), strict=True))
        labels_by_name = dict(zip(parameters, (label for label, _ in combination), strict=True))
        filled = {
            key: _filled(document, (*way, key), value, values) for key, value in raw.items() if key != "parameters"
        }
        title = substitute(raw["title"], labels_by_name)
        if "${" in title:
            raise document.fail(
                (*way, "title"), f"the title has a hole that is no parameter: {title!r}", "name a parameter"
            )
        yield "-".join(labels_by_name.values()), {**filled, "parameters": parameters, "title": title}


def _filled(document: Document, way: Path_, value: Any, parameters: Mapping[str, str]) -> Any:
    """A part of a case with its parameters filled in, in keys too: a parameter may say which session speaks."""
    if isinstance(value, dict):
        filled: dict[str, Any] = {}
        for key, inner in value.items():
            new = substitute(key, parameters)
            if new in filled:
                raise document.fail((*way, key), f"with its parameters, the key {new!r} stands here twice", "keep one")
            filled[new] = _filled(document, (*way, key), inner, parameters)
        return filled
    if isinstance(value, list):
        return [_filled(document, (*way, index), inner, parameters) for index, inner in enumerate(value)]
    if not isinstance(value, str):
        return value
    text = substitute(value, parameters)
    if value and not text:
        raise document.fail(way, "with its parameters, this is empty", "give the parameter a value, or more text")
    return text


def _labelled(values: Any) -> Iterator[tuple[str, str]]:
    pairs = values.items() if isinstance(values, dict) else ((value, value) for value in values)
    for label, value in pairs:
        yield re.sub(r"[\s\[\]]+", "_", str(label)), str(value)
