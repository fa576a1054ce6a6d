"""Two servers with the same users, roles and tables, each with sessions of its own, numbered alike."""

# ruff: noqa: S311 - what happens next is no secret

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from runner.simulator.environments.foreign import FOREIGN_USER, KEPT, ForeignSessions
from runner.simulator.execute.kill import PlainKill
from runner.simulator.execute.processlist import ProcessList
from runner.simulator.frontend import FrontEnd
from runner.simulator.sessions import SessionIds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.simulator.accounts import User
    from runner.simulator.connection import Connection
    from runner.simulator.execute.engine import Engine
    from runner.simulator.execute.instance import Instance
    from runner.simulator.sessions import Session

ADDRESS = "127.0.0.1"
FIRST_PORT = 10_000  # below the ports that a system gives to its clients: none of these is a client's by chance
PORTS = 20_000


@dataclass(frozen=True, slots=True)
class Node:
    """One of the servers."""

    instance: Instance
    engine: Engine


class Cluster(FrontEnd):
    """Two servers; somebody else's sessions are on both, with ids between those of the clients that come here."""

    def __init__(self, instance: Instance, engine: Engine, connection: type[Connection]) -> None:
        super().__init__(instance, engine, connection)
        other = self.sibling(instance)
        self.nodes: tuple[Node, ...] = (Node(instance, engine), Node(other, type(engine)(other)))
        user = instance.accounts.create_user(FOREIGN_USER, FOREIGN_USER)
        self._foreign = [ForeignSessions(node.instance, user) for node in self.nodes]

    @property
    def foreign_killed(self) -> int:
        """On both servers."""
        return sum(sessions.killed for sessions in self._foreign)

    def sibling(self, instance: Instance) -> Instance:
        """Another server with the same users, roles and tables."""
        return sibling(instance)

    def mix(self) -> None:
        """Foreign sessions log in until both servers have given equally many ids, or on one a few more.

        So an id that a client gets on one server is mostly one that somebody else has on the other.
        """
        if random.random() < 1 / 4:  # else no client would ever have the id that another one has on the other server
            return
        newest = [max((session.number for session in node.instance.registry), default=0) for node in self.nodes]
        for number, foreign in zip(newest, self._foreign, strict=True):
            for _ in range(KEPT if number < max(newest) else random.randint(0, 1)):
                if foreign.log_in() >= max(newest):
                    break


def sibling(instance: Instance) -> Instance:
    """Another server with the same users, roles and tables, and with sessions of its own, numbered from the start."""
    registry = type(instance.registry)()
    ending = type(instance.ending)(registry)
    return replace(
        instance,
        ids=type(instance.ids)(),
        registry=registry,
        ending=ending,
        process_list=type(instance.process_list)(registry, instance.privileges, instance.settings),
        kill=type(instance.kill)(registry, instance.privileges, ending, instance.settings),
        plain_kill=PlainKill(registry, ending),
    )


class GreetedByTheProxy(SessionIds):
    """The ids of a server behind a proxy, which greets its clients with numbers of its own."""

    def __init__(self, behind: SessionIds, numbers: Iterator[int]) -> None:
        super().__init__()
        self._behind = behind
        self._numbers = numbers

    def new(self) -> int:
        """The server's next id."""
        return self._behind.new()

    def in_greeting(self, number: int) -> int:  # noqa: ARG002 - that is the point
        """The proxy's number."""
        return next(self._numbers)

    def of(self, user: User, number: int) -> int:
        """As the server has it."""
        return self._behind.of(user, number)

    def give_back(self, user: User | None, number: int) -> None:
        """As the server has it."""
        self._behind.give_back(user, number)


class HostOfTheProxy(ProcessList):
    """HOST shows the proxy's end of its connection to the server."""

    def host(self, session: Session) -> str:
        """An address and a port that no client has."""
        return f"{ADDRESS}:{FIRST_PORT + session.number % PORTS}"
