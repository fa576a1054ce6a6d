"""Servers that restart at intervals, or crash once during the first KILL: an outage, not an effect of the statement."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

import asyncio

from runner.simulator import errors
from runner.simulator.background import BackgroundTask
from runner.simulator.catalogue import environment
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.results import Result
from runner.simulator.sessions import Session
from runner.simulator.sql import statements as sql

RESTART_SECONDS = 4.0
OUTAGE_SECONDS = 0.3


@environment
class RestartsEveryFourSeconds(BackgroundTask):
    """The server is restarted every 4 seconds, which takes 0.3 seconds."""

    async def run(self) -> None:
        while True:
            await asyncio.sleep(RESTART_SECONDS)
            self.instance.crash_switch.crash(OUTAGE_SECONDS)


@environment
class CrashesAtTheFirstKill(Engine):
    """The server crashes during the first statement, once, and restarts in 0.3 seconds."""

    crashed = False

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        if isinstance(statement, sql.KillSession | sql.Kill) and not self.crashed:
            self.crashed = True
            self.instance.crash_switch.crash(OUTAGE_SECONDS)
            raise errors.SessionEndedError
        return await super().run(session, statement, depth)
