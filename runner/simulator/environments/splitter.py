"""A read/write splitter: each client has a session on a server that reads and one on a server that writes."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from runner.simulator import errors
from runner.simulator.catalogue import undecidable
from runner.simulator.environments.cluster import Cluster, HostOfTheProxy
from runner.simulator.environments.statements import Leg, ProxiedConnection, first_words, proxy_of
from runner.simulator.parts import Parts, altered
from runner.simulator.variants.ids import SmallIds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.simulator.channel import Channel
    from runner.simulator.connection import Connection
    from runner.simulator.environments.cluster import Node
    from runner.simulator.execute.engine import Engine
    from runner.simulator.execute.instance import Instance
    from runner.simulator.handshake import Login
    from runner.simulator.sessions import Session

READS = ("SELECT", "SHOW")
LOCKS = "FOR UPDATE"
SETS = ("SET", "ALTER SESSION")


class SplitConnection(ProxiedConnection):
    """SELECT and SHOW run on the reader, all else on the writer, and so does what runs in a transaction."""

    def __init__(self, proxy: Instance, reader: Node, writer: Node, channel: Channel) -> None:
        super().__init__(proxy, reader.engine, channel)
        self._nodes = (reader, writer)
        self._legs: tuple[Leg, ...] = ()

    def legs(self) -> Iterator[Leg]:
        """Both."""
        yield from self._legs

    def leg(self, client: Session, text: str) -> Leg:  # noqa: ARG002 - the text decides
        """The reader for what only reads, the writer for the rest."""
        reader, writer = self._legs
        words = first_words(text)
        reads = words.startswith(READS) and LOCKS not in words
        return reader if reads and not self.keeps_together(writer) else writer

    def keeps_together(self, writer: Leg) -> bool:
        """Whether everything runs on the writer: in a transaction."""
        return writer.in_transaction

    def _admit(self, number: int, login: Login, token: bytes, scramble: bytes) -> Session:
        client = super()._admit(number, login, token, scramble)
        self._legs = tuple(self.open(node, client, self.given(node, client)) for node in self._nodes)
        return client

    def given(self, node: Node, client: Session) -> int | None:  # noqa: ARG002 - for the greeting of the reader
        """The id that a server has given to the client already."""
        return None

    async def _run(self, session: Session, text: str, *, binary: bool) -> None:
        if first_words(text).startswith(SETS):
            reader, _ = self._legs
            with suppress(errors.SqlError):  # the writer's answer is the client's
                await reader.node.engine.execute(reader.session, text)
        await super()._run(session, text, binary=binary)


class Splitter(Cluster):
    """Each client has a session on both servers."""

    def __init__(self, instance: Instance, engine: Engine, connection: type[Connection]) -> None:
        super().__init__(instance, engine, connection)
        self.proxy = proxy_of(instance)

    def connect(self, channel: Channel) -> Connection:
        """Connects a client to both servers."""
        self.mix()
        reader, writer = self.nodes
        return self.split(reader, writer, channel)

    def split(self, reader: Node, writer: Node, channel: Channel) -> SplitConnection:
        """The connection of a client."""
        return SplitConnection(self.proxy, reader, writer, channel)


class _AlsoInTransactions(SplitConnection):
    def keeps_together(self, writer: Leg) -> bool:  # noqa: ARG002 - never
        return False


class _SplitsTransactions(Splitter):
    def split(self, reader: Node, writer: Node, channel: Channel) -> SplitConnection:
        return _AlsoInTransactions(self.proxy, reader, writer, channel)


class _GreetedByTheReader(SplitConnection):
    def given(self, node: Node, client: Session) -> int | None:
        return client.number if node is self._nodes[0] else None


class _GreetsAsTheReader(Splitter):
    def split(self, reader: Node, writer: Node, channel: Channel) -> SplitConnection:
        return _GreetedByTheReader(proxy_of(reader.instance, reader.instance.ids), reader, writer, channel)


class _GreetedByTheWriter(SplitConnection):
    def given(self, node: Node, client: Session) -> int | None:
        return client.number if node is self._nodes[1] else None


class _GreetsAsTheWriter(Splitter):
    def split(self, reader: Node, writer: Node, channel: Channel) -> SplitConnection:
        return _GreetedByTheWriter(proxy_of(writer.instance, writer.instance.ids), reader, writer, channel)


@undecidable
def splitter(parts: Parts) -> Parts:
    """A read/write splitter: SELECT and SHOW run on one server, other statements and transactions on another."""
    return altered(parts, Splitter, SmallIds, HostOfTheProxy)


@undecidable
def splitter_greeting_of_the_reader(parts: Parts) -> Parts:
    """A read/write splitter whose handshake contains the session id on the reading server."""
    return altered(parts, _GreetsAsTheReader, SmallIds, HostOfTheProxy)


@undecidable
def splitter_greeting_of_the_writer(parts: Parts) -> Parts:
    """A read/write splitter whose handshake contains the session id on the writing server."""
    return altered(parts, _GreetsAsTheWriter, SmallIds, HostOfTheProxy)


@undecidable
def splitter_without_transactions(parts: Parts) -> Parts:
    """A read/write splitter that also splits transactions."""
    return altered(parts, _SplitsTransactions, SmallIds, HostOfTheProxy)
