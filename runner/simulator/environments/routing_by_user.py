"""A proxy in front of two servers that chooses the server by the user."""

from __future__ import annotations

from collections.abc import Iterator

from runner.simulator.catalogue import environment
from runner.simulator.components import Components
from runner.simulator.connection import Connection
from runner.simulator.environments.statement_routing_base import ProxiedConnection, ServerSession, proxy_of
from runner.simulator.environments.two_servers import Node, ProxyAsHost, TwoServers
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.server_state import Instance
from runner.simulator.handshake import Login
from runner.simulator.packet_stream import PacketStream
from runner.simulator.sessions import Session
from runner.simulator.variants.ids import SmallIds


class _OneOfTwo(ProxiedConnection):
    """Has one session, on the server of its user."""

    def __init__(self, proxy: Instance, nodes: tuple[Node, ...], numbers: dict[str, int], stream: PacketStream) -> None:
        super().__init__(proxy, nodes[0].engine, stream)
        self._nodes = nodes
        self._numbers = numbers
        self._server_sessions: list[ServerSession] = []

    def sessions_to_close(self) -> Iterator[ServerSession]:
        yield from self._server_sessions

    def session_for(self, client: Session, text: str) -> ServerSession:  # noqa: ARG002 - there is only one
        return self._server_sessions[0]

    def _new_session(self, number: int, login: Login, token: bytes, scramble: bytes) -> Session:
        client = super()._new_session(number, login, token, scramble)
        # In turn, not by a hash of the name: the result must not depend on the names that a run creates.
        turn = self._numbers.setdefault(client.user.name, len(self._numbers))
        node = self._nodes[turn % len(self._nodes)]
        self._server_sessions.append(self.log_in_at(node, client))
        return client


class _ByUser(TwoServers):
    def __init__(self, instance: Instance, engine: Engine, connection: type[Connection]) -> None:
        super().__init__(instance, engine, connection)
        self._proxy = proxy_of(instance)
        self._numbers: dict[str, int] = {}

    def connect(self, stream: PacketStream) -> Connection:
        self.add_foreign_sessions()
        return _OneOfTwo(self._proxy, self.nodes, self._numbers, stream)


@environment
def two_nodes_by_user(components: Components) -> Components:
    """A proxy in front of two servers connects all clients of one user to the same server."""
    return components.with_overrides(_ByUser, SmallIds, ProxyAsHost)
