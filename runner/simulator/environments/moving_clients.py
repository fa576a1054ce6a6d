"""Proxies that move clients from one of two servers to the other between statements."""

from __future__ import annotations

from collections.abc import Iterator

from runner.simulator.catalogue import environment
from runner.simulator.components import Components
from runner.simulator.connection import Connection
from runner.simulator.environments.splitter import SplitConnection, Splitter
from runner.simulator.environments.statement_routing_base import ProxiedConnection, ServerSession, proxy_of
from runner.simulator.environments.two_servers import Node, ProxyAsHost, TwoServers
from runner.simulator.handshake import Login
from runner.simulator.packet_stream import PacketStream
from runner.simulator.sessions import Session
from runner.simulator.variants.ids import SmallIds

MOVE_AFTER_STATEMENTS = 4


class _StatementsInTurn(SplitConnection):
    """Keeps a session on both servers, and uses them in turn while no transaction is open."""

    _turn = 0

    def session_for(self, client: Session, text: str) -> ServerSession:  # noqa: ARG002 - the choice depends on the turn
        if not self._server_sessions[self._turn].in_transaction:
            self._turn = 1 - self._turn
        return self._server_sessions[self._turn]


class _BalancesStatements(Splitter):
    def connect_to_both(self, reader: Node, writer: Node, stream: PacketStream) -> SplitConnection:
        return _StatementsInTurn(self.proxy, reader, writer, stream)


class _Moving(ProxiedConnection):
    """Has one session; after some statements it logs in on the other server and logs out on the first."""

    def __init__(self, nodes: tuple[Node, ...], stream: PacketStream) -> None:
        here = nodes[0].instance
        super().__init__(proxy_of(here, here.ids), nodes[0].engine, stream)
        self._nodes = nodes
        self._server_sessions: list[ServerSession] = []
        self._statements = 0

    def sessions_to_close(self) -> Iterator[ServerSession]:
        yield from self._server_sessions

    def session_for(self, client: Session, text: str) -> ServerSession:  # noqa: ARG002 - the choice depends on the number of statements
        (here,) = self._server_sessions
        self._statements += 1
        if self._statements % MOVE_AFTER_STATEMENTS == 0 and not here.in_transaction:
            self._nodes = self._nodes[::-1]
            self._server_sessions = [self.log_in_at(self._nodes[0], client)]
            self._server_sessions[0].session.schema = here.session.schema
            here.node.instance.ending.client_disconnected(here.session)
        return self._server_sessions[0]

    def _new_session(self, number: int, login: Login, token: bytes, scramble: bytes) -> Session:
        client = super()._new_session(number, login, token, scramble)
        self._server_sessions = [self.log_in_at(self._nodes[0], client, client.number)]
        return client


class _MovesClients(TwoServers):
    _turn = 1

    def connect(self, stream: PacketStream) -> Connection:
        self.add_foreign_sessions()
        self._turn = -self._turn
        return _Moving(self.nodes[:: self._turn], stream)


@environment
def statements_in_turn(components: Components) -> Components:
    """A proxy that sends a client's statements to two servers in turn, and transactions to one of them."""
    return components.with_overrides(_BalancesStatements, SmallIds, ProxyAsHost)


@environment
def moving_sessions(components: Components) -> Components:
    """A proxy in front of two servers that moves idle clients from one to the other."""
    return components.with_overrides(_MovesClients, SmallIds, ProxyAsHost)
