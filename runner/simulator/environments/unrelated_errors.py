"""Servers in trouble: errors with causes other than the statement under test."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

import asyncio
import itertools
import time
from collections import deque
from typing import Any

from runner.simulator import errors
from runner.simulator.catalogue import environment
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.kill import KillSessionStatement
from runner.simulator.execute.results import Result
from runner.simulator.execute.server_instance import Instance
from runner.simulator.sessions import Session
from runner.simulator.sql import statements as sql
from runner.simulator.sql.statements import KillSession

_EXCEEDS = 15
_READ_ONLY_SECONDS = 3.0


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
class ResourceGroup(Engine):
    """Every fifteenth statement of any kind is refused, because the quota of its resource group is exceeded."""

    def __init__(self, instance: Instance) -> None:
        super().__init__(instance)
        self._statements = itertools.count(1)

    async def execute(self, session: Session, text: str) -> Result:
        if next(self._statements) % _EXCEEDS == 0:
            raise errors.SqlError(8252, errors.GENERAL, "Exceeded resource group quota limitation", oracle=False)
        return await super().execute(session, text)


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


@environment
class BecomesReadOnly(Engine):
    """The server is read-only from its third second on, as after a failover: no users, no tables, no changes."""

    def __init__(self, instance: Instance) -> None:
        super().__init__(instance)
        self._read_only_from = time.monotonic() + _READ_ONLY_SECONDS

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        changes = isinstance(statement, sql.Definition | sql.Update | sql.Delete | sql.Insert)
        if changes and time.monotonic() > self._read_only_from:
            raise errors.SqlError(
                1290,
                errors.GENERAL,
                "The server is running with the --super-read-only option so it cannot execute this statement",
                oracle=False,
            )
        return await super().run(session, statement, depth)


_REFUSED = 10
_TIMES_OUT = 5
_IN_TROUBLE = (
    errors.internal(-4019, "Size overflow"),
    errors.internal(-4654, "get location leader not exist"),
    errors.SqlError(1013, errors.GENERAL, "user requested cancel of current operation"),
    errors.SqlError(3024, errors.GENERAL, "Query execution was interrupted, maximum time exceeded", oracle=False),
    errors.SqlError(3032, errors.GENERAL, "The server is currently in offline mode", oracle=False),
    errors.SqlError(1105, errors.GENERAL, "target: 0.primary: rpc error: code = Unavailable", oracle=False),
    errors.SqlError(9005, errors.GENERAL, "Region is unavailable", oracle=False),
    errors.internal(-4016, "Internal error"),
    errors.internal(-4029, "Schema error"),
)


class _CountsKills(Engine):
    def __init__(self, instance: Instance) -> None:
        super().__init__(instance)
        self._kills = itertools.count(1)

    def _is_due(self, statement: sql.Statement, every: int) -> bool:
        return isinstance(statement, sql.KillSession | sql.Kill) and next(self._kills) % every == 0


@environment
class ErrorsInTurn(_CountsKills):
    """Every tenth statement under test is refused with one of several errors of a server in trouble, in turn."""

    def __init__(self, instance: Instance) -> None:
        super().__init__(instance)
        self._errors = itertools.cycle(_IN_TROUBLE)

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        if self._is_due(statement, _REFUSED):
            raise next(self._errors)
        return await super().run(session, statement, depth)


@environment
class KillsTimeOut(_CountsKills):
    """Every fifth statement under test takes effect, but its reply is the error of a statement timeout."""

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        late = self._is_due(statement, _TIMES_OUT)
        result = await super().run(session, statement, depth)
        if late:
            raise errors.query_timeout()
        return result


_KILLS = 8


@environment
class EightKillsPerSecond(Engine):
    """More than eight statements under test in a second are refused, with an error that no list of errors contains."""

    def __init__(self, instance: Instance) -> None:
        super().__init__(instance)
        self._times: deque[float] = deque(maxlen=_KILLS)

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        if isinstance(statement, sql.KillSession | sql.Kill):
            now = time.monotonic()
            if len(self._times) == _KILLS and now - self._times[0] < 1:
                raise errors.SqlError(4999, errors.GENERAL, "Zu viele Vorg\u00e4nge dieser Art", oracle=False)
            self._times.append(now)
        return await super().run(session, statement, depth)


ONE_KILL_SECONDS = 0.7


@environment
class OneKillAtATime(KillSessionStatement):
    """A kill takes 0.7 seconds, and the server kills one session at a time: the others wait in a queue."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._turn = asyncio.Lock()

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:  # noqa: ARG002 - as in the base class
        async with self._turn:
            await asyncio.sleep(ONE_KILL_SECONDS)
            self.ending.kill(victim)
