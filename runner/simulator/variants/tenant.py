"""Other settings of a tenant: what its users may call, and how long its definitions take."""

# ruff: noqa: D102 - overriding one step of many, each explained where the honest one stands

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.simulator import errors
from runner.simulator.catalogue import lawful
from runner.simulator.execute.engine import Engine
from runner.simulator.sql import statements as sql

if TYPE_CHECKING:
    from runner.simulator.execute.results import Result
    from runner.simulator.sessions import Session


@lawful
class NoDbmsLock(Engine):
    """DBMS_LOCK.SLEEP is not declared for anybody."""

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        if isinstance(statement, sql.Sleep):
            raise errors.package_not_visible("DBMS_LOCK.SLEEP")
        return await super().run(session, statement, depth)
