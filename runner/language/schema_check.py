"""The kinds of YAML files with a JSON Schema: reads them, and explains what doesn't fit the schema."""

from __future__ import annotations

import difflib
import enum
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema_rs

from runner.language.message_text import did_you_mean
from runner.language.problems import SourceError, gathered
from runner.language.yaml_file import Document, KeyPath, parse_document

_EXPLAINED = "explained by the reader"
"""The ``$comment`` of a rule for editors only: the code that reads the file reports the problem with more detail."""


def read_document(path: Path, schema: str, newest: int, *, secret: bool = False) -> Document:
    """Reads a YAML file and checks it against a schema of this package.

    Args: see ``open_document``.

    Raises:
        SourceError: see ``open_document``; or the file doesn't fit the schema.
    """
    document, problems = open_document(path, schema, newest, secret=secret)
    if problem := gathered(problems.values()):
        raise problem
    return document


def open_document(
    path: Path, schema: str, newest: int, *, secret: bool = False
) -> tuple[Document, Mapping[KeyPath, SourceError]]:
    """Reads a YAML file, and checks it against a schema of this package.

    Args:
        path: the file.
        schema: the name of a JSON Schema file beside this module, such as ``case-format.schema.json``.
        newest: the newest version of the format; the file has its version as ``format``.
        secret: whether the file contains passwords: then errors don't quote it.

    Returns:
        the content, and the violations of the schema, each under the path of keys to its value.

    Raises:
        SourceError: the file can't be read, is broken YAML, contains a key twice, or has another format.
    """
    document = parse_document(path, newest, secret=secret)
    return document, misfits(document, schema, secret=secret)


def misfits(document: Document, schema: str, *, secret: bool = False) -> Mapping[KeyPath, SourceError]:
    """The errors of a schema of this package, by the keys of the value; for arguments see ``open_document``."""
    whole = _schema(schema)
    errors = [_Misfit.of(error, whole) for error in _validator(schema).iter_errors(document.data)]
    found: dict[KeyPath, SourceError] = {}
    for error in sorted(errors, key=lambda error: len(error.keys)):
        for keys, problem in _problems(document, _most_specific(error), whole, secret=secret):
            found.setdefault(keys, problem)
    return found


def known_keys(schema: str) -> frozenset[str]:
    """The keys that a schema of this package allows at the top of a file."""
    return frozenset(_schema(schema)["properties"])


@cache
def _validator(schema: str) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(_schema(schema))


@cache
def _schema(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(resources.files("runner.language").joinpath(name).read_text("utf-8"))
    return schema


@dataclass(frozen=True)
class _Misfit:
    """A value that doesn't fit a keyword of a schema.

    Attributes:
        keys: of the value.
        value: the value; for a rule about the names of a mapping, the name.
        keyword: such as ``required``.
        wanted: what the keyword demands.
        schema: the schema that contains the keyword.
        message: the validator's words.
        conditional: whether the keyword is part of a condition.
        alternatives: for ``anyOf``: the misfits of each alternative.
    """

    keys: KeyPath
    value: Any
    keyword: str
    wanted: Any
    schema: Mapping[str, Any]
    message: str
    conditional: bool
    alternatives: Sequence[Sequence[_Misfit]]

    @classmethod
    def of(cls, error: jsonschema_rs.ValidationError, whole: Mapping[str, Any]) -> _Misfit:
        """The misfit of an error; ``whole`` is the whole schema."""
        kind, keys, value = error.kind, tuple(error.instance_path), error.instance
        if kind.name == "propertyNames":
            name: jsonschema_rs.ValidationError = kind.value
            kind, keys, value = name.kind, (*keys, str(name.instance)), name.instance
        within: Any = whole
        for key in error.schema_path[:-1]:
            within = within[key]
        wanted = within[error.schema_path[-1]]
        contexts = kind.value if kind.name == "anyOf" else ()
        alternatives = [[cls.of(each, whole) for each in errors] for errors in contexts]
        conditional = "then" in error.evaluation_path
        return cls(keys, value, kind.name, wanted, within, error.message, conditional, alternatives)

    @property
    def is_explained(self) -> bool:
        """Whether the code that reads the file reports the problem itself."""
        return self.schema.get("$comment") == _EXPLAINED

    def is_mistyped(self, keys: KeyPath) -> bool:
        """Whether an alternative for the value with these keys allows only values of another type."""
        if self.alternatives:
            return all(any(one.is_mistyped(keys) for one in errors) for errors in self.alternatives)
        return self.keyword == "type" and self.keys == keys

    @property
    def types(self) -> Iterator[str]:
        """The types that are allowed, of all alternatives."""
        for errors in self.alternatives:
            for one in errors:
                yield from one.types
        if self.keyword == "type":
            yield from _listed(self.wanted)


def _most_specific(misfit: _Misfit) -> _Misfit:
    """The deepest misfit in the alternatives whose type is right; the misfit itself if there is no such alternative."""
    while misfit.alternatives and not misfit.is_explained:
        fitting = [
            one
            for errors in misfit.alternatives
            if not any(each.is_mistyped(misfit.keys) for each in errors)
            for one in errors
        ]
        if not fitting:
            break
        misfit = max(fitting, key=lambda one: len(one.keys))
    return misfit


def _problems(
    document: Document, misfit: _Misfit, whole: Mapping[str, Any], *, secret: bool
) -> Iterator[tuple[KeyPath, SourceError]]:
    """The problems of a misfit, each with its keys; none if the code that reads the file reports them itself."""
    keys, properties = misfit.keys, misfit.schema.get("properties", {})
    if misfit.is_explained:
        return
    if misfit.keyword == "additionalProperties" and misfit.wanted is False:
        for unknown in misfit.value.keys() - properties.keys():
            named = "unknown key" if secret else f"unknown key {unknown!r}"
            yield (*keys, unknown), document.fail((*keys, unknown), named, did_you_mean(unknown, properties))
        return
    if misfit.keyword == "required":
        known = _properties(whole, keys) if misfit.conditional else properties
        others = [key for key in misfit.value if key not in known]
        for missing in (key for key in misfit.wanted if key not in misfit.value):
            if difflib.get_close_matches(missing, others, n=1):
                continue  # it is misspelt: the unknown key is reported instead
            problem = document.fail(keys, f"the key {missing!r} is missing here", _meaning(known, missing))
            yield (*keys, missing), problem
        return
    shown = "this" if secret else _shown(misfit.value)
    hint = str(misfit.schema.get("description", ""))
    what = (
        f"{shown} doesn't fit: {_complaint(misfit)}" if keys or misfit.value is not None else "the file has no content"
    )
    yield keys, document.fail(keys, what, hint)


def _properties(schema: Mapping[str, Any], keys: KeyPath) -> Mapping[str, Any]:
    """The properties of a mapping in a schema; a condition in it states only which of them are required."""
    for key in keys:
        schema = schema["properties"][key]
    properties: Mapping[str, Any] = schema["properties"]
    return properties


def _meaning(properties: Mapping[str, Any], key: str) -> str:
    return str(properties.get(key, {}).get("description", f"add {key!r}"))


def _complaint(misfit: _Misfit) -> str:
    match misfit.keyword:
        case "type" | "anyOf":  # of alternatives: all are of another type
            return "expected " + " or ".join(_KINDS.get(kind, kind) for kind in dict.fromkeys(misfit.types))
        case "enum" | "const":
            return "expected " + " or ".join(_listed(misfit.wanted))
        case "pattern":
            return f"it must match {misfit.wanted}"
        case "minItems" | "minProperties" | "minLength":
            return "it must not be empty"
        case "maxProperties" | "maxItems":
            return f"it has {len(misfit.value)} entries, and {misfit.wanted} is allowed"
        case _:
            return misfit.message[:200]


_KINDS = {"object": "a mapping", "array": "a list", "string": "text", "integer": "a whole number", "null": "null"}


def _listed(value: Any) -> list[str]:
    return [str(entry) for entry in value] if isinstance(value, list) else [str(value)]


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "..."  # noqa: PLR2004 - fits on a line


class FileKind(enum.Enum):
    """The kinds of YAML files that users write, with their schemas; the first one is the default."""

    CASES = "case-format.schema.json"
    REGISTER = "register.schema.json"
    PROFILE = "profile.schema.json"
    KNOWN_DEVIATIONS = "known-deviations.schema.json"
    ACCOUNTS = "accounts.schema.json"

    @property
    def title(self) -> str:
        """The name of the kind in messages."""
        return {"CASES": "case file"}.get(self.name, self.name.lower().replace("_", " "))


def file_kind_of(path: Path) -> FileKind:
    """The kind whose schema has most of the file's keys; the default for a file that can't be read."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return FileKind.CASES
    keys = set(re.findall(r"^([a-z_]+)[ \t]*:", text, re.MULTILINE))
    return max(FileKind, key=lambda kind: len(keys & known_keys(kind.value)))
