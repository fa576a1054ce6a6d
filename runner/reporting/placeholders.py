"""Texts in which every id, user, address and name of one run is replaced by what it stands for.

``ALTER SYSTEM KILL SESSION '3221487617'`` becomes ``ALTER SYSTEM KILL SESSION '<id of victim>'``: what two runs have in
common can be compared, and what a reader sees is what it means.

Names and addresses are like nothing else. Ids are numbers, and small ones are like many numbers: so placeholders are
put where ids stand: in statements as the case has them, and in what a server says of the numbers that it was sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from runner.execution.transcript import Event
from runner.execution.verdict import CaseResult

_EXAMPLE = re.compile(r"(?<=that no session has), such as [0-9]+")
_HOLE = re.compile(r"<(?:id of [^<>]+|a number that no session has(?:, such as [0-9]+)?)>")
_NUMBER = re.compile(r"(?<![\w.:-])[0-9]+(?!\w|[.:][0-9])")
_LONG = 6
"""Digits from which on a number that nobody knows is taken for one that the server made of an id."""
_OTHERS_ID = re.compile(r"(?<=naming session )[0-9]+(?=, which is not a session of this case)")
_NO_ID = re.compile(
    r"""\berror\ [0-9]+\ \([^()]*\)                       # code and sqlstate
    | \bOK,\ [0-9]+\ rows\ affected(?:,\ [0-9]+\ warnings)?
    | \b[0-9]+\ rows(?::\ .*?(?=;\ lost:|$))?             # rows of a table: of a process list, the columns are named
    | \b[0-9.]+\ (?:ms|s|times?)\b | \b[0-9]+x\b
    | \b(?:line|column|col|pos|position|offset|at\ row)\ [0-9]+\b""",
    re.VERBOSE,
)
"""Numbers in texts that are no ids, though an id may be equal to one of them."""


def with_placeholders(result: CaseResult) -> CaseResult:
    """The result with all its texts so."""
    names = _Names(dict(result.identifiers), result.transcript)
    return replace(
        result,
        reason=names.put_into(result.reason),
        expected=names.put_into(result.expected),
        actual=names.put_into(result.actual),
        observed={names.put_into(name): count for name, count in result.observed.items()},
        transcript=tuple(names.put_into_event(event) for event in result.transcript),
        warnings=tuple(map(names.put_into, result.warnings)),
        identifiers=names.identifiers,
    )


@dataclass
class _Piece:
    """A part of a text; ``done``: it has its placeholders, and no number in what is left is an id."""

    text: str
    done: bool = False


class _Names:
    """What stands for what in the texts of one result.

    Attributes:
        identifiers: the values by what they are called; numbers that a server made of ids are added as they are met.
    """

    def __init__(self, identifiers: dict[str, str], transcript: tuple[Event, ...]) -> None:
        self.identifiers = identifiers
        statements = {event.text: by_hand(event.manual) for event in transcript if event.manual}
        # Longest first: a statement may stand inside another one.
        self._statements = sorted(statements.items(), key=lambda pair: -len(pair[0]))
        self._numbers: dict[int, str] = {}
        for name, value in identifiers.items():
            if value.isdecimal():
                self._numbers.setdefault(int(value), f"<{name}>")
        for event in transcript:
            for number, shown in _sent_numbers(event):
                self._numbers.setdefault(number, shown)
        texts = {name: value for name, value in identifiers.items() if not value.isdecimal()}
        # Longest first: a name may stand inside an address.
        self._texts = sorted(texts.items(), key=lambda pair: -len(pair[1]))
        values = "|".join(f"({re.escape(value)})" for _, value in self._texts)
        self._pattern = re.compile(rf"(?<!\w)(?:{values})(?!\w)", re.IGNORECASE) if self._texts else None

    def put_into_event(self, event: Event) -> Event:
        """The event with placeholders; what is typed by hand tells already what stands for what."""
        manual = self._name(by_hand(event.manual))
        return replace(event, text=manual or self.put_into(event.text), manual=manual)

    def put_into(self, text: str) -> str:
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
        # A number that a server made of an id, in its own words: the same number has the same name in all texts.
        name = f"number {sum(name.startswith('number ') for name in self.identifiers) + 1}"
        self.identifiers[name] = match[0]
        self._numbers[int(match[0])] = f"<{name}>"
        return f"<{name}>"

    def _name(self, text: str) -> str:
        """A text with placeholders for names and addresses."""
        if self._pattern is not None:
            text = self._pattern.sub(lambda match: f"<{self._texts[(match.lastindex or 0) - 1][0]}>", text)
        return text


def by_hand(manual: str) -> str:
    """A statement to type by hand, without the example of a number that no session had in this run."""
    return _EXAMPLE.sub("", manual)


def _replaced(piece: _Piece, statement: str, manual: str) -> Iterator[_Piece]:
    """A piece in which a statement is replaced by what is typed by hand."""
    if piece.done or statement not in piece.text:
        yield piece
        return
    for index, part in enumerate(piece.text.split(statement)):
        if index:
            yield _Piece(manual, done=True)
        yield _Piece(part)


def _sent_numbers(event: Event) -> Iterator[tuple[int, str]]:
    """The numbers that a statement was sent with and that were built from an id, each with what stands for it."""
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
