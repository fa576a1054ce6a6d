"""Reads YAML files: values with their positions.

PyYAML reads YAML 1.1, where the key ``on`` is true and ``0012`` is ten. Here only null, true, false and plain decimal
integers have a type, as in YAML 1.2's core schema. All other values are text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from runner.language.problems import Place, SourceError

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
