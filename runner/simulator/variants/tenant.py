"""Other settings of a tenant: what its users may call, and how long its definitions take."""

# ruff: noqa: D102 - overriding one step of many, each explained where the honest one stands

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from runner.simulator import errors
from runner.simulator.catalogue import lawful
from runner.simulator.execute.engine import Engine
from runner.simulator.sql import statements as sql

if TYPE_CHECKING:
    from runner.simulator.execute.instance import Instance
    from runner.simulator.execute.results import Result
    from runner.simulator.sessions import Session


_TAKES = 0.05
"""Seconds: a definition of OceanBase's takes about so long, on all its servers together."""

_EVERY = 3
"""So many definitions, and one of them meets another one that is under way."""

_PASSING = ((-4023, "Try again"), (-4029, "Schema error"), (-5627, "Schema try again"), (-5851, "DDL conflict"))


@lawful
class SlowDefinitions(Engine):
    """CREATE, DROP, GRANT and REVOKE take a twentieth of a second each."""

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        if isinstance(statement, sql.Definition):
            await session.wait(_TAKES)
        return await super().run(session, statement, depth)


@lawful
class PassingErrors(Engine):
    """Every third definition is refused as by OceanBase while others are under way; sent again, it is taken."""

    def __init__(self, instance: Instance) -> None:
        super().__init__(instance)
        self._definitions = itertools.count(1)
        self._errors = itertools.cycle(_PASSING)

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        if isinstance(statement, sql.Definition) and next(self._definitions) % _EVERY == 0:
            raise self._refusal(statement)
        return await super().run(session, statement, depth)

    def _refusal(self, statement: sql.Definition) -> errors.SqlError:
        if isinstance(statement, sql.CreateUser):
            return errors.user_operation_failed("CREATE USER", statement.name)
        if isinstance(statement, sql.DropUser):
            return errors.user_operation_failed("DROP USER", statement.name)
        return errors.internal(*next(self._errors))


@lawful
class NoDbmsLock(Engine):
    """DBMS_LOCK.SLEEP is not declared for anybody."""

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        if isinstance(statement, sql.Sleep):
            raise errors.package_not_visible("DBMS_LOCK.SLEEP")
        return await super().run(session, statement, depth)
