"""Sessions with small servers whose behaviour a test defines."""

from __future__ import annotations

import contextlib
import select
import struct
import threading
from collections.abc import Callable, Iterator

from runner.database.outcome import Ok, ServerError
from runner.database.session import Session
from tests.support.eventually import PATIENCE
from tests.support.protocol_server import ERROR, Peer, client, serving

RESULT_SET = (
    b"\1",
    b"\3def" + b"\0\0\0" + b"\1a" + b"\0" + b"\x0c" + struct.pack("<HIBHBxx", 255, 4, 253, 0, 0),
    b"\xfe\0\0\2\0",
)
"""The packets of a result set with one column, before its rows."""
KILLED = ServerError(1927, "70100", "Connection was killed")


@contextlib.contextmanager
def connected(behave: Callable[[Peer], None]) -> Iterator[Session]:
    """A session that has logged in to a server, which then calls ``behave``."""

    def log_in_and_behave(peer: Peer) -> None:
        peer.log_in()
        behave(peer)

    with serving(log_in_and_behave) as dsn:
        session = client(dsn)
        try:
            assert session.open(PATIENCE) == Ok()
            yield session
        finally:
            session.close()


def reply_with_ok(peer: Peer) -> None:
    """Replies to every statement with OK until the client closes the connection."""
    while peer.hear() not in {b"", b"\x01"}:
        peer.ok(1)


class Idle:
    """A server that replies to one statement, and does the rest after the client has received the reply."""

    def __init__(self, *then: Callable[[Peer], object]) -> None:
        self._then = then
        self._go = [threading.Event() for _ in then]

    def __call__(self, peer: Peer) -> None:
        peer.hear()
        peer.ok(1)
        for go, act in zip(self._go, self._then, strict=True):
            go.wait(PATIENCE)
            act(peer)

    def proceed(self, step: int = 0) -> None:
        """Lets the server take its next step."""
        self._go[step].set()


@contextlib.contextmanager
def idle(*then: Callable[[Peer], object]) -> Iterator[tuple[Session, Idle]]:
    """A session that has received a reply, and its server."""
    server = Idle(*then)
    with connected(server) as session:
        assert session.execute("SELECT 1", PATIENCE) == Ok()
        assert session.check_connection() is None
        yield session, server


def close(_: Peer) -> None:
    """Closes the connection: it is closed when the last step is done."""


def send_error(peer: Peer) -> None:
    peer.send(0, ERROR)


def arrived(session: Session) -> bool:
    """Whether something is there to be read."""
    line = session._stream  # noqa: SLF001 - the wire itself is the question
    assert line is not None
    return bool(select.select([line._socket], [], [], 0)[0])  # noqa: SLF001 - as above
