"""Defects of the syntax of the plain KILL: its ids, letter case, line breaks, semicolon and further words."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

from runner.simulator.catalogue import breaks
from runner.simulator.sql import statements as sql
from runner.simulator.sql.cursor import Cursor
from runner.simulator.sql.kill_grammar import PlainKillGrammar
from runner.simulator.sql.tokens import NUMBER, STRING


@breaks("FORM-1")
class KillTakesNumbersOnly(PlainKillGrammar):
    """An id between quotes is a syntax error."""

    def id(self, cursor: Cursor) -> str:
        return cursor.take(NUMBER).value


@breaks("FORM-1")
class KillReadsNoQuotedIds(PlainKillGrammar):
    """An id between quotes is read as 0."""

    def id(self, cursor: Cursor) -> str:
        return "0" if cursor.now.kind == STRING and cursor.next() else super().id(cursor)


@breaks("FORM-1")
class KillQueryWithQuotesEndsTheSession(PlainKillGrammar):
    """With an id between quotes, KILL QUERY is KILL."""

    def kill(self, cursor: Cursor) -> sql.Statement:
        statement = super().kill(cursor)
        quoted = cursor.previous.kind == STRING
        return sql.Kill(statement.text) if quoted and isinstance(statement, sql.Kill) else statement


@breaks("FORM-2")
class KillTakesTextOnly(PlainKillGrammar):
    """An id without quotes is a syntax error."""

    def id(self, cursor: Cursor) -> str:
        return cursor.string()


@breaks("FORM-3")
class KillIsCaseSensitive(PlainKillGrammar):
    """The word KILL is recognized in upper case only."""

    def kill(self, cursor: Cursor) -> sql.Statement:
        word = cursor.previous
        return super().kill(cursor) if cursor.raw(word) == word.value else cursor.fail_at(word)


@breaks("FORM-3")
class KillStandsOnOneLine(PlainKillGrammar):
    """KILL on several lines is a syntax error."""

    def kill(self, cursor: Cursor) -> sql.Statement:
        return cursor.fail() if "\n" in cursor.sql else super().kill(cursor)


@breaks("FORM-3")
class KillTakesNoSemicolon(PlainKillGrammar):
    """A semicolon after KILL is a syntax error."""

    def kill(self, cursor: Cursor) -> sql.Statement:
        statement = super().kill(cursor)
        return cursor.fail() if cursor.symbol(";") else statement


@breaks("FORM-4")
class KillIgnoresTheRest(PlainKillGrammar):
    """KILL ignores what follows the id."""

    def kill(self, cursor: Cursor) -> sql.Statement:
        statement = super().kill(cursor)
        while not cursor.ends():
            cursor.next()
        return statement


@breaks("FORM-4")
class KillIgnoresUnknownWords(PlainKillGrammar):
    """KILL ignores words before the id that it does not know, and further modifiers."""

    def id(self, cursor: Cursor) -> str:
        while not cursor.ends() and cursor.now.kind not in {NUMBER, STRING}:
            cursor.next()
        return super().id(cursor)


@breaks("FORM-4")
class KillNeedsNoId(PlainKillGrammar):
    """KILL without an id replies that there is no session 0."""

    def id(self, cursor: Cursor) -> str:
        return "0" if cursor.ends() else super().id(cursor)
