"""A TCP load balancer in front of two servers: each connection goes to one of them."""

# ruff: noqa: S311 - the random numbers are not for security

from __future__ import annotations

import itertools
import random
from dataclasses import replace

from runner.simulator.catalogue import environment
from runner.simulator.components import Components
from runner.simulator.connection import Connection
from runner.simulator.environments.two_servers import Node, ProxyAsHost, ProxyGreetingIds, TwoServers, second_server
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.server_state import Instance
from runner.simulator.packet_stream import PacketStream
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
