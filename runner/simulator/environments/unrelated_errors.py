"""Servers that report errors with causes other than the statement under test."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

from runner.simulator import errors
from runner.simulator.catalogue import environment
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.results import Result
from runner.simulator.sessions import Session
from runner.simulator.sql import statements as sql


@environment
class DiskFull(Engine):
    """Changes of a table are refused, because the disk is full."""

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        if isinstance(statement, sql.Update | sql.Delete):
            raise errors.SqlError(
                1021, errors.GENERAL, "Disk full (/tmp/x); waiting for someone to free some space", oracle=False
            )
        return await super().run(session, statement, depth)


@environment
class OutOfMemoryForTheStatement(Engine):
    """The statement under test is always refused, because the server is out of memory."""

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        if isinstance(statement, sql.KillSession | sql.Kill):
            raise errors.SqlError(
                1041,
                errors.GENERAL,
                "Out of memory; check if mysqld or some other process uses all available memory",
                oracle=False,
            )
        return await super().run(session, statement, depth)


@environment
class ReadOnlyServer(Engine):
    """Tables are read-only."""

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        if isinstance(statement, sql.Update | sql.Delete | sql.Insert):
            raise errors.SqlError(
                1290,
                errors.GENERAL,
                "The server is running with the --read-only option so it cannot execute this statement",
                oracle=False,
            )
        return await super().run(session, statement, depth)
