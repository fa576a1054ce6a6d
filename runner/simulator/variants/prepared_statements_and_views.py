"""Conforming variants of prepared statements, and of the view of sessions."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

from dataclasses import replace
from typing import Any

from runner.simulator import errors
from runner.simulator.catalogue import variant
from runner.simulator.connection import Connection
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.results import Result, Rows
from runner.simulator.sessions import Session
from runner.simulator.sql import statements as sql
from runner.simulator.users_and_roles import ALTER_SYSTEM

VIEW = "GV$OB_PROCESSLIST"


@variant
class PreparedWithThePrivilege(Connection):
    """A statement prepared with ALTER SYSTEM can be executed after REVOKE."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._allowed: set[str] = set()

    def _prepare(self, session: Session, text: str) -> None:
        super()._prepare(session, text)
        if self._instance.privileges.holds(session, ALTER_SYSTEM):
            self._allowed.add(text)

    async def _run(self, session: Session, text: str, *, binary: bool) -> None:
        roles = session.roles
        if binary and text in self._allowed:
            session.roles |= {"DBA"}
        await super()._run(session, text, binary=binary)
        session.roles = roles


@variant
class NoViewOfSessions(Engine):
    """There is no view of sessions besides SHOW PROCESSLIST."""

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        if _reads_the_view(statement):
            raise errors.no_such_table()
        return await super().run(session, statement, depth)


@variant
class ViewWithIdsOfItsOwn(Engine):
    """The view of sessions shows other ids than SHOW PROCESSLIST does."""

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        result = await super().run(session, statement, depth)
        if not _reads_the_view(statement) or not isinstance(result, Rows):
            return result
        positions = [position for position, column in enumerate(result.columns) if column.label == "ID"]
        rows = (
            tuple((cell or b"") + b"7" if position in positions else cell for position, cell in enumerate(row))
            for row in result.rows
        )
        return replace(result, rows=tuple(rows))


def _reads_the_view(statement: sql.Statement) -> bool:
    return isinstance(statement, sql.Select) and statement.table is not None and statement.table[1] == VIEW
