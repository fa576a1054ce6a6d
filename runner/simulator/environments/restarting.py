"""A server that crashes by itself."""

# ruff: noqa: D102 - overriding one step of many, each explained where the honest one stands

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from runner.simulator import errors
from runner.simulator.catalogue import undecidable
from runner.simulator.execute.engine import Engine
from runner.simulator.sql import statements as sql
from runner.simulator.surroundings import Surroundings

if TYPE_CHECKING:
    from runner.simulator.execute.results import Result
    from runner.simulator.sessions import Session

EVERY = 4.0
OUTAGE = 0.3


@undecidable
class RestartsEveryFourSeconds(Surroundings):
    """The server is restarted every 4 seconds, which takes 0.3 seconds."""

    async def live(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            self.instance.process.crash(OUTAGE)


@undecidable
class CrashesAtTheFirstKill(Engine):
    """The server crashes during the first statement, once, and restarts in 0.3 seconds."""

    crashed = False

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        if isinstance(statement, sql.KillSession) and not self.crashed:
            self.crashed = True
            self.instance.process.crash(OUTAGE)
            raise errors.SessionEndedError
        return await super().run(session, statement, depth)
