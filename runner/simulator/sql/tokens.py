"""Splits a statement's text into tokens, and the parser's position in them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn

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


DEPTH_LIMIT = 50

RESERVED = frozenset(
    [
        "ADD",
        "ALTER",
        "AND",
        "AS",
        "ASC",
        "BETWEEN",
        "BY",
        "CONNECT",
        "CREATE",
        "DELETE",
        "DESC",
        "DISTINCT",
        "DROP",
        "FOR",
        "FROM",
        "GRANT",
        "GROUP",
        "HAVING",
        "IDENTIFIED",
        "IMMEDIATE",
        "IN",
        "INSERT",
        "INTO",
        "IS",
        "LIKE",
        "LIMIT",
        "NOT",
        "NOWAIT",
        "NULL",
        "ON",
        "OR",
        "ORDER",
        "REVOKE",
        "SELECT",
        "SESSION",
        "SET",
        "TABLE",
        "TO",
        "UNION",
        "UPDATE",
        "VALUES",
        "WHERE",
        "WITH",
    ]
)


class Cursor:
    """Reads the tokens of one statement, one by one."""

    def __init__(self, sql: str) -> None:
        self.sql = sql
        self._tokens = tokens_of(sql)
        self._at = 0
        self._depth = 0

    @property
    def now(self) -> Token:
        """The present token."""
        return self._tokens[self._at]

    @property
    def previous(self) -> Token:
        """The token that was read last."""
        return self._tokens[max(self._at - 1, 0)]

    def next(self) -> Token:
        """Reads the present token."""
        token = self._tokens[self._at]
        if token.kind != END:
            self._at += 1
        return token

    def fail(self) -> NoReturn:
        """Raises a syntax error at the present token."""
        self.fail_at(self.now)

    def fail_at(self, token: Token) -> NoReturn:
        """Raises a syntax error at a token."""
        start = token.start
        raise errors.syntax_error(self.sql[start:], self.sql.count("\n", 0, start) + 1)

    def sees(self, *words: str) -> bool:
        """Whether these keywords are next."""
        ahead = self._tokens[self._at : self._at + len(words)]
        return [(token.kind, token.value) for token in ahead] == [(WORD, word) for word in words]

    def accept(self, *words: str) -> bool:
        """Reads these keywords if all of them are next."""
        if not self.sees(*words):
            return False
        self._at += len(words)
        return True

    def expect(self, *words: str) -> None:
        """Reads these keywords, or raises a syntax error."""
        for word in words:
            if not self.accept(word):
                self.fail()

    def one_of(self, *words: str) -> str | None:
        """Reads one of these keywords if it is next."""
        token = self.now
        if token.kind == WORD and token.value in words:
            self._at += 1
            return token.value
        return None

    def symbol(self, *symbols: str) -> str | None:
        """Reads one of these symbols if it is next."""
        token = self.now
        if token.kind == SYMBOL and token.value in symbols:
            self._at += 1
            return token.value
        return None

    def expect_symbol(self, symbol: str) -> None:
        """Reads a symbol, or raises a syntax error."""
        if self.symbol(symbol) is None:
            self.fail()

    def take(self, *kinds: str) -> Token:
        """Reads a token of one of these kinds, or raises a syntax error."""
        if self.now.kind not in kinds:
            self.fail()
        return self.next()

    def string(self) -> str:
        """Reads a text in single quotes."""
        return self.take(STRING).value

    def integer(self) -> int:
        """Reads a whole number without a sign."""
        token = self.now
        if token.kind != NUMBER or not token.value.isdigit() or token.end - token.start > 18:  # noqa: PLR2004 - 64 bits
            self.fail()
        return int(self.next().value)

    def may_be_name(self) -> bool:
        """Whether a name is next."""
        token = self.now
        return token.kind == QUOTED or (token.kind == WORD and token.value not in RESERVED)

    def name(self) -> str:
        """Reads a name; an unquoted one is converted to upper case."""
        return self.next().value if self.may_be_name() else self.fail()

    def qualified_name(self) -> tuple[str | None, str]:
        """Reads a name with or without a schema."""
        first = self.name()
        return (first, self.name()) if self.symbol(".") else (None, first)

    def raw(self, token: Token) -> str:
        """The text of a token."""
        return self.sql[token.start : token.end]

    def enter_level(self) -> None:
        """Enters a nested level; too many levels are a syntax error."""
        self._depth += 1
        if self._depth > DEPTH_LIMIT:
            self.fail()

    def leave_level(self) -> None:
        """Leaves a nested level."""
        self._depth -= 1

    def ends(self) -> bool:
        """Whether the statement ends here, with or without a semicolon; reads nothing."""
        return self.now.kind == END or (self.now.kind == SYMBOL and self.now.value == ";")

    def close(self) -> None:
        """Reads the end of the statement, with or without a semicolon, or raises a syntax error."""
        self.symbol(";")
        if self.now.kind != END:
            self.fail()
