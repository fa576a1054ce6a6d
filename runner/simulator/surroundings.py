"""What goes on in a server besides what its clients ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.simulator.execute.instance import Instance


class Surroundings:
    """A server that only does what it is asked to do."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance

    async def live(self) -> None:
        """Runs beside the clients until the server stops."""
