"""The grammars of ALTER SYSTEM KILL SESSION and of the plain KILL."""

from __future__ import annotations

from runner.simulator.sql.cursor import Cursor
from runner.simulator.sql.statements import Kill, KillSession, Statement
from runner.simulator.sql.tokens import NUMBER, STRING


class KillGrammar:
    """Reads ALTER SYSTEM KILL SESSION after the first three words."""

    def session(self, cursor: Cursor) -> Statement:
        """SESSION 'session_id[, serial#]' [IMMEDIATE]."""
        cursor.expect("SESSION")
        return KillSession(self.text(cursor), self.immediate(cursor))

    def text(self, cursor: Cursor) -> str:
        """Reads the text between the quotes: the id and the serial#."""
        return cursor.string()

    def immediate(self, cursor: Cursor) -> bool:
        """Reads the optional word IMMEDIATE."""
        return cursor.accept("IMMEDIATE")


class PlainKillGrammar:
    """Reads the plain KILL after the first word."""

    def kill(self, cursor: Cursor) -> Statement:
        """[CONNECTION | QUERY] id."""
        scope = cursor.one_of("CONNECTION", "QUERY")
        return Kill(self.id(cursor), query_only=scope == "QUERY", scope=scope)

    def id(self, cursor: Cursor) -> str:
        """Reads the id: a number, or a text between quotes."""
        sign = cursor.symbol("-", "+") or ""
        return sign + cursor.take(NUMBER, STRING).value
