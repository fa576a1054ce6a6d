"""Finds the statements that the guard has to check, and checks the shape of such a statement.

The guard has to know every session id that a lenient server could read in a statement. So a guarded statement consists
of words, plain numbers, quoted texts with ids, comments, commas and semicolons, in ASCII. It contains nothing that a
server computes (``KILL (SELECT …)``, ``KILL @n``, ``KILL USER name``) or that servers read in different ways
(hexadecimal notation, exponents, adjacent texts, escapes). Only a profile can send a call of a routine instead
(``CALL mysql.rds_kill(5)``): its arguments are such numbers, texts and words.
docs/case-language.md shows the shapes; ``runner.execution.id_readings`` is complete for them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from runner.language.message_text import did_you_mean
from runner.language.model import Case, Send, Vocabulary, flat
from runner.language.placeholder_text import Template

_TOKEN = re.compile(
    r"""
    (?P<blank>[ \t\r\n]+)
    | (?P<word>[A-Za-z_]+)(?![A-Za-z_0-9'])
    | (?P<number>[0-9]{1,40})(?![A-Za-z_0-9])
    | '(?P<text>(?:[^']|'')*)'(?![A-Za-z_0-9'])
    | "(?P<name>[0-9]{1,40})"(?![A-Za-z_0-9'"])
    | '(?P<quote>)\Z
    | '(?P<open>(?:[^']|'')*)\Z
    | (?P<comma>,)
    | (?P<semicolon>;)
    | (?P<comment>/\*[A-Za-z_ \t\r\n]*\*/ | --(?=[ \t])[A-Za-z_ \t]*(?:\r?\n|\Z))
    """,
    re.VERBOSE,
)
"""No character right beside a word or number may change its meaning: ``X'31'``, ``0x1F``, ``1e3``."""

_FOLLOWS = {
    "start": {"word", "comment"},
    "word": {"word", "comment", "number", "text", "name", "open", "quote", "semicolon"},
    "comment": {"word", "comment", "number", "text", "open", "quote"},
    "number": {"word", "comma", "semicolon", "quote"},
    "text": {"word", "comma", "semicolon"},
    "name": {"word", "semicolon"},
    "comma": {"number", "text", "open"},
    "semicolon": {"word", "comment"},
    "open": set(),
    "quote": set(),
}
"""The kinds of tokens that may follow each kind, without blanks: never two numbers or texts, which servers may join."""

_DIGITS = r"(?=[0-9]{1,400}(?![0-9]))0*[0-9]{1,40}"
_WORD = r"[A-Za-z]+"
_BESIDE = r"(?![xobeXOBE])[A-Za-z]{3,}(?<![xobeXOBE])"  # no 0x1F, 1e3, 12h, nor 12k
_BLANKS = r"[ \t\r\n]{0,20}"
_ALONE = rf"{_DIGITS}\.[0-9] | {_DIGITS}\+0 | {_DIGITS}{_BESIDE} | {_BESIDE}{_DIGITS} | \"{_DIGITS}\" | [*%]"
_PART = rf"{_BLANKS}(?: [+-]?{_DIGITS} | @{_DIGITS} | {_WORD} )?{_BLANKS}"
_IDS = re.compile(rf"{_BLANKS}(?: {_ALONE} ){_BLANKS} | {_PART}(?: ,{_PART} ){{0,3}}", re.VERBOSE)
"""A text of ids: one id in an unusual notation, or up to four parts."""

_CALL = re.compile(
    r"\s*(?P<verb>CALL|SELECT)\s+(?P<routine>[a-z_]+(?:\.[a-z_]+){0,2})\s?\((?P<arguments>[^()]*)\)\s*;?\s*",
    re.IGNORECASE | re.ASCII,
)
"""A call of a procedure or a function. No digit is in its name, where the guard would read an id."""
_MOST_ARGUMENTS = 4
_BETWEEN_ARGUMENTS = re.compile(r",(?=(?:[^']*'[^']*')*[^']*\Z)")  # no comma in a quoted text

_COMPUTING = """
    AND OR NOT XOR DIV MOD IS IN LIKE RLIKE REGEXP BETWEEN CASE COLLATE BINARY INTERVAL ESCAPE SOUNDS MEMBER
    TRUE FALSE NULL UNKNOWN DEFAULT INF INFINITY NAN UID ROWNUM LEVEL SYSDATE SYSTIMESTAMP LOCALTIME LOCALTIMESTAMP
    CURRENT_DATE CURRENT_TIME CURRENT_TIMESTAMP CURRENT_USER UTC_DATE UTC_TIME UTC_TIMESTAMP
    SELECT FROM WHERE USING ALL USER ID
"""
COMPUTING = frozenset(_COMPUTING.split())
"""Words for computations, for numbers, or for selecting sessions by something else than their id."""


@dataclass(frozen=True)
class ShapeProblem:
    """A problem of the shape of a guarded statement, and the fix."""

    what: str
    hint: str

    def __str__(self) -> str:
        return f"{self.what} ({self.hint})"


def called_routine(statement: str) -> str | None:
    """The routine that a statement calls, such as ``CALL MYSQL.RDS_KILL``; None for others."""
    match = _CALL.fullmatch(statement)
    return None if match is None else f"{match['verb']} {match['routine']}".upper()


def shape_problem(
    statement: str, vocabulary: Vocabulary, more_words: Collection[str] = (), routines: Collection[str] = ()
) -> ShapeProblem | None:
    """The first problem of the shape of a guarded statement, or None.

    Args:
        statement: the statement, with numbers in place of ids.
        vocabulary: the register's, with the allowed words.
        more_words: further allowed words: those of a profile's spellings.
        routines: the routines that may be called, as in ``called_routine``: those of a profile's spellings.
    """
    check = _Check(vocabulary, more_words)
    if called_routine(statement) in routines and (match := _CALL.fullmatch(statement)) is not None:
        return check.arguments(match["arguments"])
    return check.statement(statement, inside=False)


def texts_of_ids(statement: str) -> Iterator[str]:
    """The quoted texts of an accepted statement in which a server reads ids."""
    for match in _TOKEN.finditer(statement):
        if match.lastgroup in {"text", "open", "quote"}:
            content = match[match.lastgroup]
            if _IDS.fullmatch(content):
                yield content
            else:
                yield from texts_of_ids(content.replace("''", "'"))


@dataclass(frozen=True)
class _Check:
    vocabulary: Vocabulary
    more_words: Collection[str]

    def statement(self, statement: str, *, inside: bool) -> ShapeProblem | None:
        before, end = "start", 0
        while end < len(statement):
            match = _TOKEN.match(statement, end)
            if match is None:
                return _misfit(statement, end)
            kind = match.lastgroup or ""
            end = match.end()
            if kind == "blank":
                continue
            if kind not in _FOLLOWS[before] or (inside and kind in {"open", "quote"}):
                return _misplaced(match, kind, before)
            if kind == "word" and (wrong := self._word(match[kind])):
                return wrong
            if kind in {"text", "open"} and (wrong := self._text(match[kind], kind, inside=inside)):
                return wrong
            before = kind
        return None

    def arguments(self, arguments: str) -> ShapeProblem | None:
        """The first problem of the arguments of a call: one to four numbers, words or texts of ids."""
        for number, argument in enumerate(_BETWEEN_ARGUMENTS.split(arguments)):
            match = _TOKEN.fullmatch(argument.strip(" \t\r\n"))
            kind = "" if match is None else match.lastgroup or ""
            if match is None or kind not in {"number", "word", "text"} or number >= _MOST_ARGUMENTS:
                return ShapeProblem(f"the argument {_short(argument)} of the call is not allowed", _SHAPES)
            if kind == "word" and (wrong := self._word(match[kind])):
                return wrong
            if kind == "text" and (wrong := self._text(match[kind], kind, inside=True)):
                return wrong
        return None

    def _text(self, content: str, kind: str, *, inside: bool) -> ShapeProblem | None:
        if _IDS.fullmatch(content):
            return next(filter(None, map(self._word, re.findall(_WORD, content))), None)
        if kind == "text" and not inside and self.vocabulary.contains_guarded_word(content):
            return self.statement(content.replace("''", "'"), inside=True)
        return ShapeProblem(f"the text {_short(content)} is not an id in one of the allowed shapes", _SHAPES)

    def _word(self, word: str) -> ShapeProblem | None:
        known = {one.upper() for one in (*self.vocabulary.guarded_words, *self.more_words)}
        if word.upper() in COMPUTING:
            return ShapeProblem(
                f"with the word {word!r}, the server may compute the session to kill", "write ids as ${name.id}"
            )
        if self.vocabulary.guarded_words and word.upper() not in known:
            return ShapeProblem(
                f"the word {word!r} is not in the register's guarded_words",
                f"{did_you_mean(word.upper(), known)}; or add it there if no server selects sessions with it",
            )
        return None


_SHAPES = "write ids as ${name.id}; docs/case-language.md lists the shapes under 'Guarded statements'"


def _misfit(statement: str, at: int) -> ShapeProblem:
    found = re.match(r"\s|[^\s,;]+", statement[at:])
    shown = _short(found[0] if found else statement[at:])
    return ShapeProblem(f"{shown} (character {at + 1}) is not allowed in a statement that can kill sessions", _SHAPES)


def _misplaced(match: re.Match[str], kind: str, before: str) -> ShapeProblem:
    after = "at the start of" if before == "start" else f"after a {before} in"
    what = f"a {kind}, {_short(match[0])} (character {match.start() + 1}), is not allowed {after}"
    return ShapeProblem(f"{what} a statement that can kill sessions", _SHAPES)


def _short(text: str) -> str:
    return repr(text if len(text) <= 30 else f"{text[:27]}...")  # noqa: PLR2004 - fits on a line


def is_guarded(template: Template, statement: str, spelled: str, vocabulary: Vocabulary) -> bool:
    """Whether the guard has to check a statement before it is sent.

    Args:
        template: the statement in the case; every statement with an id is guarded, however it is spelled.
        statement: the template with its values.
        spelled: the statement as the profile spells it; the reader has checked only the statement in the case.
        vocabulary: of the register.
    """
    return (
        template.contains_ids
        or any(map(vocabulary.contains_guarded_word, (statement, spelled)))
        or (spelled != statement and not vocabulary.is_harmless(spelled))
    )


def statements_under_test(case: Case, vocabulary: Vocabulary) -> Iterator[Template]:
    """The statements of a case that are guarded, or that its requirement is about."""
    for step in flat(case.steps):
        if isinstance(step, Send):
            statement = step.statement
            if (
                statement.contains_ids
                or vocabulary.contains_guarded_word(statement.literal)
                or case.requirement.is_about(statement.text)
            ):
                yield statement
