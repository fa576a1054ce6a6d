"""Another client that kills sessions, for example a job that ends idle ones: no effect of the statement under test."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

import asyncio
import random
import time

from runner.simulator.background import BackgroundTask
from runner.simulator.catalogue import environment
from runner.simulator.execute.instance import Instance

KILL_SECONDS = 0.3


@environment
class AnotherClientKills(BackgroundTask):
    """Every 0.3 seconds another client kills a session that has been idle for as long, but not the administrator's."""

    def __init__(self, instance: Instance) -> None:
        super().__init__(instance)
        self._random = random.Random(0)  # noqa: S311 - not for cryptography

    async def run(self) -> None:
        while True:
            await asyncio.sleep(KILL_SECONDS)
            idle_since = time.monotonic() - KILL_SECONDS
            idle = [
                session
                for session in self.instance.registry
                if session.statement is None and session.since < idle_since and not session.user.administrator
            ]
            if idle:
                self.instance.ending.kill(self._random.choice(idle))
