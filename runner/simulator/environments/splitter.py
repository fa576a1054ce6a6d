"""A read/write splitter: each client has one session for reading and one for writing, on two servers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from runner.simulator import errors
from runner.simulator.catalogue import environment
from runner.simulator.components import Components
from runner.simulator.connection import Connection
from runner.simulator.environments.statement_routing_base import (
    ProxiedConnection,
    ServerSession,
    proxy_of,
    without_leading_comments,
)
from runner.simulator.environments.two_servers import Node, ProxyAsHost, TwoServers
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.server_state import Instance
from runner.simulator.handshake import Login
from runner.simulator.packet_stream import PacketStream
from runner.simulator.sessions import Session
from runner.simulator.variants.ids import SmallIds

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
