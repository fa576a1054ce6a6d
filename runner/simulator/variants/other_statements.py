"""Variants of statements other than the one under test: slow DDL, transient errors of DDL, users known later."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

import itertools

from runner.simulator import errors
from runner.simulator.catalogue import variant
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.instance import Instance
from runner.simulator.execute.results import Result
from runner.simulator.sessions import Session
from runner.simulator.sql import statements as sql
from runner.simulator.timers import call_later

_DDL_SECONDS = 0.05
"""Seconds: about the time of a DDL statement in OceanBase."""

_UNKNOWN_SECONDS = 0.5

_EVERY = 3
"""Every third DDL statement gets an error."""

_PASSING_ERRORS = ((-4023, "Try again"), (-4029, "Schema error"), (-5627, "Schema try again"), (-5851, "DDL conflict"))


@variant
class SlowDefinitions(Engine):
    """CREATE, DROP, GRANT and REVOKE take a twentieth of a second each."""

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        if isinstance(statement, sql.Definition):
            await session.wait(_DDL_SECONDS)
        return await super().run(session, statement, depth)


@variant
class KnowsNewUsersLater(Engine):
    """A new user can log in half a second after CREATE USER, as through a proxy that caches the users."""

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        result = await super().run(session, statement, depth)
        if isinstance(statement, sql.CreateUser):
            user = self.instance.accounts.users[statement.name]
            call_later(_UNKNOWN_SECONDS, setattr, user, "password_hash", user.password_hash)
            user.lock()
        return result


@variant
class PassingErrors(Engine):
    """Every third definition is refused as by OceanBase while others are under way; sent again, it is taken."""

    def __init__(self, instance: Instance) -> None:
        super().__init__(instance)
        self._definitions = itertools.count(1)
        self._errors = itertools.cycle(_PASSING_ERRORS)

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


@variant
class NoDbmsLock(Engine):
    """DBMS_LOCK.SLEEP is not declared for anybody."""

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        if isinstance(statement, sql.Sleep):
            raise errors.package_not_visible("DBMS_LOCK.SLEEP")
        return await super().run(session, statement, depth)
