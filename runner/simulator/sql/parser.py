"""Parses a text to a statement; the grammars of ALTER SYSTEM KILL SESSION and of the plain KILL."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from runner.simulator import errors
from runner.simulator.sql import session_grammar, table_grammar, user_grammar
from runner.simulator.sql.statements import Kill, KillSession, ShowProcessList, Statement
from runner.simulator.sql.tokens import END, NUMBER, STRING, Cursor


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


Rule = Callable[[Cursor], Statement]

CACHED_STATEMENTS = 512
CACHED_LENGTH = 2_000

_SIMPLE: dict[tuple[str, ...], Rule] = {
    ("CREATE", "USER"): user_grammar.create_user,
    ("ALTER", "USER"): user_grammar.alter_user,
    ("DROP", "USER"): user_grammar.drop_user,
    ("CREATE", "ROLE"): user_grammar.create_role,
    ("DROP", "ROLE"): user_grammar.drop_role,
    ("GRANT",): user_grammar.grant,
    ("REVOKE",): user_grammar.revoke,
    ("CREATE", "TABLE"): table_grammar.create_table,
    ("DROP", "TABLE"): table_grammar.drop_table,
    ("INSERT",): table_grammar.insert,
    ("UPDATE",): table_grammar.update,
    ("DELETE",): table_grammar.delete,
    ("SELECT",): table_grammar.select,
    ("SET",): session_grammar.set_,
    ("ALTER", "SESSION"): session_grammar.alter_session,
    ("COMMIT",): session_grammar.commit,
    ("ROLLBACK",): session_grammar.rollback,
    ("SAVEPOINT",): session_grammar.savepoint,
    ("START",): session_grammar.start,
    ("CALL",): session_grammar.call,
    ("SHOW", "PROCESSLIST"): lambda _: ShowProcessList(),
    ("SHOW", "FULL", "PROCESSLIST"): lambda _: ShowProcessList(full=True),
    ("SHOW", "VARIABLES"): session_grammar.show_variables,
    ("SHOW", "SESSION", "VARIABLES"): session_grammar.show_variables,
    ("SHOW", "GLOBAL", "VARIABLES"): session_grammar.show_variables,
}


class Parser:
    """Parses statements; the results for recent texts are cached."""

    def __init__(self, kill_grammar: KillGrammar, plain_kill_grammar: PlainKillGrammar) -> None:
        rules = dict(_SIMPLE)
        rules["KILL",] = plain_kill_grammar.kill
        rules["ALTER", "SYSTEM", "KILL"] = kill_grammar.session
        rules["BEGIN",] = self._begin
        rules["DECLARE",] = session_grammar.counting
        self._rules: dict[str, list[tuple[tuple[str, ...], Rule]]] = {}
        for words, rule in rules.items():
            self._rules.setdefault(words[0], []).append((words, rule))
        self._cached = lru_cache(CACHED_STATEMENTS)(self._parse)

    def parse(self, sql: str) -> Statement:
        """Parses a text; raises a syntax error."""
        return self._cached(sql) if len(sql) <= CACHED_LENGTH else self._parse(sql)

    def split(self, sql: str) -> tuple[str, str]:
        """The first of several statements in a text, and the remaining text, which is empty after the last one.

        A text that begins with a syntax error is not split.
        """
        cursor = Cursor(sql)
        try:
            self._statement(cursor)
        except errors.SqlError:
            return sql, ""
        end = cursor.previous.end
        if not cursor.symbol(";") or cursor.now.kind == END:
            return sql, ""
        return sql[:end], sql[cursor.now.start :]

    def _parse(self, sql: str) -> Statement:
        cursor = Cursor(sql)
        if cursor.now.kind == END or not sql.strip(" \t\r\n;"):
            raise errors.empty_query()
        statement = self._statement(cursor)
        cursor.close()
        return statement

    def _statement(self, cursor: Cursor) -> Statement:
        rules = self._rules.get(cursor.now.value, ())
        for words, rule in rules:
            if cursor.accept(*words):
                return rule(cursor)
        # The syntax error is at the first token that continues no rule with this beginning.
        known = 0
        for words, _ in rules:
            known = max(known, next(count for count in range(len(words), -1, -1) if cursor.sees(*words[:count])))
        for _ in range(known):
            cursor.next()
        return cursor.fail()

    def _begin(self, cursor: Cursor) -> Statement:
        return session_grammar.begin(cursor, self._statement)
