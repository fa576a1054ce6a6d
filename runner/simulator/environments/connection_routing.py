"""Two servers behind a load balancer or a proxy: each connection goes to one of them, or moves between them."""

# ruff: noqa: S311 - the random numbers are not for security

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from dataclasses import replace

from runner.simulator.catalogue import environment
from runner.simulator.components import Components
from runner.simulator.connection import Connection
from runner.simulator.environments.statement_routing import (
    ProxiedConnection,
    ServerSession,
    SplitConnection,
    Splitter,
    proxy_of,
)
from runner.simulator.environments.two_servers import Node, ProxyAsHost, ProxyGreetingIds, TwoServers, second_server
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.server_instance import Instance
from runner.simulator.handshake import Login
from runner.simulator.packet_stream import PacketStream
from runner.simulator.sessions import Session
from runner.simulator.variants.ids import SmallIds

SECOND_SERVER_EVERY = 5
SECOND_SERVER_OFFSET = 1_000_000


class LoadBalancer(TwoServers):
    """Connects clients to the two servers in turn."""

    def __init__(self, instance: Instance, engine: Engine, connection: type[Connection]) -> None:
        super().__init__(instance, engine, connection)
        self._turns = itertools.count()

    def connect(self, stream: PacketStream) -> Connection:
        """Connects a client to one of the two servers."""
        self.add_foreign_sessions()
        node = self.server_for(next(self._turns))
        return self.connection(node.instance, node.engine, stream)

    def server_for(self, turn: int) -> Node:
        """The server for the client number ``turn``."""
        return self.nodes[turn % 2]


class _ByChance(LoadBalancer):
    def server_for(self, turn: int) -> Node:  # noqa: ARG002 - the choice is random
        return random.choice(self.nodes)


class _MostlyTheFirst(LoadBalancer):
    def server_for(self, turn: int) -> Node:
        return self.nodes[turn % SECOND_SERVER_EVERY == SECOND_SERVER_EVERY - 1]


class _LeastConnections(LoadBalancer):
    def server_for(self, turn: int) -> Node:  # noqa: ARG002 - the choice depends on the number of sessions
        return min(self.nodes, key=lambda node: len(node.instance.registry))


class _Alone(LoadBalancer):
    def add_foreign_sessions(self) -> None:
        pass


class _WithOwnGreeting(LoadBalancer):
    def __init__(self, instance: Instance, engine: Engine, connection: type[Connection]) -> None:
        super().__init__(instance, engine, connection)
        clients = itertools.count(1)
        self.nodes = tuple(
            replace(node, instance=replace(node.instance, ids=ProxyGreetingIds(node.instance.ids, clients)))
            for node in self.nodes
        )


class _WithDistinctIds(LoadBalancer):
    def second_server(self, instance: Instance) -> Instance:
        other = second_server(instance)
        return replace(other, ids=_FarAwayIds())


class _FarAwayIds(SmallIds):
    def __init__(self) -> None:
        super().__init__()
        self.last = SECOND_SERVER_OFFSET


@environment
def two_nodes(components: Components) -> Components:
    """A load balancer connects clients in turn to two servers with the same session ids."""
    return components.with_overrides(LoadBalancer, SmallIds, ProxyAsHost)


@environment
def two_nodes_that_see_addresses(components: Components) -> Components:
    """A load balancer in front of two servers whose process lists show the client's own address as HOST."""
    return components.with_overrides(LoadBalancer, SmallIds)


@environment
def two_nodes_alone(components: Components) -> Components:
    """A load balancer in front of two servers without other clients: two clients often have the same id."""
    return components.with_overrides(_Alone, SmallIds, ProxyAsHost)


@environment
def two_nodes_by_chance(components: Components) -> Components:
    """A load balancer connects each client to any of two servers."""
    return components.with_overrides(_ByChance, SmallIds, ProxyAsHost)


@environment
def two_nodes_mostly_the_first(components: Components) -> Components:
    """A load balancer connects every fifth client to the second of two servers, all others to the first."""
    return components.with_overrides(_MostlyTheFirst, SmallIds, ProxyAsHost)


@environment
def two_nodes_by_connections(components: Components) -> Components:
    """A load balancer connects each client to the one of two servers that has fewer sessions."""
    return components.with_overrides(_LeastConnections, SmallIds, ProxyAsHost)


@environment
def two_nodes_with_own_greeting(components: Components) -> Components:
    """A load balancer in front of two servers sends its own client numbers in the handshake."""
    return components.with_overrides(_WithOwnGreeting, SmallIds, ProxyAsHost)


@environment
def two_nodes_with_distinct_ids(components: Components) -> Components:
    """A load balancer in front of two servers whose session ids never coincide."""
    return components.with_overrides(_WithDistinctIds, SmallIds, ProxyAsHost)


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
