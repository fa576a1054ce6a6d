"""Connects each client to a server: by default to the only one; environments with several servers override it."""

from __future__ import annotations

from runner.simulator.connection import Connection
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.server_state import Instance
from runner.simulator.packet_stream import PacketStream


class Router:
    """The default: connects every client to the only server.

    Args:
        instance: the server.
        engine: the engine that executes its statements.
        connection: the class that serves a client's connection.
    """

    def __init__(self, instance: Instance, engine: Engine, connection: type[Connection]) -> None:
        self.instance = instance
        self.engine = engine
        self.connection = connection

    @property
    def foreign_killed(self) -> int:
        """The number of killed sessions that an environment opened, not a client."""
        return 0

    def connect(self, stream: PacketStream) -> Connection:
        """Creates the connection of a new client."""
        return self.connection(self.instance, self.engine, stream)
