"""Servers without roles."""

# ruff: noqa: D102 - overriding one step, explained where the honest one stands

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.simulator import errors
from runner.simulator.catalogue import undecidable
from runner.simulator.execute.engine import Engine
from runner.simulator.sql import statements as sql

if TYPE_CHECKING:
    from runner.simulator.execute.results import Result
    from runner.simulator.sessions import Session


@undecidable
class NoRoles(Engine):
    """CREATE ROLE is a syntax error, as on a server that has no roles."""

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        if isinstance(statement, sql.CreateRole):
            raise errors.syntax_error("ROLE", 1)
        return await super().run(session, statement, depth)


@undecidable
class NoRolesAndNoListOfThem(NoRoles):
    """CREATE ROLE is a syntax error, and the view DBA_ROLES doesn't exist."""

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        if isinstance(statement, sql.Select) and statement.table is not None and statement.table[1] == "DBA_ROLES":
            raise errors.no_such_table()
        return await super().run(session, statement, depth)
