"""Splits a statement's text into tokens."""

from __future__ import annotations

import re
from dataclasses import dataclass

from runner.simulator import errors

TOKEN_LIMIT = 50_000

WORD = "word"
QUOTED = "quoted"
STRING = "string"
NUMBER = "number"
VARIABLE = "variable"
SYMBOL = "symbol"
END = "end"
BAD = "bad"

# Possessive quantifiers: no text, however long or hostile, makes the expression backtrack.
# Python 3.11.2 (Debian 12) has a bug in possessive groups: only single characters are repeated possessively.
_TOKEN = re.compile(
    r"""
      (?P<blank>   (?: \s | --[^\n]*+ | /\*.*?\*/ )+ )
    | (?P<string>  '[^']*+(?:''[^']*+)*' )
    | (?P<quoted>  "[^"]++" )
    | (?P<number>  (?: [0-9]++(?:\.[0-9]*+)? | \.[0-9]++ )(?:[eE][+-]?[0-9]++)? )
    | (?P<variable>@@?[\w.]++ )
    | (?P<word>    [^\W\d][\w$\#]*+ )
    | (?P<symbol>  <= | >= | <> | != | \^= | \|\| | := | [-+*/(),.;=<>?] )
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Token:
    """One token: its kind, value and position.

    The value of a word is in upper case; that of a string is the text between the quotes.
    """

    kind: str
    value: str
    start: int
    end: int


def tokens_of(sql: str) -> list[Token]:
    """All tokens of a text, followed by END; if a text is no token, it is the last one, of kind BAD."""
    found: list[Token] = []
    at, length = 0, len(sql)
    while at < length:
        match = _TOKEN.match(sql, at)
        if match is None:
            # The error message shows the text after an open quote, as OceanBase's does.
            found.append(Token(BAD, "", at + 1 if sql[at] in "'\"" and at + 1 < length else at, length))
            return found
        kind, text, end = match.lastgroup or BAD, match[0], match.end()
        if kind != "blank":
            found.append(Token(kind, _value(kind, text), at, end))
            if len(found) > TOKEN_LIMIT:
                raise errors.statement_too_long()
        at = end
    found.append(Token(END, "", found[-1].start if found else length, length))
    return found


def _value(kind: str, text: str) -> str:
    if kind == STRING:
        return text[1:-1].replace("''", "'")
    if kind == QUOTED:
        return text[1:-1]
    return text if kind in (SYMBOL, NUMBER) else text.upper()
