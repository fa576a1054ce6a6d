"""Reads YAML files: values with their positions.

PyYAML reads YAML 1.1, where the key ``on`` is true and ``0012`` is ten. Here only null, true, false and plain decimal
integers have a type, as in YAML 1.2's core schema. All other values are text.
"""

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
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import yaml

from runner.language.message_text import did_you_mean
from runner.language.problems import Place, SourceError, gathered

if TYPE_CHECKING:
    _Loader = yaml.SafeLoader
else:
    # The C loader is five times as fast; every xdist worker reads the cases.
    _Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_MOST_VALUES = 200_000
_DEEPEST = 100
_PLAIN_COLON = re.compile(r"\s*(?:- )?[A-Za-z_]+: [^'\"\[{|>]")
"""A line with a key whose value is a text without quotes."""

KeyPath = tuple[str | int, ...]
"""The mapping keys and list positions that lead from the top of a document to a value."""


class _CoreLoader(_Loader):
    """A loader whose plain scalars follow YAML 1.2's core schema, without floats and dates."""


_TYPES = {
    "null": re.compile(r"^(?:null|~|)$"),
    "bool": re.compile(r"^(?:true|false)$"),
    "int": re.compile(r"^(?:0|-?[1-9][0-9]{0,17})$"),  # longer numbers are text
}
_CoreLoader.yaml_implicit_resolvers = {}
for _kind, _first in (("null", ["n", "~", ""]), ("bool", ["t", "f"]), ("int", list("-0123456789"))):
    _CoreLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", _TYPES[_kind], _first)


@dataclass(frozen=True)
class Document:
    """A YAML file's data, and the place of every value in it."""

    path: Path
    data: Any
    places: Mapping[KeyPath, Place]

    def place(self, *keys: str | int) -> Place:
        """The place of the value at ``keys``, or of the nearest value that contains it."""
        for length in range(len(keys), 0, -1):
            if (found := self.places.get(keys[:length])) is not None:
                return found
        return self.places.get((), Place(self.path))

    def fail(self, keys: KeyPath, what: str, hint: str = "") -> SourceError:
        """The error for a problem with the value at ``keys``; the caller raises it."""
        return SourceError(self.place(*keys), what, hint)

    def expression(
        self, keys: KeyPath, text: str, flags: re.RegexFlag = re.NOFLAG, *, selects: bool = True
    ) -> re.Pattern[str]:
        """The regular expression at ``keys``.

        Args:
            keys: of the expression.
            text: the expression.
            flags: of the module re.
            selects: whether it must not match an empty text: then it would match every text.

        Raises:
            SourceError: the expression is not valid, or matches every text.
        """
        try:
            expression = re.compile(text, flags)
        except (re.error, OverflowError) as error:
            hint = "check (, [ and \\: the syntax is that of Python's module re"
            raise self.fail(keys, f"is not a valid regular expression: {error}", hint) from error
        if selects and expression.search(""):
            raise self.fail(keys, f"{text!r} matches every text, even an empty one", "check | and *, or remove it")
        return expression


def parse_document(path: Path, newest: int, *, secret: bool = False) -> Document:
    """Reads a YAML file.

    Args:
        path: the file.
        newest: the newest version of its format; the file has its version as ``format``.
        secret: whether the file contains passwords: then errors don't quote it.

    Raises:
        SourceError: the file can't be read, is broken YAML, contains a key twice, or has another format.
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
    return document


def _compose(path: Path, text: str) -> Document:
    places: dict[KeyPath, Place] = {}
    loader = _CoreLoader(text)
    try:
        node = loader.get_single_node()
        data = None if node is None else _build(loader, node, (), path, places)
    except yaml.MarkedYAMLError as error:
        unclosed = "quoted scalar" in (error.context or "")  # its start is more useful than its end
        mark = (error.context_mark if unclosed else None) or error.problem_mark or error.context_mark
        place = Place(path, mark.line + 1, mark.column + 1) if mark else Place(path)
        what, hint = _syntax(text, mark, error.problem or "it can't be parsed")
        raise SourceError(place, f"broken YAML: {what}", hint) from error
    except yaml.YAMLError as error:
        raise SourceError(Place(path), f"broken YAML: {error}".split("\n", 1)[0], "save it as plain text") from error
    except RecursionError as error:
        raise SourceError(Place(path), "is nested too deeply", "use at most a few levels") from error
    finally:
        loader.dispose()
    return Document(path, data, places)


def _syntax(text: str, mark: yaml.Mark | None, problem: str) -> tuple[str, str]:
    """The problem of YAML that can't be parsed, and the fix; the parser reports the place, but rarely the cause."""
    lines = text.split("\n")
    line, column = (lines[mark.line], mark.column) if mark is not None and mark.line < len(lines) else ("", 0)
    at = line[column:]
    if at.startswith("\t"):
        return "a tab character stands where YAML needs blanks", "indent with blanks"
    if at.startswith(":") and _PLAIN_COLON.match(line):
        return "a colon with a blank after it stands inside a text", "put the text in single quotes"
    if at.startswith("{") and line[:column].endswith("$"):
        return (
            "a placeholder stands in braces or brackets without quotes",
            "put the text in single quotes, such as {killer: 'KILL ${victim.id}'} or ['${reply}', ok]",
        )
    return problem, "check indentation, quotes and brackets here"


def _build(loader: Any, node: yaml.Node, keys: KeyPath, path: Path, places: dict[KeyPath, Place]) -> Any:
    mark = node.start_mark
    places.setdefault(keys, Place(path, mark.line + 1, mark.column + 1))
    if isinstance(node, yaml.SequenceNode):
        return [_build(loader, child, (*keys, index), path, places) for index, child in enumerate(node.value)]
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
        place = Place(path, key_node.start_mark.line + 1, key_node.start_mark.column + 1)
        if not isinstance(key_node, yaml.ScalarNode):
            raise SourceError(place, "a list or a mapping stands where a key has to be", "write the key as text")
        key = str(key_node.value)
        if key in built:
            raise SourceError(place, f"the key {key!r} is duplicate", "keep one of them")
        # The place of a value is that of its key, where an error is easiest to find.
        places[(*keys, key)] = place
        built[key] = _build(loader, value_node, (*keys, key), path, places)
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
    """Rejects thousands of nested brackets: the parser would crash without an exception."""
    depth = 0
    for char in re.findall(r"[\[\]{}]", text):
        depth = max(0, depth + (1 if char in "[{" else -1))
        if depth > _DEEPEST:
            raise SourceError(Place(path), "is nested too deeply", "use at most a few levels")


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
