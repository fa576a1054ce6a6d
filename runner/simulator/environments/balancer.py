"""A TCP load balancer in front of two servers: it hands each connection to one of them, and bytes through."""

# ruff: noqa: S311 - what happens next is no secret

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from typing import TYPE_CHECKING

from runner.simulator.catalogue import undecidable
from runner.simulator.environments.cluster import Cluster, GreetedByTheProxy, HostOfTheProxy, Node, sibling
from runner.simulator.parts import Parts, altered
from runner.simulator.variants.ids import SmallIds

if TYPE_CHECKING:
    from runner.simulator.channel import Channel
    from runner.simulator.connection import Connection
    from runner.simulator.execute.engine import Engine
    from runner.simulator.execute.instance import Instance

STICKY = 5
FAR_AWAY = 1_000_000


class InTurn(Cluster):
    """Clients are connected to the two servers in turn."""

    def __init__(self, instance: Instance, engine: Engine, connection: type[Connection]) -> None:
        super().__init__(instance, engine, connection)
        self._turns = itertools.count()

    def connect(self, channel: Channel) -> Connection:
        """Connects a client to the server whose turn it is."""
        self.mix()
        node = self.choose(next(self._turns))
        return self.connection(node.instance, node.engine, channel)

    def choose(self, turn: int) -> Node:
        """The server for a client."""
        return self.nodes[turn % 2]


class _ByChance(InTurn):
    def choose(self, turn: int) -> Node:  # noqa: ARG002 - as chance has it
        return random.choice(self.nodes)


class _MostlyTheFirst(InTurn):
    def choose(self, turn: int) -> Node:
        return self.nodes[turn % STICKY == STICKY - 1]


class _LeastConnections(InTurn):
    def choose(self, turn: int) -> Node:  # noqa: ARG002 - the number of sessions decides
        return min(self.nodes, key=lambda node: len(node.instance.registry))


class _Alone(InTurn):
    def mix(self) -> None:
        pass


class _WithOwnGreeting(InTurn):
    def __init__(self, instance: Instance, engine: Engine, connection: type[Connection]) -> None:
        super().__init__(instance, engine, connection)
        clients = itertools.count(1)
        self.nodes = tuple(
            replace(node, instance=replace(node.instance, ids=GreetedByTheProxy(node.instance.ids, clients)))
            for node in self.nodes
        )


class _WithDistinctIds(InTurn):
    def sibling(self, instance: Instance) -> Instance:
        other = sibling(instance)
        return replace(other, ids=_FarAwayIds())


class _FarAwayIds(SmallIds):
    def __init__(self) -> None:
        super().__init__()
        self.last = FAR_AWAY


@undecidable
def two_nodes(parts: Parts) -> Parts:
    """A load balancer connects clients in turn to two servers with the same session ids."""
    return altered(parts, InTurn, SmallIds, HostOfTheProxy)


@undecidable
def two_nodes_that_see_addresses(parts: Parts) -> Parts:
    """A load balancer in front of two servers whose process lists show the client's own address as HOST."""
    return altered(parts, InTurn, SmallIds)


@undecidable
def two_nodes_alone(parts: Parts) -> Parts:
    """A load balancer in front of two servers without other clients: two clients often have the same id."""
    return altered(parts, _Alone, SmallIds, HostOfTheProxy)


@undecidable
def two_nodes_by_chance(parts: Parts) -> Parts:
    """A load balancer connects each client to any of two servers."""
    return altered(parts, _ByChance, SmallIds, HostOfTheProxy)


@undecidable
def two_nodes_mostly_the_first(parts: Parts) -> Parts:
    """A load balancer connects every fifth client to the second of two servers, all others to the first."""
    return altered(parts, _MostlyTheFirst, SmallIds, HostOfTheProxy)


@undecidable
def two_nodes_by_connections(parts: Parts) -> Parts:
    """A load balancer connects each client to the one of two servers that has fewer sessions."""
    return altered(parts, _LeastConnections, SmallIds, HostOfTheProxy)


@undecidable
def two_nodes_with_own_greeting(parts: Parts) -> Parts:
    """A load balancer in front of two servers sends its own client numbers in the handshake."""
    return altered(parts, _WithOwnGreeting, SmallIds, HostOfTheProxy)


@undecidable
def two_nodes_with_distinct_ids(parts: Parts) -> Parts:
    """A load balancer in front of two servers whose session ids never coincide."""
    return altered(parts, _WithDistinctIds, SmallIds, HostOfTheProxy)
