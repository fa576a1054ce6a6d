"""The parser's place in a statement."""

from __future__ import annotations

from typing import NoReturn

from runner.simulator import errors
from runner.simulator.sql.tokens import END, NUMBER, QUOTED, STRING, SYMBOL, WORD, Token, tokens_of

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
    """Walks over the tokens of one statement."""

    def __init__(self, sql: str) -> None:
        self.sql = sql
        self._tokens = tokens_of(sql)
        self._at = 0
        self._depth = 0

    @property
    def now(self) -> Token:
        """The token at hand."""
        return self._tokens[self._at]

    @property
    def previous(self) -> Token:
        """The token taken last."""
        return self._tokens[max(self._at - 1, 0)]

    def next(self) -> Token:
        """Takes the token at hand."""
        token = self._tokens[self._at]
        if token.kind != END:
            self._at += 1
        return token

    def fail(self) -> NoReturn:
        """The token at hand does not fit: says so, with the text from there on."""
        self.fail_at(self.now)

    def fail_at(self, token: Token) -> NoReturn:
        """An earlier token turns out not to fit."""
        start = token.start
        raise errors.syntax_error(self.sql[start:], self.sql.count("\n", 0, start) + 1)

    def sees(self, *words: str) -> bool:
        """Whether these keywords come next."""
        ahead = self._tokens[self._at : self._at + len(words)]
        return [(token.kind, token.value) for token in ahead] == [(WORD, word) for word in words]

    def accept(self, *words: str) -> bool:
        """Takes these keywords if they come next, all or none."""
        if not self.sees(*words):
            return False
        self._at += len(words)
        return True

    def expect(self, *words: str) -> None:
        """Takes these keywords; anything else is a syntax error."""
        for word in words:
            if not self.accept(word):
                self.fail()

    def one_of(self, *words: str) -> str | None:
        """Takes one of these keywords if it comes next."""
        token = self.now
        if token.kind == WORD and token.value in words:
            self._at += 1
            return token.value
        return None

    def symbol(self, *symbols: str) -> str | None:
        """Takes one of these symbols if it comes next."""
        token = self.now
        if token.kind == SYMBOL and token.value in symbols:
            self._at += 1
            return token.value
        return None

    def expect_symbol(self, symbol: str) -> None:
        """Takes a symbol; anything else is a syntax error."""
        if self.symbol(symbol) is None:
            self.fail()

    def take(self, *kinds: str) -> Token:
        """Takes a token of one of these kinds; anything else is a syntax error."""
        if self.now.kind not in kinds:
            self.fail()
        return self.next()

    def string(self) -> str:
        """Takes a text in single quotes."""
        return self.take(STRING).value

    def integer(self) -> int:
        """Takes a whole number without a sign."""
        token = self.now
        if token.kind != NUMBER or not token.value.isdigit() or token.end - token.start > 18:  # noqa: PLR2004 - 64 bits
            self.fail()
        return int(self.next().value)

    def may_be_name(self) -> bool:
        """Whether a name comes next."""
        token = self.now
        return token.kind == QUOTED or (token.kind == WORD and token.value not in RESERVED)

    def name(self) -> str:
        """Takes a name: unquoted ones are in upper case, quoted ones as they are."""
        return self.next().value if self.may_be_name() else self.fail()

    def qualified_name(self) -> tuple[str | None, str]:
        """Takes a name with or without a schema."""
        first = self.name()
        return (first, self.name()) if self.symbol(".") else (None, first)

    def raw(self, token: Token) -> str:
        """A token as it was written."""
        return self.sql[token.start : token.end]

    def deeper(self) -> None:
        """One parenthesis further in; there is an end to it."""
        self._depth += 1
        if self._depth > DEPTH_LIMIT:
            self.fail()

    def shallower(self) -> None:
        """One parenthesis further out."""
        self._depth -= 1

    def ends(self) -> bool:
        """Whether the statement ends here, with or without a semicolon; takes nothing."""
        return self.now.kind == END or (self.now.kind == SYMBOL and self.now.value == ";")

    def close(self) -> None:
        """The statement ends here, with or without a semicolon."""
        self.symbol(";")
        if self.now.kind != END:
            self.fail()
