"""Proxies whose clients get from one of two servers to the other between their statements."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.simulator.catalogue import undecidable
from runner.simulator.environments.cluster import Cluster, HostOfTheProxy
from runner.simulator.environments.splitter import SplitConnection, Splitter
from runner.simulator.environments.statements import Leg, ProxiedConnection, proxy_of
from runner.simulator.parts import Parts, altered
from runner.simulator.variants.ids import SmallIds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.simulator.channel import Channel
    from runner.simulator.connection import Connection
    from runner.simulator.environments.cluster import Node
    from runner.simulator.handshake import Login
    from runner.simulator.sessions import Session

STATEMENTS = 4


class _StatementsInTurn(SplitConnection):
    """Keeps a session on both servers, and takes them in turn, as long as no transaction is open."""

    _turn = 0

    def leg(self, client: Session, text: str) -> Leg:  # noqa: ARG002 - the turn decides
        if not self._legs[self._turn].in_transaction:
            self._turn = 1 - self._turn
        return self._legs[self._turn]


class _BalancesStatements(Splitter):
    def split(self, reader: Node, writer: Node, channel: Channel) -> SplitConnection:
        return _StatementsInTurn(self.proxy, reader, writer, channel)


class _Moving(ProxiedConnection):
    """Has one session; after some statements it logs in at the other server, and out at the first."""

    def __init__(self, nodes: tuple[Node, ...], channel: Channel) -> None:
        here = nodes[0].instance
        super().__init__(proxy_of(here, here.ids), nodes[0].engine, channel)
        self._nodes = nodes
        self._legs: list[Leg] = []
        self._statements = 0

    def legs(self) -> Iterator[Leg]:
        yield from self._legs

    def leg(self, client: Session, text: str) -> Leg:  # noqa: ARG002 - the number of statements decides
        (here,) = self._legs
        self._statements += 1
        if self._statements % STATEMENTS == 0 and not here.in_transaction:
            self._nodes = self._nodes[::-1]
            self._legs = [self.open(self._nodes[0], client)]
            self._legs[0].session.schema = here.session.schema
            here.node.instance.ending.leave(here.session)
        return self._legs[0]

    def _admit(self, number: int, login: Login, token: bytes, scramble: bytes) -> Session:
        client = super()._admit(number, login, token, scramble)
        self._legs = [self.open(self._nodes[0], client, client.number)]
        return client


class _MovesClients(Cluster):
    _turn = 1

    def connect(self, channel: Channel) -> Connection:
        self.mix()
        self._turn = -self._turn
        return _Moving(self.nodes[:: self._turn], channel)


@undecidable
def statements_in_turn(parts: Parts) -> Parts:
    """A proxy that sends a client's statements to two servers in turn, and transactions to one of them."""
    return altered(parts, _BalancesStatements, SmallIds, HostOfTheProxy)


@undecidable
def moving_sessions(parts: Parts) -> Parts:
    """A proxy in front of two servers that moves idle clients from one to the other."""
    return altered(parts, _MovesClients, SmallIds, HostOfTheProxy)
