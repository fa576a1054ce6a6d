"""A server that says nothing keeps no session waiting, nor does a session that leaves."""

from __future__ import annotations

import itertools
import threading
import time

import pytest

from runner.database.outcome import Lost, NoReply, Ok, Rows
from runner.database.session import Session
from tests.database.wire.sessions import RESULT_SET, answering, connected
from tests.support.eventually import PATIENCE
from tests.support.protocol_server import Peer, client, serving


@pytest.mark.parametrize("how", ["accepts", "greets", "half a greeting"])
def test_a_server_that_does_not_let_in_is_given_up_at_the_limit(how: str) -> None:
    over = threading.Event()

    def behave(peer: Peer) -> None:
        if how == "greets":
            peer.greet()
        if how == "half a greeting":
            peer.socket.sendall(b"\x4a\x00\x00\x00\x0a5.7")
        over.wait(PATIENCE)

    with serving(behave) as dsn:
        session = client(dsn)
        start = time.monotonic()
        outcome = session.open(0.3)
        session.close()
        assert isinstance(outcome, NoReply)
        assert time.monotonic() - start < PATIENCE / 2
        over.set()


@pytest.mark.parametrize("answer", [b"", b"\x20\x00\x00\x01\x00\x00"], ids=["nothing", "half a packet"])
def test_a_server_that_does_not_answer_is_given_up_at_the_limit_and_may_answer_later(answer: bytes) -> None:
    go = threading.Event()

    def behave(peer: Peer) -> None:
        peer.hear()
        peer.socket.sendall(answer)
        go.wait(PATIENCE)
        peer.socket.sendall(b"\x07\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00"[len(answer) :])
        if answer:
            peer.socket.sendall(bytes(0x20 - 2))
        answering(peer)

    with connected(behave) as session:
        start = time.monotonic()
        assert session.execute("SELECT 1", 0.2) == NoReply(0.2)
        assert time.monotonic() - start < PATIENCE / 2
        assert session.busy
        assert session.check_connection() is None
        go.set()
        assert isinstance(session.result(PATIENCE), Ok | Lost)
        assert not session.busy


@pytest.mark.parametrize("longest", [PATIENCE, 0.3], ids=["complete", "without end"])
def test_a_reply_that_is_being_received_at_the_limit_is_read_on_but_not_for_ever(
    monkeypatch: pytest.MonkeyPatch, longest: float
) -> None:
    monkeypatch.setattr("runner.database.stream._LONGEST_PAUSE", PATIENCE)
    begun, over = threading.Event(), threading.Event()

    def behave(peer: Peer) -> None:
        peer.hear()
        for number, payload in enumerate(RESULT_SET, 1):
            peer.send(number, payload)
        begun.set()
        late = time.monotonic() + 0.5
        for number in itertools.count(4):
            if longest == PATIENCE and time.monotonic() > late:
                peer.send(number % 256, b"\xfe\0\0\2\0")
                break
            peer.send(number % 256, b"\1x")
            if over.wait(0.02):
                return
        over.wait(PATIENCE)

    with connected(behave) as session:
        start = time.monotonic()
        session.send("SELECT a")
        assert begun.wait(PATIENCE)
        outcome = session.result(0.2, receiving=longest)
        over.set()
        assert isinstance(outcome, Rows if longest == PATIENCE else NoReply), outcome
        assert time.monotonic() - start >= 0.5


def test_closing_waits_for_nobody() -> None:
    over = threading.Event()

    def behave(peer: Peer) -> None:
        peer.hear()
        over.wait(PATIENCE)

    with connected(behave) as session:
        session.send("SELECT 1")
        start = time.monotonic()
        session.close()
        assert time.monotonic() - start < PATIENCE / 2
        over.set()


def test_a_crash_of_the_client_is_a_close_without_goodbye_and_close_says_goodbye() -> None:
    said: list[bytes] = []
    for leave in (Session.abandon, Session.close):
        done = threading.Event()

        def behave(peer: Peer, done: threading.Event = done) -> None:
            peer.log_in()
            said.append(peer.hear())
            done.set()

        with serving(behave) as dsn:
            session = client(dsn)
            session.open(PATIENCE)
            leave(session)
            assert done.wait(PATIENCE)
    assert said == [b"", b"\x01"]
