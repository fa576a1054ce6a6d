"""Somebody else's sessions on a server: nobody may end them, and each one that is killed is reported at once."""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING

from runner.simulator.frontend import FrontEnd
from runner.simulator.sessions import Session

if TYPE_CHECKING:
    from runner.simulator import errors
    from runner.simulator.accounts import User
    from runner.simulator.channel import Channel
    from runner.simulator.connection import Connection
    from runner.simulator.execute.engine import Engine
    from runner.simulator.execute.instance import Instance

FOREIGN_USER = "SHOP"
KEPT = 30

log = logging.getLogger("simulator")


class _Client:
    """The client of a foreign session."""

    def __init__(self, number: int, of: ForeignSessions) -> None:
        self._number = number
        self._of = of

    def disconnect(self, last_word: errors.SqlError | None) -> None:  # noqa: ARG002 - nobody reads it
        """Reports that the session was killed: a line on the standard error, which tests count."""
        self._of.killed += 1
        log.error("foreign session %d was killed", self._number)


class ForeignSessions:
    """The sessions of one user on one server: when a new one logs in, the oldest of more than 30 logs out."""

    def __init__(self, instance: Instance, user: User) -> None:
        self._instance = instance
        self._user = user
        self._sessions: deque[Session] = deque()
        self.killed = 0
        for _ in range(KEPT):
            self.log_in()

    def log_in(self) -> int:
        """One more session; the answer is its id."""
        instance, user = self._instance, self._user
        number = instance.ids.of(user, instance.ids.new())
        session = Session(number, user, frozenset(), f"10.0.0.7:{number}", user.name, _Client(number, self))
        instance.registry.add(session)
        self._sessions.append(session)
        if len(self._sessions) > KEPT:
            oldest = self._sessions.popleft()
            instance.ending.leave(oldest)
            instance.ids.give_back(user, oldest.number)
        return number


class WithForeignSessions(FrontEnd):
    """One server, where somebody else logs in whenever a client comes."""

    def __init__(self, instance: Instance, engine: Engine, connection: type[Connection]) -> None:
        super().__init__(instance, engine, connection)
        self._foreign = ForeignSessions(instance, instance.accounts.create_user(FOREIGN_USER, FOREIGN_USER))

    @property
    def foreign_killed(self) -> int:
        """On the one server."""
        return self._foreign.killed

    def connect(self, channel: Channel) -> Connection:
        """The connection of a new client."""
        self.mix()
        return super().connect(channel)

    def mix(self) -> None:
        """A foreign session gets an id between those of the clients."""
        self._foreign.log_in()
