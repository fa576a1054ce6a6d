"""A task that runs in the server beside the clients' statements, for variants and environments."""

from __future__ import annotations

from runner.simulator.execute.server_state import Instance


class BackgroundTask:
    """The default: the server does nothing but execute statements."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance

    async def run(self) -> None:
        """Runs until the server stops, which cancels it."""
