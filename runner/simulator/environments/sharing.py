"""A proxy whose clients share server sessions: one that is idle, outside a transaction, has none."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import deque
from typing import TYPE_CHECKING

from runner.simulator import errors
from runner.simulator.catalogue import undecidable
from runner.simulator.deferring import later
from runner.simulator.environments.cluster import Cluster, HostOfTheProxy, Node
from runner.simulator.environments.foreign import WithForeignSessions
from runner.simulator.environments.statements import Leg, ProxiedConnection, proxy_of
from runner.simulator.parts import Parts, altered
from runner.simulator.variants.ids import SmallIds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.simulator.accounts import User
    from runner.simulator.channel import Channel
    from runner.simulator.connection import Connection
    from runner.simulator.execute.engine import Engine
    from runner.simulator.execute.instance import Instance
    from runner.simulator.sessions import Session

IDLE_SECONDS = 5.0
WHILE_SECONDS = 0.5


class Pool:
    """The server sessions that no client has at the moment, by user; the one given back last is taken first."""

    def __init__(self) -> None:
        self._legs: dict[User, deque[Leg]] = {}

    def disconnect(self, last_word: errors.SqlError | None) -> None:
        """A pooled session was killed: no client is told."""

    def take(self, user: User) -> Leg | None:
        """A living session of a user."""
        legs = self._legs.get(user, deque())
        while legs:
            leg = self.choose(legs)
            if not leg.session.ended:
                return leg
        return None

    def choose(self, legs: deque[Leg]) -> Leg:
        """Which one is taken."""
        return legs.pop()

    def give(self, leg: Leg) -> None:
        """A session that no client has any more; if none wants it for a while, it ends."""
        leg.session.link = self
        legs = self._legs.setdefault(leg.session.user, deque())
        legs.append(leg)
        later(IDLE_SECONDS, self._end, legs, leg, time.monotonic())

    def _end(self, legs: deque[Leg], leg: Leg, since: float) -> None:
        if leg in legs and leg.session.since <= since:
            legs.remove(leg)
            leg.node.instance.ending.leave(leg.session)


class _InTurn(Pool):
    def choose(self, legs: deque[Leg]) -> Leg:
        return legs.popleft()


class _OnlyOne(Pool):
    """Keeps one session for each user; others end when they are given back."""

    def give(self, leg: Leg) -> None:
        if any(not other.session.ended for other in self._legs.get(leg.session.user, ())):
            leg.node.instance.ending.leave(leg.session)
        else:
            super().give(leg)


class SharingConnection(ProxiedConnection):
    """Has a server session while a statement runs, and while a transaction is open."""

    def __init__(self, proxy: Instance, engine: Engine, nodes: Iterator[Node], pool: Pool, channel: Channel) -> None:
        super().__init__(proxy, engine, channel)
        self._nodes = nodes
        self._pool = pool
        self._held: Leg | None = None

    def legs(self) -> Iterator[Leg]:
        """The one that the client has."""
        held, self._held = self._held, None
        if held is not None:
            yield held

    def leg(self, client: Session, text: str) -> Leg:  # noqa: ARG002 - any one serves
        """The one that the client has, or one from the pool, or a new one."""
        leg = self._held = self._held or self._pool.take(client.user) or self.open(next(self._nodes), client)
        leg.session.link = self
        leg.session.roles, leg.session.schema = client.roles, client.schema
        return leg

    def done(self, client: Session, leg: Leg) -> None:
        """Gives the session back."""
        client.schema = leg.session.schema
        if not leg.in_transaction and not leg.session.ended and self._held is leg:
            self.give_back(leg)

    def give_back(self, leg: Leg) -> None:
        """At once."""
        self._held = None
        self._pool.give(leg)


class _After(SharingConnection):
    _timer: asyncio.TimerHandle | None = None

    def leg(self, client: Session, text: str) -> Leg:
        if self._timer is not None:
            self._timer.cancel()
        if self._held is not None and self._held.session.ended:
            self._held = None
        return super().leg(client, text)

    def give_back(self, leg: Leg) -> None:
        leg.session.link = self._pool
        self._timer = asyncio.get_running_loop().call_later(WHILE_SECONDS, self._idle, leg)

    def _idle(self, leg: Leg) -> None:
        if self._held is leg:
            self._held = None
            if not leg.session.ended:
                self._pool.give(leg)


class Sharing(WithForeignSessions):
    """Clients share the sessions of one server."""

    pool: type[Pool] = Pool
    client: type[SharingConnection] = SharingConnection

    def __init__(self, instance: Instance, engine: Engine, connection: type[Connection]) -> None:
        super().__init__(instance, engine, connection)
        self._proxy = proxy_of(instance)
        self._nodes = itertools.repeat(Node(instance, engine))
        self._pool = self.pool()

    def connect(self, channel: Channel) -> Connection:
        """A client of the proxy."""
        self.mix()
        return self.client(self._proxy, self.engine, self._nodes, self._pool, channel)


class _SharingTwoNodes(Cluster):
    def __init__(self, instance: Instance, engine: Engine, connection: type[Connection]) -> None:
        super().__init__(instance, engine, connection)
        self._proxy = proxy_of(instance)
        self._turns = itertools.cycle(self.nodes)
        self._pool = _InTurn()

    def connect(self, channel: Channel) -> Connection:
        self.mix()
        return SharingConnection(self._proxy, self.engine, self._turns, self._pool, channel)


class _SharingInTurn(Sharing):
    pool = _InTurn


class _SharingOne(Sharing):
    pool = _OnlyOne


class _SharingAfterAWhile(Sharing):
    client = _After


@undecidable
def shared_connections(parts: Parts) -> Parts:
    """A proxy with a pool of server sessions per user; idle clients return their session to it."""
    return altered(parts, Sharing, SmallIds, HostOfTheProxy)


@undecidable
def shared_connections_in_turn(parts: Parts) -> Parts:
    """A proxy with shared server sessions; a client gets the one that was idle longest."""
    return altered(parts, _SharingInTurn, SmallIds, HostOfTheProxy)


@undecidable
def shared_connections_one_for_each_user(parts: Parts) -> Parts:
    """A proxy with one shared server session per user."""
    return altered(parts, _SharingOne, SmallIds, HostOfTheProxy)


@undecidable
def shared_connections_after_a_while(parts: Parts) -> Parts:
    """A proxy with shared server sessions; a client returns its session after half a second without a statement."""
    return altered(parts, _SharingAfterAWhile, SmallIds, HostOfTheProxy)


@undecidable
def shared_connections_of_two_nodes(parts: Parts) -> Parts:
    """A proxy with shared server sessions on two servers with the same session ids."""
    return altered(parts, _SharingTwoNodes, SmallIds, HostOfTheProxy)
