"""Conforming variants of statements other than the one under test: slow DDL, transient errors, users known later."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

import itertools
import time
from typing import ClassVar

from runner.simulator import errors
from runner.simulator.catalogue import variant
from runner.simulator.components import Components
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.results import Result
from runner.simulator.execute.server_instance import Instance
from runner.simulator.session_privileges import Privileges
from runner.simulator.sessions import Session
from runner.simulator.sql import statements as sql
from runner.simulator.timers import call_later
from runner.simulator.users_and_roles import ALTER_SYSTEM

_DDL_SECONDS = 0.05
"""Seconds: about the time of a DDL statement in OceanBase."""

_UNKNOWN_SECONDS = 0.5

_TABLE_SECONDS = 0.4

_GRANT_SECONDS = 1.0

_REVOKE_SECONDS = 0.7

_EACH_GRANT_SECONDS = 0.5

_TIMES_OUT = 4
"""Every fourth definition times out."""

_EVERY = 3
"""Every third DDL statement gets an error."""

_PASSING_ERRORS = ((-4023, "Try again"), (-4029, "Schema error"), (-5627, "Schema try again"), (-5851, "DDL conflict"))


@variant
class TablesKnownLater(Engine):
    """A new table is unknown until 0.4 s after its CREATE TABLE, as on another server of a cluster."""

    _created: ClassVar[dict[str, float]] = {}

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        table = getattr(statement, "table", None)
        name = table[1] if isinstance(table, tuple) else ""
        creates = isinstance(statement, sql.CreateTable)
        if not creates and time.monotonic() < self._created.get(name, 0.0):
            raise errors.no_such_table()
        result = await super().run(session, statement, depth)
        if creates:
            self._created[name] = time.monotonic() + _TABLE_SECONDS
        return result


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
    """Every third CREATE, DROP or GRANT gets OceanBase's error for conflicts with others; sent again, it succeeds."""

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
    """No user can call DBMS_LOCK.SLEEP."""

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        if isinstance(statement, sql.Sleep):
            raise errors.package_not_visible("DBMS_LOCK.SLEEP")
        return await super().run(session, statement, depth)


@variant
class DefinitionsTimeOut(Engine):
    """Every fourth CREATE, DROP or GRANT gets a timeout as its reply; every eighth takes effect all the same."""

    def __init__(self, instance: Instance) -> None:
        super().__init__(instance)
        self._timed = itertools.count(1)

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        number = next(self._timed) if isinstance(statement, sql.Definition) else 1
        if number % (2 * _TIMES_OUT) == 0:
            await super().run(session, statement, depth)
        if number % _TIMES_OUT == 0:
            raise errors.query_timeout()
        return await super().run(session, statement, depth)


class _GrantsLater(Privileges):
    """Knows a privilege only some time after its GRANT."""

    granted: ClassVar[dict[str, float]] = {}

    def holds(self, session: Session, privilege: str) -> bool:
        late = privilege == ALTER_SYSTEM and time.monotonic() < self.granted.get(session.user.name, 0.0)
        return super().holds(session, privilege) and not late


class _NotesGrants(Engine):
    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        result = await super().run(session, statement, depth)
        if isinstance(statement, sql.Grant):
            _GrantsLater.granted.update(dict.fromkeys(statement.grantees, time.monotonic() + _GRANT_SECONDS))
        return result


class _EachGrantLater(Privileges):
    """Knows each privilege of a user only some time after its first GRANT."""

    granted: ClassVar[dict[tuple[str, str], float]] = {}

    def holds(self, session: Session, privilege: str) -> bool:
        late = time.monotonic() < self.granted.get((session.user.name, privilege), 0.0)
        return super().holds(session, privilege) and not late


class _NotesEachGrant(Engine):
    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        result = await super().run(session, statement, depth)
        if isinstance(statement, sql.Grant):
            for key in itertools.product(statement.grantees, statement.privileges):
                _EachGrantLater.granted.setdefault(key, time.monotonic() + _EACH_GRANT_SECONDS)
        return result


@variant
def each_privilege_takes_effect_later(components: Components) -> Components:
    """A GRANT of any privilege, also of CREATE SESSION, has an effect half a second after its reply."""
    return components.with_overrides(_EachGrantLater, _NotesEachGrant)


@variant
def grants_take_effect_later(components: Components) -> Components:
    """A GRANT of ALTER SYSTEM has an effect a second after its reply, as on another server of a cluster."""
    return components.with_overrides(_GrantsLater, _NotesGrants)


class _RevokesLater(Privileges):
    """Knows a user's privileges as they were before, until some time after a REVOKE or a dropped role."""

    before: ClassVar[dict[str, tuple[float, frozenset[str]]]] = {}

    def holds(self, session: Session, privilege: str) -> bool:
        until, held = self.before.get(session.user.name, (0.0, frozenset()))
        return super().holds(session, privilege) or (time.monotonic() < until and privilege in held)


class _NotesRevokes(Engine):
    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        privileges = self.instance.privileges
        held = {each.user.name: frozenset(privileges.held(each)) for each in self.instance.registry}
        result = await super().run(session, statement, depth)
        if isinstance(statement, sql.Revoke | sql.DropRole):
            until = time.monotonic() + _REVOKE_SECONDS
            _RevokesLater.before.update({name: (until, names) for name, names in held.items()})
        elif isinstance(statement, sql.DropUser):
            _RevokesLater.before.pop(statement.name, None)
        return result


@variant
def revokes_take_effect_later(components: Components) -> Components:
    """REVOKE and DROP ROLE have an effect 0.7 seconds after their replies, as on another server of a cluster."""
    return components.with_overrides(_RevokesLater, _NotesRevokes)
