"""Servers without roles."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

from runner.simulator import errors
from runner.simulator.catalogue import environment
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.results import Result
from runner.simulator.sessions import Session
from runner.simulator.sql import statements as sql


@environment
class NoRoles(Engine):
    """CREATE ROLE is a syntax error, as on a server that has no roles."""

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        if isinstance(statement, sql.CreateRole):
            raise errors.syntax_error("ROLE", 1)
        return await super().run(session, statement, depth)


@environment
class NoRolesAndNoListOfThem(NoRoles):
    """CREATE ROLE is a syntax error, and the view DBA_ROLES doesn't exist."""

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        if isinstance(statement, sql.Select) and statement.table is not None and statement.table[1] == "DBA_ROLES":
            raise errors.no_such_table()
        return await super().run(session, statement, depth)
