"""Sessions, their ids, the registry of all sessions, and the end of a session step by step."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from runner.simulator import errors
from runner.simulator.tables import Transaction
from runner.simulator.users_and_roles import User

ACTIVE = "ACTIVE"
SLEEP = "SLEEP"
SESSION_KILLED = "SESSION_KILLED"

LONGEST_PAUSE = 10**9

# The id of a direct connection, as in OceanBase: two tag bits, the server's number, a running number.
_SERVER_TAGS = 0b11 << 30
_SERVER_NUMBER = 1 << 18
_LOCAL_IDS = 1 << 18
_FIRST_LOCAL_ID = 1


class SessionConnection(Protocol):
    """The interface through which a session's connection is closed."""

    def disconnect(self, error: errors.SqlError | None) -> None:
        """Closes the connection now; sends ``error`` first, if there is one."""


@dataclass(slots=True, eq=False)
class Session:
    """One session.

    Attributes:
        number: its id.
        user: its user.
        roles: the roles of its user at login.
        host: the client's address and port.
        schema: the present schema.
        connection: closes its connection.
        autocommit: whether each statement is committed.
        explicit_transaction: whether a transaction was started with START TRANSACTION or BEGIN.
        ended: whether it was killed or its client disconnected; it executes no further statement.
        state: STATE in the process list.
        statement: the text of the running statement, or None.
        since: the time (``time.monotonic``) of the last change of state.
        transaction: its uncommitted changes and row locks.
        savepoints: positions in the transaction, by name.
        last_error: the error of the last statement, or None.
        waiting: the future for which the running statement waits, or None.
        waits_for_lock: whether the running statement waits for a row lock.
        sending: whether the running statement waits until the client reads its result.
        prepared: whether the running statement is a prepared one.
    """

    number: int
    user: User
    roles: frozenset[str]
    host: str
    schema: str
    connection: SessionConnection
    autocommit: bool = True
    explicit_transaction: bool = False
    ended: bool = False
    state: str = SLEEP
    statement: str | None = None
    since: float = field(default_factory=time.monotonic)
    transaction: Transaction = field(default_factory=Transaction)
    savepoints: dict[str, int] = field(default_factory=dict)
    last_error: errors.SqlError | None = None
    waiting: asyncio.Future[bool] | None = None
    waits_for_lock: bool = False
    sending: bool = False
    prepared: bool = False

    def begin_statement(self, statement: str, *, prepared: bool = False) -> None:
        """Records the start of a statement."""
        self.statement = statement
        self.prepared = prepared
        self.state = ACTIVE
        self.since = time.monotonic()

    def finish_statement(self) -> None:
        """Records the end of the statement."""
        self.statement = None
        self.state = SLEEP
        self.since = time.monotonic()

    def seconds_in_state(self) -> int:
        """The seconds since the session's last change of state."""
        return int(time.monotonic() - self.since)

    async def wait(self, seconds: float, register: Callable[[asyncio.Future[bool]], None] | None = None) -> bool:
        """Waits until an event, or until ``seconds`` have passed; ``register`` gets the future that the event resolves.

        All waiting of statements is done here: only here can a statement be interrupted.

        Returns:
            True after the event, False after the time.

        Raises:
            SessionEndedError: the session was ended meanwhile.
            SqlError: the statement was interrupted.
        """
        loop = asyncio.get_running_loop()
        woken: asyncio.Future[bool] = loop.create_future()
        timer = loop.call_later(min(seconds, LONGEST_PAUSE), _resolve, woken)
        if register is not None:
            register(woken)
        self.waiting = woken
        self.waits_for_lock = register is not None and not self.sending
        try:
            outcome = await woken
        finally:
            self.waiting = None
            self.waits_for_lock = False
            timer.cancel()
        if self.ended:
            raise errors.SessionEndedError
        return outcome

    async def wait_for_client(self, register: Callable[[asyncio.Future[bool]], None]) -> None:
        """Waits until the client has read enough of a large result so that more can be sent."""
        self.sending = True
        try:
            await self.wait(LONGEST_PAUSE, register)
        finally:
            self.sending = False

    def interrupt(self, reason: Exception) -> bool:
        """Makes the waiting statement fail with ``reason``; returns False if no statement waits."""
        if self.waiting is None or self.waiting.done():
            return False
        self.waiting.set_exception(reason)
        return True


class SessionIds:
    """Allocates the ids of sessions."""

    def __init__(self) -> None:
        self._next = _FIRST_LOCAL_ID
        self._living: set[int] = set()

    def allocate(self) -> int:
        """A new id, in ascending order; never the id of a present session."""
        while True:
            local = self._next
            self._next = (local + 1) % _LOCAL_IDS or _FIRST_LOCAL_ID
            number = _SERVER_TAGS | _SERVER_NUMBER | local
            if number not in self._living:
                self._living.add(number)
                return number

    def greeting_id(self, number: int) -> int:
        """The thread id in the greeting of the session with this id."""
        return number

    def id_for(self, user: User, number: int) -> int:  # noqa: ARG002 - for overrides that use the user
        """The id of a session after the login of its user; ``number`` was allocated before the greeting."""
        return number

    def release(self, user: User | None, number: int) -> None:  # noqa: ARG002 - for overrides that use the user
        """Releases the id of a session that has ended, or whose login failed."""
        self._living.discard(number)


class SessionRegistry:
    """The registry of all present sessions, by id."""

    def __init__(self) -> None:
        self._sessions: dict[int, Session] = {}

    def __iter__(self) -> Iterator[Session]:
        return iter(tuple(self._sessions.values()))

    def __len__(self) -> int:
        return len(self._sessions)

    def add(self, session: Session) -> None:
        """Adds a session."""
        self._sessions[session.number] = session

    def find(self, number: int) -> Session | None:
        """The session with this id, or None."""
        return self._sessions.get(number)

    def remove(self, session: Session) -> None:
        """Removes a session, if it is present."""
        if self._sessions.get(session.number) is session:
            del self._sessions[session.number]


def _resolve(future: asyncio.Future[bool]) -> None:
    if not future.done():
        future.set_result(False)


class SessionEnding:
    """Ends sessions.

    All steps are executed without interruption, before the reply to the statement is sent: no other session sees an
    intermediate state.
    """

    def __init__(self, registry: SessionRegistry) -> None:
        self.registry = registry

    def kill(self, victim: Session) -> None:
        """Ends a session, by its own statement or by that of another session."""
        self.mark_as_ended(victim)
        self.remove_row(victim)
        self.roll_back(victim)
        self.disconnect(victim)

    def mark_as_ended(self, victim: Session) -> None:
        """Marks the session as ended: it executes no further statement."""
        victim.ended = True

    def remove_row(self, victim: Session) -> None:
        """Removes the session from the process list; its id is unknown from then on."""
        self.registry.remove(victim)

    def roll_back(self, victim: Session) -> None:
        """Rolls back the open transaction and releases its row locks."""
        victim.transaction.roll_back()

    def disconnect(self, victim: Session) -> None:
        """Closes the connection; sends an error first if a statement is in flight.

        The connection of a session that ends itself is closed after its statement.
        """
        if victim.statement is None:
            victim.connection.disconnect(None)
        elif victim.waiting is not None:
            victim.connection.disconnect(errors.session_killed())
            victim.interrupt(errors.SessionEndedError())

    def client_disconnected(self, session: Session) -> None:
        """Ends the session of a client that has closed its connection."""
        if session.ended:
            return
        session.ended = True
        self.registry.remove(session)
        session.transaction.roll_back()
        session.interrupt(errors.SessionEndedError())
