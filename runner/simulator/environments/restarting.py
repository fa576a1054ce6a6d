"""A server that crashes by itself."""

# ruff: noqa: D102 - overriding one step of many, each explained where the honest one stands

from __future__ import annotations

import asyncio

from runner.simulator.catalogue import undecidable
from runner.simulator.surroundings import Surroundings

EVERY = 4.0
OUTAGE = 0.3


@undecidable
class RestartsEveryFourSeconds(Surroundings):
    """Somebody restarts the server every 4 seconds, which takes 0.3 seconds."""

    async def live(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            self.instance.process.crash(OUTAGE)
