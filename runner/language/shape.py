"""The shapes that a guarded statement may have: those that cases need, and no other.

The guard has to know every session id that a lenient server could read in a statement. That can be listed only where
little can be written. So a guarded statement consists of words, plain numbers, quoted texts with ids in them, comments,
commas and semicolons, in ASCII. There is no room for anything that a server computes (``KILL (SELECT …)``, ``KILL @n``,
``KILL USER name``) or that servers read differently (hexadecimal notation, exponents, texts side by side, escapes).
docs/case-language.md shows the shapes; ``runner.execution.readings`` is complete for them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from runner.language.model import Vocabulary
from runner.language.problems import did_you_mean

_TOKEN = re.compile(
    r"""
    (?P<blank>[ \t\r\n]+)
    | (?P<word>[A-Za-z_]+)(?![A-Za-z_0-9'])
    | (?P<number>[0-9]{1,40})(?![A-Za-z_0-9])
    | '(?P<text>(?:[^']|'')*)'(?![A-Za-z_0-9'])
    | '(?P<quote>)\Z
    | '(?P<open>(?:[^']|'')*)\Z
    | (?P<comma>,)
    | (?P<semicolon>;)
    | (?P<comment>/\*[A-Za-z_ \t\r\n]*\*/ | --(?=[ \t])[A-Za-z_ \t]*(?:\r?\n|\Z))
    """,
    re.VERBOSE,
)
"""Nothing stands right beside a word or a number that could change what it is: ``X'31'``, ``0x1F``, ``1e3``."""

_FOLLOWS = {
    "start": {"word", "comment"},
    "word": {"word", "comment", "number", "text", "open", "quote", "semicolon"},
    "comment": {"word", "comment", "number", "text", "open", "quote"},
    "number": {"word", "comma", "semicolon", "quote"},
    "text": {"word", "comma", "semicolon"},
    "comma": {"number", "text", "open"},
    "semicolon": {"word", "comment"},
    "open": set(),
    "quote": set(),
}
"""What may stand behind each kind of token, blanks left out: never two numbers or texts, which some servers join."""

_DIGITS = r"(?=[0-9]{1,400}(?![0-9]))0*[0-9]{1,40}"
_WORD = r"[A-Za-z]+"
_BESIDE = r"(?![xobeXOBE])[A-Za-z]{3,}(?<![xobeXOBE])"  # no 0x1F, 1e3, 12h, nor 12k
_BLANKS = r"[ \t\r\n]{0,20}"
_ALONE = rf"{_DIGITS}\.[0-9] | {_DIGITS}\+0 | {_DIGITS}{_BESIDE} | {_BESIDE}{_DIGITS} | \"{_DIGITS}\" | [*%]"
_PART = rf"{_BLANKS}(?: [+-]?{_DIGITS} | @{_DIGITS} | {_WORD} )?{_BLANKS}"
_IDS = re.compile(rf"{_BLANKS}(?: {_ALONE} ){_BLANKS} | {_PART}(?: ,{_PART} ){{0,3}}", re.VERBOSE)
"""A text of ids: one that is written unusually, or up to four parts."""

_COMPUTING = """
    AND OR NOT XOR DIV MOD IS IN LIKE RLIKE REGEXP BETWEEN CASE COLLATE BINARY INTERVAL ESCAPE SOUNDS MEMBER
    TRUE FALSE NULL UNKNOWN DEFAULT INF INFINITY NAN UID ROWNUM LEVEL SYSDATE SYSTIMESTAMP LOCALTIME LOCALTIMESTAMP
    CURRENT_DATE CURRENT_TIME CURRENT_TIMESTAMP CURRENT_USER UTC_DATE UTC_TIME UTC_TIMESTAMP
    SELECT FROM WHERE USING ALL USER ID
"""
COMPUTING = frozenset(_COMPUTING.split())
"""Words with which SQL computes, stands for a number, or names sessions by something else than their id."""


@dataclass(frozen=True)
class Fault:
    """What a guarded statement may not contain, and what to do about it."""

    what: str
    hint: str

    def __str__(self) -> str:
        return f"{self.what} ({self.hint})"


def fault(statement: str, vocabulary: Vocabulary, more_words: Collection[str] = ()) -> Fault | None:
    """The first place at which a statement that can kill sessions has no allowed shape, or None.

    Args:
        statement: with numbers in place of ids.
        vocabulary: of its register, with the words that may be in it.
        more_words: those of a profile's spellings.
    """
    return _Check(vocabulary, more_words).statement(statement, inside=False)


def texts_of_ids(statement: str) -> Iterator[str]:
    """The quoted texts of a statement without fault in which a server looks for an id."""
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

    def statement(self, statement: str, *, inside: bool) -> Fault | None:
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

    def _text(self, content: str, kind: str, *, inside: bool) -> Fault | None:
        if _IDS.fullmatch(content):
            return next(filter(None, map(self._word, re.findall(_WORD, content))), None)
        if kind == "text" and not inside and self.vocabulary.guards(content):
            return self.statement(content.replace("''", "'"), inside=True)
        return Fault(f"the text {_short(content)} is not an id in one of the allowed shapes", _SHAPES)

    def _word(self, word: str) -> Fault | None:
        known = {one.upper() for one in (*self.vocabulary.guarded_words, *self.more_words)}
        if word.upper() in COMPUTING:
            return Fault(
                f"with the word {word!r}, the server may compute the session to kill", "write ids as ${name.id}"
            )
        if self.vocabulary.guarded_words and word.upper() not in known:
            return Fault(
                f"the word {word!r} is not in the register's guarded_words",
                f"{did_you_mean(word.upper(), known)}; or add it there if no server selects sessions with it",
            )
        return None


_SHAPES = "write ids as ${name.id}; docs/case-language.md lists the shapes under 'Guarded statements'"


def _misfit(statement: str, at: int) -> Fault:
    found = re.match(r"\s|[^\s,;]+", statement[at:])
    shown = _short(found[0] if found else statement[at:])
    return Fault(f"{shown} (character {at + 1}) is not allowed in a statement that can kill sessions", _SHAPES)


def _misplaced(match: re.Match[str], kind: str, before: str) -> Fault:
    after = "at the start of" if before == "start" else f"after a {before} in"
    what = f"a {kind}, {_short(match[0])} (character {match.start() + 1}), is not allowed {after}"
    return Fault(f"{what} a statement that can kill sessions", _SHAPES)


def _short(text: str) -> str:
    return repr(text if len(text) <= 30 else f"{text[:27]}...")  # noqa: PLR2004 - what fits into a line
