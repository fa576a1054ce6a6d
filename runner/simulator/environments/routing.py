"""A proxy in front of two servers that chooses one by the user who logs in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.simulator.catalogue import undecidable
from runner.simulator.environments.cluster import Cluster, HostOfTheProxy
from runner.simulator.environments.statements import Leg, ProxiedConnection, proxy_of
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


class _OneOfTwo(ProxiedConnection):
    """Has one session, on the server that its user always gets."""

    def __init__(self, proxy: Instance, nodes: tuple[Node, ...], numbers: dict[str, int], channel: Channel) -> None:
        super().__init__(proxy, nodes[0].engine, channel)
        self._nodes = nodes
        self._numbers = numbers
        self._legs: list[Leg] = []

    def legs(self) -> Iterator[Leg]:
        yield from self._legs

    def leg(self, client: Session, text: str) -> Leg:  # noqa: ARG002 - there is but one
        return self._legs[0]

    def _admit(self, number: int, login: Login, token: bytes, scramble: bytes) -> Session:
        client = super()._admit(number, login, token, scramble)
        # In turn, not by a hash of the name: whether two users meet must not depend on the names that a run invents.
        turn = self._numbers.setdefault(client.user.name, len(self._numbers))
        node = self._nodes[turn % len(self._nodes)]
        self._legs.append(self.open(node, client))
        return client


class _ByUser(Cluster):
    def __init__(self, instance: Instance, engine: Engine, connection: type[Connection]) -> None:
        super().__init__(instance, engine, connection)
        self._proxy = proxy_of(instance)
        self._numbers: dict[str, int] = {}

    def connect(self, channel: Channel) -> Connection:
        self.mix()
        return _OneOfTwo(self._proxy, self.nodes, self._numbers, channel)


@undecidable
def two_nodes_by_user(parts: Parts) -> Parts:
    """A proxy in front of two servers connects all clients of one user to the same server."""
    return altered(parts, _ByUser, SmallIds, HostOfTheProxy)
