"""Sessions: what the server knows of a logged-in client, and the registry that lists them all."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from runner.simulator import errors
from runner.simulator.tables import Transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runner.simulator.accounts import User

ACTIVE = "ACTIVE"
SLEEP = "SLEEP"
SESSION_KILLED = "SESSION_KILLED"

LONGEST_PAUSE = 10**9

# The kernel's layout of a direct connection's id: two tag bits, the server's number, a running number.
_SERVER_TAGS = 0b11 << 30
_SERVER_NUMBER = 1 << 18
_LOCAL_IDS = 1 << 18
_FIRST_LOCAL_ID = 1


class Link(Protocol):
    """A session's way to its client."""

    def disconnect(self, last_word: errors.SqlError | None) -> None:
        """Closes the connection now; a statement in flight is answered with `last_word` first."""


@dataclass(slots=True, eq=False)
class Session:
    """One logged-in client."""

    number: int
    user: User
    roles: frozenset[str]
    host: str
    schema: str
    link: Link
    autocommit: bool = True
    in_block: bool = False
    ended: bool = False
    state: str = SLEEP
    statement: str | None = None
    since: float = field(default_factory=time.monotonic)
    transaction: Transaction = field(default_factory=Transaction)
    savepoints: dict[str, int] = field(default_factory=dict)
    last_error: errors.SqlError | None = None
    waiting: asyncio.Future[bool] | None = None
    blocked: bool = False
    sending: bool = False
    prepared: bool = False

    def begin(self, statement: str, *, prepared: bool = False) -> None:
        """A statement begins, a prepared one or a text."""
        self.statement = statement
        self.prepared = prepared
        self.state = ACTIVE
        self.since = time.monotonic()

    def finish(self) -> None:
        """The statement is over."""
        self.statement = None
        self.state = SLEEP
        self.since = time.monotonic()

    def seconds(self) -> int:
        """How long the session has been in its state."""
        return int(time.monotonic() - self.since)

    async def wait(self, seconds: float, register: Callable[[asyncio.Future[bool]], None] | None = None) -> bool:
        """Waits until something registered comes true, or the time has passed: the answer tells which.

        The one place where a statement waits, so the one place where it can be interrupted.
        """
        loop = asyncio.get_running_loop()
        woken: asyncio.Future[bool] = loop.create_future()
        timer = loop.call_later(min(seconds, LONGEST_PAUSE), _resolve, woken)
        if register is not None:
            register(woken)
        self.waiting = woken
        self.blocked = register is not None and not self.sending
        try:
            outcome = await woken
        finally:
            self.waiting = None
            self.blocked = False
            timer.cancel()
        if self.ended:
            raise errors.SessionEndedError
        return outcome

    async def wait_for_client(self, register: Callable[[asyncio.Future[bool]], None]) -> None:
        """Waits until the client has read enough of a large result for more to be sent."""
        self.sending = True
        try:
            await self.wait(LONGEST_PAUSE, register)
        finally:
            self.sending = False

    def interrupt(self, reason: Exception) -> bool:
        """Makes a waiting statement fail; False where there is none."""
        if self.waiting is None or self.waiting.done():
            return False
        self.waiting.set_exception(reason)
        return True


class SessionIds:
    """Hands out the ids of sessions. Each is the server's only one of its kind."""

    def __init__(self) -> None:
        self._next = _FIRST_LOCAL_ID
        self._living: set[int] = set()

    def new(self) -> int:
        """An id that no session has had before, as far as the running number reaches; none that one still has."""
        while True:
            local = self._next
            self._next = (local + 1) % _LOCAL_IDS or _FIRST_LOCAL_ID
            number = _SERVER_TAGS | _SERVER_NUMBER | local
            if number not in self._living:
                self._living.add(number)
                return number

    def in_greeting(self, number: int) -> int:
        """The connection id that the greeting names to the session's client."""
        return number

    def of(self, user: User, number: int) -> int:  # noqa: ARG002 - for servers whose ids depend on the user
        """The id of a session of this user, which was greeted with `number`."""
        return number

    def give_back(self, user: User | None, number: int) -> None:  # noqa: ARG002 - as above
        """The session with this id is over, or has never come to be."""
        self._living.discard(number)


class Registry:
    """Every session that is logged in."""

    def __init__(self) -> None:
        self._sessions: dict[int, Session] = {}

    def __iter__(self) -> Iterator[Session]:
        return iter(tuple(self._sessions.values()))

    def __len__(self) -> int:
        return len(self._sessions)

    def add(self, session: Session) -> None:
        """Lists a session."""
        self._sessions[session.number] = session

    def find(self, number: int) -> Session | None:
        """The session with this id."""
        return self._sessions.get(number)

    def remove(self, session: Session) -> None:
        """Takes a session off the list, if it is still there."""
        if self._sessions.get(session.number) is session:
            del self._sessions[session.number]


def _resolve(future: asyncio.Future[bool]) -> None:
    if not future.done():
        future.set_result(False)
