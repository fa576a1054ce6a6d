"""From a text to a statement."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from runner.simulator import errors
from runner.simulator.sql import accounts, data, kill, session
from runner.simulator.sql.cursor import Cursor
from runner.simulator.sql.statements import ShowProcessList, Statement
from runner.simulator.sql.tokens import END

if TYPE_CHECKING:
    from collections.abc import Callable

    Rule = Callable[[Cursor], Statement]

CACHED_STATEMENTS = 512
CACHED_LENGTH = 2_000

_SIMPLE: dict[tuple[str, ...], Rule] = {
    ("KILL",): kill.plain_kill,
    ("CREATE", "USER"): accounts.create_user,
    ("ALTER", "USER"): accounts.alter_user,
    ("DROP", "USER"): accounts.drop_user,
    ("CREATE", "ROLE"): accounts.create_role,
    ("DROP", "ROLE"): accounts.drop_role,
    ("GRANT",): accounts.grant,
    ("REVOKE",): accounts.revoke,
    ("CREATE", "TABLE"): data.create_table,
    ("DROP", "TABLE"): data.drop_table,
    ("INSERT",): data.insert,
    ("UPDATE",): data.update,
    ("DELETE",): data.delete,
    ("SELECT",): data.select,
    ("SET",): session.set_,
    ("ALTER", "SESSION"): session.alter_session,
    ("COMMIT",): session.commit,
    ("ROLLBACK",): session.rollback,
    ("SAVEPOINT",): session.savepoint,
    ("START",): session.start,
    ("CALL",): session.call,
    ("SHOW", "PROCESSLIST"): lambda _: ShowProcessList(),
    ("SHOW", "FULL", "PROCESSLIST"): lambda _: ShowProcessList(full=True),
    ("SHOW", "VARIABLES"): session.show_variables,
    ("SHOW", "SESSION", "VARIABLES"): session.show_variables,
    ("SHOW", "GLOBAL", "VARIABLES"): session.show_variables,
}


class Parser:
    """Reads statements; texts that it has read lately it knows by heart."""

    def __init__(self, kill_grammar: kill.KillGrammar) -> None:
        rules = dict(_SIMPLE)
        rules["ALTER", "SYSTEM", "KILL"] = kill_grammar.session
        rules["BEGIN",] = self._begin
        rules["DECLARE",] = session.counting
        self._rules: dict[str, list[tuple[tuple[str, ...], Rule]]] = {}
        for words, rule in rules.items():
            self._rules.setdefault(words[0], []).append((words, rule))
        self._cached = lru_cache(CACHED_STATEMENTS)(self._parse)

    def parse(self, sql: str) -> Statement:
        """The statement in a text, or the error that it is."""
        return self._cached(sql) if len(sql) <= CACHED_LENGTH else self._parse(sql)

    def split(self, sql: str) -> tuple[str, str]:
        """The first of several statements in a text, and the rest of it: empty behind the last one.

        What is no statement is not split: it is one syntax error, to the end of the text.
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
        # The offending token is the first one that no rule of this beginning goes on with.
        known = 0
        for words, _ in rules:
            known = max(known, next(count for count in range(len(words), -1, -1) if cursor.sees(*words[:count])))
        for _ in range(known):
            cursor.next()
        return cursor.fail()

    def _begin(self, cursor: Cursor) -> Statement:
        return session.begin(cursor, self._statement)
