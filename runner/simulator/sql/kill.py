"""The grammar of ALTER SYSTEM KILL SESSION, and of the plain KILL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.simulator.sql.statements import Kill, KillSession, Statement
from runner.simulator.sql.tokens import NUMBER, STRING

if TYPE_CHECKING:
    from runner.simulator.sql.cursor import Cursor


class KillGrammar:
    """Reads the statement once ALTER SYSTEM KILL has been read."""

    def session(self, cursor: Cursor) -> Statement:
        """SESSION 'session_id[, serial#]' [IMMEDIATE]."""
        cursor.expect("SESSION")
        return KillSession(self.text(cursor), self.immediate(cursor))

    def text(self, cursor: Cursor) -> str:
        """The id, and whatever else is between the quotes; without quotes it is no id."""
        return cursor.string()

    def immediate(self, cursor: Cursor) -> bool:
        """The word that may stand at the end, once."""
        return cursor.accept("IMMEDIATE")


def plain_kill(cursor: Cursor) -> Statement:
    """KILL [CONNECTION | QUERY] id, once KILL has been read."""
    scope = cursor.one_of("CONNECTION", "QUERY")
    sign = cursor.symbol("-", "+") or ""
    return Kill(sign + cursor.take(NUMBER, STRING).value, query_only=scope == "QUERY")
