"""Texts in which every id, user, address and name of one run is replaced by what it stands for.

``ALTER SYSTEM KILL SESSION '3221487617'`` becomes ``ALTER SYSTEM KILL SESSION '<id of victim>'``: what two runs have in
common can be compared, and what a reader sees is what it means.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from runner.execution.transcript import Event
from runner.execution.verdict import CaseResult

_EXAMPLE = re.compile(r"(?<=that no session has), such as [0-9]+")
_NUMBER = re.compile(r"(?<![\w.])[0-9]{6,}(?![\w.])")
_PASSWORD = re.compile(r"\bp[0-9a-f]{16}\b")
"""What ``naming.new_password`` makes."""


def with_placeholders(result: CaseResult) -> CaseResult:
    """The result with all its texts so."""
    identifiers = dict(result.identifiers)
    named = _namer(result.identifiers)

    def plain(text: str) -> str:
        return _NUMBER.sub(lambda match: _numbered(match[0], identifiers), named(text))

    return replace(
        result,
        reason=plain(result.reason),
        expected=plain(result.expected),
        came=plain(result.came),
        observed={plain(name): count for name, count in result.observed.items()},
        transcript=tuple(_event(event, plain, named) for event in result.transcript),
        warnings=tuple(map(plain, result.warnings)),
        identifiers=identifiers,
    )


def _event(event: Event, plain: Callable[[str], str], named: Callable[[str], str]) -> Event:
    # What is typed by hand says already what stands for what; a number in it is the case's own.
    manual = named(_EXAMPLE.sub("", event.manual))
    return replace(event, text=manual or plain(event.text), manual=manual)


def _namer(identifiers: Mapping[str, str]) -> Callable[[str], str]:
    """What puts the names of these identifiers for their values, in either letter case."""
    # Longest first: an id may stand inside an address.
    pairs = sorted(identifiers.items(), key=lambda pair: -len(pair[1]))
    values = "|".join(f"({re.escape(value)})" for _, value in pairs)
    pattern = re.compile(rf"(?<!\w)(?:{values})(?!\w)", re.IGNORECASE)

    def named(text: str) -> str:
        if pairs:
            text = pattern.sub(lambda match: f"<{pairs[(match.lastindex or 0) - 1][0]}>", text)
        return _PASSWORD.sub("<password>", text)

    return named


def _numbered(number: str, identifiers: dict[str, str]) -> str:
    """A number that a server made of an id, in its own words; the same number has the same name in all texts."""
    known = {value: name for name, value in identifiers.items()}
    name = known.get(number) or f"number {sum(name.startswith('number ') for name in identifiers) + 1}"
    identifiers[name] = number
    return f"<{name}>"
