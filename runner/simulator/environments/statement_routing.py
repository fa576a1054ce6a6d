"""Proxies that choose a server session for each statement: read/write splitters and connection pools."""

from __future__ import annotations

import asyncio
import itertools
import re
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

from runner.simulator import errors
from runner.simulator.catalogue import environment
from runner.simulator.components import Components
from runner.simulator.connection import Connection
from runner.simulator.environments.foreign_sessions_base import RouterWithForeignSessions
from runner.simulator.environments.two_servers import Node, ProxyAsHost, ProxyGreetingIds, TwoServers
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.server_instance import Instance
from runner.simulator.handshake import Login
from runner.simulator.packet_stream import PacketStream
from runner.simulator.sessions import Session, SessionIds, SessionRegistry
from runner.simulator.timers import call_later
from runner.simulator.users_and_roles import User
from runner.simulator.variants.ids import SmallIds

_FIRST_WORDS = re.compile(r"(?:\s|/\*.*?\*/)*(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class ServerSession:
    """A session of the proxy on a server."""

    node: Node
    session: Session

    @property
    def in_transaction(self) -> bool:
        """Whether the session has an open transaction, or autocommit is off."""
        session = self.session
        return session.explicit_transaction or session.transaction.open or not session.autocommit


def without_leading_comments(text: str) -> str:
    """A statement without leading comments, in upper case."""
    match = _FIRST_WORDS.match(text)
    return match[1].upper() if match else ""


def proxy_of(instance: Instance, ids: SessionIds | None = None) -> Instance:
    """The proxy in front of a server, with its own numbers of clients. Sessions on it are in no process list."""
    return replace(instance, ids=ids or ProxyGreetingIds(SessionIds(), itertools.count(1)), registry=SessionRegistry())


class ProxiedConnection(Connection):
    """A client of a proxy. Its session is on the proxy; its statements are executed in server sessions."""

    def session_for(self, client: Session, text: str) -> ServerSession:
        """The server session for a statement."""
        raise NotImplementedError

    def sessions_to_close(self) -> Iterator[ServerSession]:
        """The server sessions that end when the client disconnects."""
        raise NotImplementedError

    def statement_done(self, client: Session, server_session: ServerSession) -> None:
        """Called after each statement."""

    async def serve(self) -> None:
        """Serves the client, and then ends its server sessions."""
        try:
            await super().serve()
        finally:
            self._end_server_sessions()

    async def _log_in(self) -> Session:
        client = await super()._log_in()
        self._stream.on_disconnect = self._end_server_sessions
        return client

    def _end_server_sessions(self) -> None:
        if self._session is not None:
            self._session.ended = True
        for server_session in self.sessions_to_close():
            server_session.node.instance.ending.client_disconnected(server_session.session)
            server_session.node.instance.ids.release(server_session.session.user, server_session.session.number)

    async def _run(self, session: Session, text: str, *, binary: bool) -> None:
        server_session = self.session_for(session, text)
        self._engine = server_session.node.engine
        await super()._run(server_session.session, text, binary=binary)
        session.ended |= server_session.session.ended
        self.statement_done(session, server_session)

    def log_in_at(self, node: Node, client: Session, number: int | None = None) -> ServerSession:
        """Logs a client in on a server; ``number`` is the id if the server has allocated it already."""
        ids = node.instance.ids
        new = ids.id_for(client.user, ids.allocate()) if number is None else number
        session = Session(new, client.user, client.roles, client.host, client.schema, self)
        node.instance.registry.add(session)
        return ServerSession(node, session)


READS = ("SELECT", "SHOW")
LOCKS = "FOR UPDATE"
SETS = ("SET", "ALTER SESSION")


class SplitConnection(ProxiedConnection):
    """SELECT and SHOW are executed on the reader, other statements and transactions on the writer."""

    def __init__(self, proxy: Instance, reader: Node, writer: Node, stream: PacketStream) -> None:
        super().__init__(proxy, reader.engine, stream)
        self._nodes = (reader, writer)
        self._server_sessions: tuple[ServerSession, ...] = ()

    def sessions_to_close(self) -> Iterator[ServerSession]:
        """Both sessions."""
        yield from self._server_sessions

    def session_for(self, client: Session, text: str) -> ServerSession:  # noqa: ARG002 - the choice depends on the text
        """The reader for statements that only read, else the writer."""
        reader, writer = self._server_sessions
        words = without_leading_comments(text)
        reads = words.startswith(READS) and LOCKS not in words
        return reader if reads and not self.runs_on_writer_only(writer) else writer

    def runs_on_writer_only(self, writer: ServerSession) -> bool:
        """Whether all statements are executed on the writer: in a transaction."""
        return writer.in_transaction

    def _new_session(self, number: int, login: Login, token: bytes, scramble: bytes) -> Session:
        client = super()._new_session(number, login, token, scramble)
        self._server_sessions = tuple(
            self.log_in_at(node, client, self.id_from_greeting(node, client)) for node in self._nodes
        )
        return client

    def id_from_greeting(self, node: Node, client: Session) -> int | None:  # noqa: ARG002 - for the overrides below
        """The id that the server allocated for the greeting, or None."""
        return None

    async def _run(self, session: Session, text: str, *, binary: bool) -> None:
        if without_leading_comments(text).startswith(SETS):
            reader, _ = self._server_sessions
            with suppress(errors.SqlError):  # the client gets the writer's reply
                await reader.node.engine.execute(reader.session, text)
        await super()._run(session, text, binary=binary)


class Splitter(TwoServers):
    """Each client has a session on both servers."""

    def __init__(self, instance: Instance, engine: Engine, connection: type[Connection]) -> None:
        super().__init__(instance, engine, connection)
        self.proxy = proxy_of(instance)

    def connect(self, stream: PacketStream) -> Connection:
        """Connects a client to both servers."""
        self.add_foreign_sessions()
        reader, writer = self.nodes
        return self.connect_to_both(reader, writer, stream)

    def connect_to_both(self, reader: Node, writer: Node, stream: PacketStream) -> SplitConnection:
        """The connection of a client."""
        return SplitConnection(self.proxy, reader, writer, stream)


class _AlsoInTransactions(SplitConnection):
    def runs_on_writer_only(self, writer: ServerSession) -> bool:  # noqa: ARG002 - never
        return False


class _SplitsTransactions(Splitter):
    def connect_to_both(self, reader: Node, writer: Node, stream: PacketStream) -> SplitConnection:
        return _AlsoInTransactions(self.proxy, reader, writer, stream)


class _GreetedByTheReader(SplitConnection):
    def id_from_greeting(self, node: Node, client: Session) -> int | None:
        return client.number if node is self._nodes[0] else None


class _GreetsAsTheReader(Splitter):
    def connect_to_both(self, reader: Node, writer: Node, stream: PacketStream) -> SplitConnection:
        return _GreetedByTheReader(proxy_of(reader.instance, reader.instance.ids), reader, writer, stream)


class _GreetedByTheWriter(SplitConnection):
    def id_from_greeting(self, node: Node, client: Session) -> int | None:
        return client.number if node is self._nodes[1] else None


class _GreetsAsTheWriter(Splitter):
    def connect_to_both(self, reader: Node, writer: Node, stream: PacketStream) -> SplitConnection:
        return _GreetedByTheWriter(proxy_of(writer.instance, writer.instance.ids), reader, writer, stream)


@environment
def splitter(components: Components) -> Components:
    """A read/write splitter: SELECT and SHOW run on one server, other statements and transactions on another."""
    return components.with_overrides(Splitter, SmallIds, ProxyAsHost)


@environment
def splitter_greeting_of_the_reader(components: Components) -> Components:
    """A read/write splitter whose handshake contains the session id on the reading server."""
    return components.with_overrides(_GreetsAsTheReader, SmallIds, ProxyAsHost)


@environment
def splitter_greeting_of_the_writer(components: Components) -> Components:
    """A read/write splitter whose handshake contains the session id on the writing server."""
    return components.with_overrides(_GreetsAsTheWriter, SmallIds, ProxyAsHost)


@environment
def splitter_without_transactions(components: Components) -> Components:
    """A read/write splitter that also splits transactions."""
    return components.with_overrides(_SplitsTransactions, SmallIds, ProxyAsHost)


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
