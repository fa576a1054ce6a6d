"""Between the port and the server: which server a client is connected to."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.simulator.channel import Channel
    from runner.simulator.connection import Connection
    from runner.simulator.execute.engine import Engine
    from runner.simulator.execute.instance import Instance


class FrontEnd:
    """Every client is connected to the one server.

    Args:
        instance: the server.
        engine: executes its statements.
        connection: the class that serves a client.
    """

    def __init__(self, instance: Instance, engine: Engine, connection: type[Connection]) -> None:
        self.instance = instance
        self.engine = engine
        self.connection = connection

    @property
    def foreign_killed(self) -> int:
        """How many sessions were killed that an environment keeps, and that no client opened."""
        return 0

    def connect(self, channel: Channel) -> Connection:
        """The connection of a new client."""
        return self.connection(self.instance, self.engine, channel)
