"""Replaces the ids, users, addresses and names of one run by placeholders, so that runs can be compared.

``KILL '3221487617'`` becomes ``KILL '<id of victim>'``.

Names and addresses are unique in a text. Ids are numbers, and small ids may be equal to other numbers. So a number is
replaced only where it is an id: in statements of the case, and in replies if the number was sent in a statement.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from runner.execution.case_result import CaseResult
from runner.execution.transcript import Event

_EXAMPLE = re.compile(r"(?<=that no session has), such as [0-9]+")
_HOLE = re.compile(r"<(?:id of [^<>]+|a number that no session has(?:, such as [0-9]+)?)>")
_NUMBER = re.compile(r"(?<![\w.:-])[0-9]+(?!\w|[.:][0-9])")
_LONG = 6
"""The digits from which on an unknown number is regarded as one that the server computed from an id."""
_OTHERS_ID = re.compile(r"(?<=naming session )[0-9]+(?=, which is not a session of this case)")
_NO_ID = re.compile(
    r"""\berror\ [0-9]+\ \([^()]*\)                       # code and sqlstate
    | \bOK,\ [0-9]+\ rows\ affected(?:,\ [0-9]+\ warnings)?
    | \b[0-9]+\ rows(?::\ .*?(?=;\ lost:|$))?             # rows of a table: of a process list, the columns are named
    | \b[0-9.]+\ (?:ms|s|times?)\b | \b[0-9]+x\b
    | \b(?:line|column|col|pos|position|offset|at\ row)\ [0-9]+\b""",
    re.VERBOSE,
)
"""Numbers that are not ids, even if an id is equal to one of them."""
_NAME = re.compile(r"\bKSC_\w+")
_DURATION = re.compile(r"(?<![\w.])[0-9]+(?:\.[0-9]+)? ?(?:ms|s|seconds?|milliseconds?)\b")


def with_placeholders(result: CaseResult) -> CaseResult:
    """The result with placeholders in all its texts."""
    placeholders = _Placeholders(dict(result.identifiers), result.transcript)
    return replace(
        result,
        reason=placeholders.put_in(result.reason),
        expected=placeholders.put_in(result.expected),
        actual=placeholders.put_in(result.actual),
        observed={placeholders.put_in(name): count for name, count in result.observed.items()},
        transcript=tuple(placeholders.put_in_event(event) for event in result.transcript),
        warnings=tuple(map(placeholders.put_in, result.warnings)),
        identifiers=placeholders.identifiers,
    )


@dataclass
class _Piece:
    """A part of a text; ``done``: its placeholders are complete, and its numbers are not ids."""

    text: str
    done: bool = False


class _Placeholders:
    """The placeholders of one result.

    Attributes:
        identifiers: the values by their names; numbers that a server computed from ids are added when they are found.
    """

    def __init__(self, identifiers: dict[str, str], transcript: tuple[Event, ...]) -> None:
        self.identifiers = identifiers
        statements = {event.text: by_hand(event.manual) for event in transcript if event.manual}
        # Longest first: a statement may contain another one.
        self._statements = sorted(statements.items(), key=lambda pair: -len(pair[0]))
        self._numbers: dict[int, str] = {}
        for name, value in identifiers.items():
            if value.isdecimal():
                self._numbers.setdefault(int(value), f"<{name}>")
        for event in transcript:
            for number, shown in _sent_numbers(event):
                self._numbers.setdefault(number, shown)
        texts = {name: value for name, value in identifiers.items() if not value.isdecimal()}
        # Longest first: an address may contain a name.
        self._texts = sorted(texts.items(), key=lambda pair: -len(pair[1]))
        self._named = {value: name for name, value in self._texts}
        values = "|".join(f"({re.escape(value)})" for _, value in self._texts)
        self._pattern = re.compile(rf"(?<!\w)(?:{values})(?!\w)", re.IGNORECASE) if self._texts else None

    def put_in_event(self, event: Event) -> Event:
        """The event with placeholders; a statement to type by hand has them already."""
        manual = self._name(by_hand(event.manual))
        return replace(event, text=manual or self.put_in(event.text), manual=manual)

    def put_in(self, text: str) -> str:
        """A text with placeholders."""
        pieces = [_Piece(text)]
        for statement, manual in self._statements:
            pieces = [part for piece in pieces for part in _replaced(piece, statement, manual)]
        return "".join(self._name(piece.text if piece.done else self._number(piece.text)) for piece in pieces)

    def _number(self, text: str) -> str:
        """A text with placeholders for the ids in it."""
        text = _OTHERS_ID.sub("<id of another session>", text)
        shown, end = "", 0
        for match in _NO_ID.finditer(text):
            shown += _NUMBER.sub(self._of_number, text[end : match.start()]) + match[0]
            end = match.end()
        return shown + _NUMBER.sub(self._of_number, text[end:])

    def _of_number(self, match: re.Match[str]) -> str:
        known = self._numbers.get(int(match[0]))
        if known is not None or len(match[0]) < _LONG:
            return known or match[0]
        # A number that a server computed from an id: it has the same name in all texts.
        name = f"number {sum(name.startswith('number ') for name in self.identifiers) + 1}"
        self.identifiers[name] = match[0]
        self._numbers[int(match[0])] = f"<{name}>"
        return f"<{name}>"

    def _name(self, text: str) -> str:
        """A text with placeholders for names and addresses."""
        return text if self._pattern is None else self._pattern.sub(self._of_name, text)

    def _of_name(self, match: re.Match[str]) -> str:
        # Two names may differ in their letter case only; a server may show any name in another one.
        return f"<{self._named.get(match[0]) or self._texts[(match.lastindex or 0) - 1][0]}>"


def by_hand(manual: str) -> str:
    """A statement to type by hand, without the example of a number that was no session's id in this run."""
    return _EXAMPLE.sub("", manual)


def _replaced(piece: _Piece, statement: str, manual: str) -> Iterator[_Piece]:
    """A piece in which a statement is replaced by the one to type by hand."""
    if piece.done or statement not in piece.text:
        yield piece
        return
    for index, part in enumerate(piece.text.split(statement)):
        if index:
            yield _Piece(manual, done=True)
        yield _Piece(part)


def _sent_numbers(event: Event) -> Iterator[tuple[int, str]]:
    """The numbers in a sent statement that were computed from ids, each with its placeholder."""
    holes = list(_HOLE.finditer(event.manual))
    if not holes:
        return
    ends = [0, *(hole.end() for hole in holes)]
    literals = [event.manual[end : hole.start()] for end, hole in zip(ends, holes, strict=False)]
    pattern = "".join(f"{re.escape(literal)}([0-9]+?)" for literal in literals) + re.escape(event.manual[ends[-1] :])
    match = re.fullmatch(pattern, event.text, re.DOTALL)
    if match is None:
        return
    for run in re.finditer(r"[0-9]+", event.text):
        inside = [index for index in range(len(holes)) if run.start() <= match.start(index + 1) < run.end()]
        shown, end = "", run.start()
        for index in inside:
            shown += event.text[end : match.start(index + 1)] + by_hand(holes[index][0])
            end = match.end(index + 1)
        if inside:
            yield int(run[0]), shown + event.text[end : run.end()]


def without_durations_and_names(text: str) -> str:
    """The text with ``<time>`` for each duration and ``<name>`` for each generated name: these differ in each run."""
    return _DURATION.sub("<time>", _NAME.sub("<name>", text))
