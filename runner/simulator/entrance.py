"""Where clients come in: the port that they connect to."""

from __future__ import annotations

import socket

from runner.simulator.settings import TENANT

BACKLOG = 1024


class Entrance:
    """Clients connect to the server itself.

    Args:
        host: the address to listen on.
        port: the port to listen on; 0 takes a free one.

    Attributes:
        listener: the socket on which the server accepts connections.
        port: the port that clients connect to.

    Raises:
        OSError: it is not possible to listen there.
    """

    def __init__(self, host: str, port: int) -> None:
        self.listener = listen(host, port)
        self.port = port_of(self.listener)

    async def open(self) -> None:
        """Lets clients in; the server accepts connections already."""

    def close(self) -> None:
        """Lets nobody in any more, and sends those who are in away; the server closes its own connections."""

    def login(self, user: str) -> str:
        """The name under which a user logs in here."""
        return f"{user}@{TENANT}"


def reserve(host: str, port: int) -> socket.socket:
    """A socket that has the port and does not listen yet: connections to it are refused."""
    reserved = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reserved.bind((host, port))
    reserved.setblocking(False)
    return reserved


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens, for an event loop; raises OSError where that is not possible."""
    listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setblocking(False)
    return listener


def port_of(listener: socket.socket) -> int:
    """The port that a socket listens on."""
    port: int = listener.getsockname()[1]
    return port
