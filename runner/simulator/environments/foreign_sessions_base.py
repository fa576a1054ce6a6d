"""Foreign sessions, for environments that need them; a kill of one is counted and logged."""

from __future__ import annotations

import logging
from collections import deque

from runner.simulator import errors
from runner.simulator.connection import Connection
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.server_instance import Instance
from runner.simulator.listener import Router
from runner.simulator.packet_stream import PacketStream
from runner.simulator.sessions import Session
from runner.simulator.users_and_roles import User

FOREIGN_USER = "SHOP"
MAX_FOREIGN_SESSIONS = 30

log = logging.getLogger("simulator")


class _Client:
    """The client of a foreign session."""

    def __init__(self, number: int, of: ForeignSessions) -> None:
        self._number = number
        self._of = of

    def disconnect(self, error: errors.SqlError | None) -> None:  # noqa: ARG002 - the client reads no error
        """Reports that the session was killed, on the standard error; tests count these lines."""
        self._of.killed += 1
        log.error("foreign session %d was killed", self._number)


class ForeignSessions:
    """The foreign sessions of one server, at most 30: after further logins the oldest one logs out."""

    def __init__(self, instance: Instance, user: User) -> None:
        self._instance = instance
        self._user = user
        self._sessions: deque[Session] = deque()
        self.killed = 0
        for _ in range(MAX_FOREIGN_SESSIONS):
            self.log_in()

    def log_in(self) -> int:
        """Logs in a session and returns its id."""
        instance, user = self._instance, self._user
        number = instance.ids.id_for(user, instance.ids.allocate())
        session = Session(number, user, frozenset(), f"10.0.0.7:{number}", user.name, _Client(number, self))
        instance.registry.add(session)
        self._sessions.append(session)
        if len(self._sessions) > MAX_FOREIGN_SESSIONS:
            oldest = self._sessions.popleft()
            instance.ending.client_disconnected(oldest)
            instance.ids.release(user, oldest.number)
        return number


class RouterWithForeignSessions(Router):
    """One server with foreign sessions; one more logs in before each client."""

    def __init__(self, instance: Instance, engine: Engine, connection: type[Connection]) -> None:
        super().__init__(instance, engine, connection)
        self._foreign = ForeignSessions(instance, instance.accounts.create_user(FOREIGN_USER, FOREIGN_USER))

    @property
    def foreign_killed(self) -> int:
        """The number on the only server."""
        return self._foreign.killed

    def connect(self, stream: PacketStream) -> Connection:
        """Logs in a foreign session, and creates the connection of a new client."""
        self.add_foreign_sessions()
        return super().connect(stream)

    def add_foreign_sessions(self) -> None:
        """Logs in a foreign session, whose id is between those of two clients."""
        self._foreign.log_in()
