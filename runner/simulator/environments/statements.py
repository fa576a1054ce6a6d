"""Proxies that understand statements: a client's statements run in server sessions that the proxy chooses."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from runner.simulator.connection import Connection
from runner.simulator.environments.cluster import GreetedByTheProxy
from runner.simulator.sessions import Registry, Session, SessionIds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.simulator.environments.cluster import Node
    from runner.simulator.execute.instance import Instance

_FIRST_WORDS = re.compile(r"(?:\s|/\*.*?\*/)*(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Leg:
    """A server session that the proxy holds."""

    node: Node
    session: Session

    @property
    def in_transaction(self) -> bool:
        """Whether the session's state belongs to one client."""
        session = self.session
        return session.in_block or session.transaction.open or not session.autocommit


def first_words(text: str) -> str:
    """A statement without the comments in front of it, in capital letters."""
    match = _FIRST_WORDS.match(text)
    return match[1].upper() if match else ""


def proxy_of(instance: Instance, ids: SessionIds | None = None) -> Instance:
    """The proxy in front of a server: clients have sessions with it that no server lists, and numbers of its own."""
    return replace(instance, ids=ids or GreetedByTheProxy(SessionIds(), itertools.count(1)), registry=Registry())


class ProxiedConnection(Connection):
    """A client of a proxy. Its own session is one with the proxy; its statements run in server sessions."""

    def leg(self, client: Session, text: str) -> Leg:
        """The server session for a statement."""
        raise NotImplementedError

    def legs(self) -> Iterator[Leg]:
        """The server sessions that end when the client leaves."""
        raise NotImplementedError

    def done(self, client: Session, leg: Leg) -> None:
        """A statement is over."""

    async def serve(self) -> None:
        """Serves the client; when it has left, its server sessions end."""
        try:
            await super().serve()
        finally:
            self._leave()

    async def _log_in(self) -> Session:
        client = await super()._log_in()
        self._channel.left = self._leave
        return client

    def _leave(self) -> None:
        if self._session is not None:
            self._session.ended = True
        for leg in self.legs():
            leg.node.instance.ending.leave(leg.session)
            leg.node.instance.ids.give_back(leg.session.user, leg.session.number)

    async def _run(self, session: Session, text: str, *, binary: bool) -> None:
        leg = self.leg(session, text)
        self._engine = leg.node.engine
        await super()._run(leg.session, text, binary=binary)
        session.ended |= leg.session.ended
        self.done(session, leg)

    def open(self, node: Node, client: Session, number: int | None = None) -> Leg:
        """Logs a client in at a server; with a number where the server has given it already."""
        ids = node.instance.ids
        new = ids.of(client.user, ids.new()) if number is None else number
        session = Session(new, client.user, client.roles, client.host, client.schema, self)
        node.instance.registry.add(session)
        return Leg(node, session)
