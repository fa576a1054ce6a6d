"""Reads YAML as text with positions.

PyYAML reads YAML 1.1, where the key ``on`` is true and ``0012`` is ten. Cases are full of such words, so only null,
true, false and plain decimal integers have a type here, as in YAML 1.2's core schema; all else is text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import yaml

from runner.language.problems import Place, SourceError, did_you_mean

if TYPE_CHECKING:
    _Loader = yaml.SafeLoader
else:
    # The C loader is five times as fast, and every xdist worker reads the cases again.
    _Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_MOST_VALUES = 200_000
_DEEPEST = 100

Path_ = tuple[str | int, ...]
"""The way to a value inside a document: mapping keys and list positions."""


class _CoreLoader(_Loader):
    """A loader whose plain scalars follow YAML 1.2's core schema, without floats and dates."""


_TYPES = {
    "null": re.compile(r"^(?:null|~|)$"),
    "bool": re.compile(r"^(?:true|false)$"),
    "int": re.compile(r"^(?:0|-?[1-9][0-9]{0,17})$"),  # longer runs of digits are text to whoever writes cases
}
_CoreLoader.yaml_implicit_resolvers = {}
for _kind, _first in (("null", ["n", "~", ""]), ("bool", ["t", "f"]), ("int", list("-0123456789"))):
    _CoreLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", _TYPES[_kind], _first)


@dataclass(frozen=True)
class Document:
    """A YAML file's data, and the place of every value in it."""

    path: Path
    data: Any
    places: Mapping[Path_, Place]

    def place(self, *way: str | int) -> Place:
        """Where the value at ``way`` stands, or the nearest value around it."""
        for length in range(len(way), 0, -1):
            if (found := self.places.get(way[:length])) is not None:
                return found
        return self.places.get((), Place(self.path))

    def fail(self, way: Path_, what: str, hint: str = "") -> SourceError:
        """The error for trouble with the value at ``way``; the caller raises it."""
        return SourceError(self.place(*way), what, hint)


def read_document(path: Path, schema: str, newest: int, *, secret: bool = False) -> Document:
    """Reads a YAML file and checks it against a schema of this package.

    Args:
        path: the file.
        schema: the name of a JSON Schema file beside this module, such as ``case-format.schema.json``.
        newest: the newest version of the format that is known here; the file says its own as ``format``.
        secret: whether passwords stand in it: then no error repeats anything that it says.

    Raises:
        SourceError: the file can't be read, is broken YAML, says a key twice, or doesn't fit the schema.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")  # editors on Windows write a byte order mark
    except OSError as error:
        raise SourceError(Place(path), f"can't be read: {error.strerror}", "check the path") from error
    except UnicodeDecodeError as error:
        raise SourceError(Place(path), f"is not UTF-8 text (byte {error.start})", "save the file as UTF-8") from error
    _refuse_depth(path, text)
    try:
        document = _compose(path, text)
    except SourceError as error:
        if not secret:
            raise
        raise SourceError(error.place, "broken YAML", "write texts in single quotes, and each key once") from None
    own = document.data.get("format") if isinstance(document.data, dict) else None
    if isinstance(own, int) and own != newest:
        raise document.fail(("format",), f"unknown format {own}", f"this version of the suite reads format {newest}")
    _check_against_schema(document, schema, secret=secret)
    return document


def known_keys(schema: str) -> frozenset[str]:
    """The keys that a schema of this package knows at the top of a file."""
    return frozenset(_schema(schema)["properties"])


def _compose(path: Path, text: str) -> Document:
    places: dict[Path_, Place] = {}
    loader = _CoreLoader(text)
    try:
        node = loader.get_single_node()
        data = None if node is None else _build(loader, node, (), path, places)
    except yaml.MarkedYAMLError as error:
        unclosed = "quoted scalar" in (error.context or "")  # then the quote's place says more than the file's end
        mark = (error.context_mark if unclosed else None) or error.problem_mark or error.context_mark
        place = Place(path, mark.line + 1, mark.column + 1) if mark else Place(path)
        problem = error.problem or "it can't be parsed"
        raise SourceError(place, f"broken YAML: {problem}", "check indentation, quotes and brackets here") from error
    except yaml.YAMLError as error:
        raise SourceError(Place(path), f"broken YAML: {error}".split("\n", 1)[0], "save it as plain text") from error
    except RecursionError as error:
        raise SourceError(Place(path), "is nested too deeply", "use at most a few levels") from error
    finally:
        loader.dispose()
    return Document(path, data, places)


def _build(loader: Any, node: yaml.Node, way: Path_, path: Path, places: dict[Path_, Place]) -> Any:
    mark = node.start_mark
    places.setdefault(way, Place(path, mark.line + 1, mark.column + 1))
    if isinstance(node, yaml.SequenceNode):
        return [_build(loader, child, (*way, index), path, places) for index, child in enumerate(node.value)]
    if len(places) > _MOST_VALUES:
        raise SourceError(
            Place(path),
            "has too much content for a case file",
            "it contains aliases of aliases: write the content directly",
        )
    if not isinstance(node, yaml.MappingNode):
        return _scalar(node, Place(path, mark.line + 1, mark.column + 1))
    built: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = str(key_node.value)
        place = Place(path, key_node.start_mark.line + 1, key_node.start_mark.column + 1)
        if key in built:
            raise SourceError(place, f"the key {key!r} is duplicate", "keep one of them")
        # A complaint about a value is easiest to find at its key.
        places[(*way, key)] = place
        built[key] = _build(loader, value_node, (*way, key), path, places)
    return built


def _scalar(node: yaml.Node, place: Place) -> Any:
    text, kind = str(node.value), node.tag.rpartition(":")[2]
    pattern = _TYPES.get(kind)
    if pattern is None and kind != "str":
        raise SourceError(place, f"the YAML tag {node.tag!r} is not supported", "remove the tag")
    if pattern is not None and not pattern.match(text):
        raise SourceError(place, f"{text[:40]!r} is not a valid {kind}", "remove the tag: without it, this is text")
    return {"null": None, "bool": text == "true", "int": int(text) if kind == "int" else 0}.get(kind, text)


def _refuse_depth(path: Path, text: str) -> None:
    """Brackets in thousands overrun the parser's stack, which no exception tells of."""
    depth = 0
    for char in re.findall(r"[\[\]{}]", text):
        depth = max(0, depth + (1 if char in "[{" else -1))
        if depth > _DEEPEST:
            raise SourceError(Place(path), "is nested too deeply", "use at most a few levels")


@cache
def _validator(schema: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(_schema(schema))


def _schema(name: str) -> Mapping[str, Any]:
    schema: Mapping[str, Any] = json.loads(resources.files("runner.language").joinpath(name).read_text("utf-8"))
    return schema


def _check_against_schema(document: Document, schema: str, *, secret: bool) -> None:
    errors = list(_validator(schema).iter_errors(document.data))
    if not errors:
        return
    error = min(errors, key=lambda found: document.place(*found.absolute_path))
    while error.context:  # of several alternatives, the one that got furthest says most
        error = max(error.context, key=lambda found: len(found.absolute_path))
    way = tuple(error.absolute_path)
    if "propertyNames" in error.absolute_schema_path:
        way = (*way, str(error.instance))
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        known = error.schema.get("properties", {})
        unknown = next(key for key in error.instance if key not in known)
        named = "unknown key" if secret else f"unknown key {unknown!r}"
        raise document.fail((*way, unknown), named, did_you_mean(unknown, known))
    if error.validator == "required":
        missing = next(key for key in error.validator_value if key not in error.instance)
        raise document.fail(way, f"the key {missing!r} is missing here", _meaning(error.schema, missing))
    hint = str(error.schema.get("description", "")) if isinstance(error.schema, dict) else ""
    shown = "this" if secret else _shown(error.instance)
    raise document.fail(way, f"{shown} doesn't fit: {_complaint(error)}", hint)


def _meaning(schema: Mapping[str, Any], key: str) -> str:
    return str(schema.get("properties", {}).get(key, {}).get("description", f"add {key!r}"))


def _complaint(error: jsonschema.ValidationError) -> str:
    match error.validator:
        case "type":
            return "expected " + " or ".join(_KINDS.get(kind, kind) for kind in _listed(error.validator_value))
        case "enum" | "const":
            return "expected " + " or ".join(_listed(error.validator_value))
        case "pattern":
            return f"it must match {error.validator_value}"
        case "minItems" | "minProperties" | "minLength":
            return "it must not be empty"
        case _:
            return str(error.message)[:200]


_KINDS = {"object": "a mapping", "array": "a list", "string": "text", "integer": "a whole number", "null": "null"}


def _listed(value: Any) -> list[str]:
    return [str(entry) for entry in value] if isinstance(value, list) else [str(value)]


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "..."  # noqa: PLR2004 - as much as fits on a line
