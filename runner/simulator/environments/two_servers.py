"""Two servers with the same users, roles and tables, and with separate sessions that have the same ids."""

# ruff: noqa: S311 - the random numbers are not for security

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

from runner.simulator.connection import Connection
from runner.simulator.environments.foreign_sessions_base import FOREIGN_USER, MAX_FOREIGN_SESSIONS, ForeignSessions
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.process_list import ProcessList
from runner.simulator.execute.server_instance import Instance
from runner.simulator.listener import Router
from runner.simulator.sessions import Session, SessionIds
from runner.simulator.users_and_roles import User

ADDRESS = "127.0.0.1"
FIRST_PORT = 10_000  # below the ephemeral ports, so that none of them is a client's port
PORTS = 20_000


@dataclass(frozen=True, slots=True)
class Node:
    """One of the two servers."""

    instance: Instance
    engine: Engine


class TwoServers(Router):
    """Two servers with foreign sessions on both, whose ids are between those of the clients."""

    def __init__(self, instance: Instance, engine: Engine, connection: type[Connection]) -> None:
        super().__init__(instance, engine, connection)
        other = self.second_server(instance)
        self.nodes: tuple[Node, ...] = (Node(instance, engine), Node(other, type(engine)(other)))
        user = instance.accounts.create_user(FOREIGN_USER, FOREIGN_USER)
        self._foreign = [ForeignSessions(node.instance, user) for node in self.nodes]

    @property
    def foreign_killed(self) -> int:
        """The number on both servers."""
        return sum(sessions.killed for sessions in self._foreign)

    def second_server(self, instance: Instance) -> Instance:
        """Creates the second server."""
        return second_server(instance)

    def add_foreign_sessions(self) -> None:
        """Logs in foreign sessions until both servers have allocated about the same number of ids.

        So the id of a client on one server is usually the id of a foreign session on the other.
        """
        if random.random() < 1 / 4:  # else two clients would never have the same id on different servers
            return
        newest = [max((session.number for session in node.instance.registry), default=0) for node in self.nodes]
        for number, foreign in zip(newest, self._foreign, strict=True):
            for _ in range(MAX_FOREIGN_SESSIONS if number < max(newest) else random.randint(0, 1)):
                if foreign.log_in() >= max(newest):
                    break


def second_server(instance: Instance) -> Instance:
    """Creates a server with the same users, roles and tables, without sessions; its ids begin with the first one."""
    registry = type(instance.registry)()
    ending = type(instance.ending)(registry)
    return replace(
        instance,
        ids=type(instance.ids)(),
        registry=registry,
        ending=ending,
        process_list=type(instance.process_list)(registry, instance.privileges, instance.settings),
        kill=type(instance.kill)(registry, instance.privileges, ending, instance.settings),
        plain_kill=type(instance.plain_kill)(registry, ending),
    )


class ProxyGreetingIds(SessionIds):
    """The ids of a server behind a proxy that sends its own numbers in the greeting."""

    def __init__(self, behind: SessionIds, numbers: Iterator[int]) -> None:
        super().__init__()
        self._behind = behind
        self._numbers = numbers

    def allocate(self) -> int:
        """The server's next id."""
        return self._behind.allocate()

    def greeting_id(self, number: int) -> int:  # noqa: ARG002 - the server's id is not sent
        """The proxy's number of the client."""
        return next(self._numbers)

    def id_for(self, user: User, number: int) -> int:
        """The same as without the proxy."""
        return self._behind.id_for(user, number)

    def release(self, user: User | None, number: int) -> None:
        """The same as without the proxy."""
        self._behind.release(user, number)


class ProxyAsHost(ProcessList):
    """HOST shows an address of the proxy, not the client's."""

    def host(self, session: Session) -> str:
        """An address with a port that no client has."""
        return f"{ADDRESS}:{FIRST_PORT + session.number % PORTS}"
