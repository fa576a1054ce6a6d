"""A proxy with a pool of server sessions: a client has one only while it executes a statement or a transaction."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Iterator

from runner.simulator import errors
from runner.simulator.catalogue import environment
from runner.simulator.components import Components
from runner.simulator.connection import Connection
from runner.simulator.environments.foreign_sessions_base import RouterWithForeignSessions
from runner.simulator.environments.statement_routing_base import ProxiedConnection, ServerSession, proxy_of
from runner.simulator.environments.two_servers import Node, ProxyAsHost, TwoServers
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.server_state import Instance
from runner.simulator.packet_stream import PacketStream
from runner.simulator.sessions import Session
from runner.simulator.timers import call_later
from runner.simulator.users_and_roles import User
from runner.simulator.variants.ids import SmallIds

IDLE_SECONDS = 5.0
RETURN_SECONDS = 0.5


class Pool:
    """The server sessions without a client, by user; the one that was returned last is used first."""

    def __init__(self) -> None:
        self._server_sessions: dict[User, deque[ServerSession]] = {}

    def disconnect(self, error: errors.SqlError | None) -> None:
        """A session in the pool was killed: no client is notified."""

    def get(self, user: User) -> ServerSession | None:
        """Removes a session of a user from the pool; None if there is none that has not ended."""
        sessions = self._server_sessions.get(user, deque())
        while sessions:
            server_session = self.choose(sessions)
            if not server_session.session.ended:
                return server_session
        return None

    def choose(self, sessions: deque[ServerSession]) -> ServerSession:
        """Removes the session to use."""
        return sessions.pop()

    def put(self, server_session: ServerSession) -> None:
        """Returns a session to the pool; it ends after some idle seconds."""
        server_session.session.connection = self
        sessions = self._server_sessions.setdefault(server_session.session.user, deque())
        sessions.append(server_session)
        call_later(IDLE_SECONDS, self._end, sessions, server_session, time.monotonic())

    def _end(self, sessions: deque[ServerSession], server_session: ServerSession, since: float) -> None:
        if server_session in sessions and server_session.session.since <= since:
            sessions.remove(server_session)
            server_session.node.instance.ending.client_disconnected(server_session.session)


class _InTurn(Pool):
    def choose(self, sessions: deque[ServerSession]) -> ServerSession:
        return sessions.popleft()


class _OnlyOne(Pool):
    """Keeps one session for each user; others end when they are returned."""

    def put(self, server_session: ServerSession) -> None:
        if any(not other.session.ended for other in self._server_sessions.get(server_session.session.user, ())):
            server_session.node.instance.ending.client_disconnected(server_session.session)
        else:
            super().put(server_session)


class SharingConnection(ProxiedConnection):
    """A client that has a server session while a statement is running or a transaction is open."""

    def __init__(
        self, proxy: Instance, engine: Engine, nodes: Iterator[Node], pool: Pool, stream: PacketStream
    ) -> None:
        super().__init__(proxy, engine, stream)
        self._nodes = nodes
        self._pool = pool
        self._held: ServerSession | None = None

    def sessions_to_close(self) -> Iterator[ServerSession]:
        """The present session of the client."""
        held, self._held = self._held, None
        if held is not None:
            yield held

    def session_for(self, client: Session, text: str) -> ServerSession:  # noqa: ARG002 - any session will do
        """The present session of the client, or one from the pool, or a new one."""
        server_session = self._held = (
            self._held or self._pool.get(client.user) or self.log_in_at(next(self._nodes), client)
        )
        server_session.session.connection = self
        server_session.session.roles, server_session.session.schema = client.roles, client.schema
        return server_session

    def statement_done(self, client: Session, server_session: ServerSession) -> None:
        """Returns the session to the pool, unless a transaction is open."""
        client.schema = server_session.session.schema
        if not server_session.in_transaction and not server_session.session.ended and self._held is server_session:
            self.return_to_pool(server_session)

    def return_to_pool(self, server_session: ServerSession) -> None:
        """Returns the session immediately."""
        self._held = None
        self._pool.put(server_session)


class _ReturnsAfterPause(SharingConnection):
    _timer: asyncio.TimerHandle | None = None

    def session_for(self, client: Session, text: str) -> ServerSession:
        if self._timer is not None:
            self._timer.cancel()
        if self._held is not None and self._held.session.ended:
            self._held = None
        return super().session_for(client, text)

    def return_to_pool(self, server_session: ServerSession) -> None:
        server_session.session.connection = self._pool
        self._timer = asyncio.get_running_loop().call_later(RETURN_SECONDS, self._idle, server_session)

    def _idle(self, server_session: ServerSession) -> None:
        if self._held is server_session:
            self._held = None
            if not server_session.session.ended:
                self._pool.put(server_session)


class Sharing(RouterWithForeignSessions):
    """Clients share the sessions of one server."""

    pool: type[Pool] = Pool
    client: type[SharingConnection] = SharingConnection

    def __init__(self, instance: Instance, engine: Engine, connection: type[Connection]) -> None:
        super().__init__(instance, engine, connection)
        self._proxy = proxy_of(instance)
        self._nodes = itertools.repeat(Node(instance, engine))
        self._pool = self.pool()

    def connect(self, stream: PacketStream) -> Connection:
        """Creates the connection of a new client."""
        self.add_foreign_sessions()
        return self.client(self._proxy, self.engine, self._nodes, self._pool, stream)


class _SharingTwoNodes(TwoServers):
    def __init__(self, instance: Instance, engine: Engine, connection: type[Connection]) -> None:
        super().__init__(instance, engine, connection)
        self._proxy = proxy_of(instance)
        self._turns = itertools.cycle(self.nodes)
        self._pool = _InTurn()

    def connect(self, stream: PacketStream) -> Connection:
        self.add_foreign_sessions()
        return SharingConnection(self._proxy, self.engine, self._turns, self._pool, stream)


class _SharingInTurn(Sharing):
    pool = _InTurn


class _SharingOne(Sharing):
    pool = _OnlyOne


class _SharingAfterAWhile(Sharing):
    client = _ReturnsAfterPause


@environment
def shared_connections(components: Components) -> Components:
    """A proxy with a pool of server sessions per user; idle clients return their session to it."""
    return components.with_overrides(Sharing, SmallIds, ProxyAsHost)


@environment
def shared_connections_in_turn(components: Components) -> Components:
    """A proxy with shared server sessions; a client gets the one that was idle longest."""
    return components.with_overrides(_SharingInTurn, SmallIds, ProxyAsHost)


@environment
def shared_connections_one_for_each_user(components: Components) -> Components:
    """A proxy with one shared server session per user."""
    return components.with_overrides(_SharingOne, SmallIds, ProxyAsHost)


@environment
def shared_connections_after_a_while(components: Components) -> Components:
    """A proxy with shared server sessions; a client returns its session after half a second without a statement."""
    return components.with_overrides(_SharingAfterAWhile, SmallIds, ProxyAsHost)


@environment
def shared_connections_of_two_nodes(components: Components) -> Components:
    """A proxy with shared server sessions on two servers with the same session ids."""
    return components.with_overrides(_SharingTwoNodes, SmallIds, ProxyAsHost)
