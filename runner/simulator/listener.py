"""The listening socket to which clients connect, and the server that each of them gets."""

from __future__ import annotations

import socket

from runner.simulator.connection import Connection
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.server_instance import Instance
from runner.simulator.packet_stream import PacketStream
from runner.simulator.settings import TENANT

BACKLOG = 1024


class Listener:
    """The default: clients connect to the server itself.

    Args:
        host: the address to listen on.
        port: the port to listen on; 0 takes a free one.

    Attributes:
        socket: the socket on which the server accepts connections.
        port: the port that clients connect to.

    Raises:
        OSError: it is not possible to listen on this address.
    """

    def __init__(self, host: str, port: int) -> None:
        self.socket = listening_socket(host, port)
        self.port = port_of(self.socket)

    async def open(self) -> None:
        """Starts accepting clients. Does nothing here: the server accepts on its own socket."""

    def close(self) -> None:
        """Stops accepting clients and closes connections. Does nothing here: the server closes its own connections."""

    def login_name(self, user: str) -> str:
        """The user name in a login: with the tenant."""
        return f"{user}@{TENANT}"


def bound_socket(host: str, port: int) -> socket.socket:
    """A socket that is bound to the port but does not listen: connections to it are refused."""
    reserved = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reserved.bind((host, port))
    reserved.setblocking(False)
    return reserved


def listening_socket(host: str, port: int) -> socket.socket:
    """A non-blocking listening socket. Raises OSError if it is not possible to listen on this address."""
    listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setblocking(False)
    return listener


def port_of(listener: socket.socket) -> int:
    """The port that a socket listens on."""
    port: int = listener.getsockname()[1]
    return port


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
