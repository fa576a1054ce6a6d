"""Other ways with prepared statements, and with the view of sessions."""

# ruff: noqa: D102 - overriding one step of many, each explained where the honest one stands

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from runner.simulator import errors
from runner.simulator.accounts import ALTER_SYSTEM
from runner.simulator.catalogue import lawful
from runner.simulator.connection import Connection
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.results import Result, Rows
from runner.simulator.sql import statements as sql

if TYPE_CHECKING:
    from typing import Any

    from runner.simulator.sessions import Session

VIEW = "GV$OB_PROCESSLIST"


@lawful
class PreparedWithThePrivilege(Connection):
    """A statement prepared with ALTER SYSTEM can be executed after REVOKE."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
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


@lawful
class NoViewOfSessions(Engine):
    """There is no view of sessions besides SHOW PROCESSLIST."""

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        if _asks_the_view(statement):
            raise errors.no_such_table()
        return await super().run(session, statement, depth)


@lawful
class ViewWithIdsOfItsOwn(Engine):
    """The view of sessions shows other ids than SHOW PROCESSLIST does."""

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        result = await super().run(session, statement, depth)
        if not _asks_the_view(statement) or not isinstance(result, Rows):
            return result
        places = [place for place, column in enumerate(result.columns) if column.label == "ID"]
        rows = (
            tuple((cell or b"") + b"7" if place in places else cell for place, cell in enumerate(row))
            for row in result.rows
        )
        return replace(result, rows=tuple(rows))


def _asks_the_view(statement: sql.Statement) -> bool:
    return isinstance(statement, sql.Select) and statement.table is not None and statement.table[1] == VIEW
