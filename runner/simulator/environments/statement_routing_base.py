"""The base of environments with a proxy that chooses a server session for each statement of a client."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from runner.simulator.connection import Connection
from runner.simulator.environments.two_servers import Node, ProxyGreetingIds
from runner.simulator.execute.server_state import Instance
from runner.simulator.sessions import Session, SessionIds, SessionRegistry

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
