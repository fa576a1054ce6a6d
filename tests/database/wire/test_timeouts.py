"""Timeouts of a session whose server sends nothing or an incomplete reply, and how a session closes."""

from __future__ import annotations

import itertools
import threading
import time

import pytest

from runner.database.outcome import Lost, NoReply, Ok, Rows
from runner.database.session import Session
from tests.database.wire.sessions import RESULT_SET, connected, reply_with_ok
from tests.support.eventually import PATIENCE
from tests.support.protocol_server import Peer, client, serving


@pytest.mark.parametrize("how", ["accepts", "sends a handshake", "sends half a handshake"])
def test_a_login_that_the_server_does_not_complete_times_out(how: str) -> None:
    over = threading.Event()

    def behave(peer: Peer) -> None:
        if how == "sends a handshake":
            peer.greet()
        if how == "sends half a handshake":
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


@pytest.mark.parametrize("reply", [b"", b"\x20\x00\x00\x01\x00\x00"], ids=["nothing", "half a packet"])
def test_a_statement_without_a_reply_times_out_and_its_reply_can_be_received_later(reply: bytes) -> None:
    go = threading.Event()

    def behave(peer: Peer) -> None:
        peer.hear()
        peer.socket.sendall(reply)
        go.wait(PATIENCE)
        peer.socket.sendall(b"\x07\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00"[len(reply) :])
        if reply:
            peer.socket.sendall(bytes(0x20 - 2))
        reply_with_ok(peer)

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
def test_a_reply_that_is_incomplete_at_the_timeout_is_received_up_to_a_second_limit(
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


def test_close_does_not_wait_for_a_running_statement() -> None:
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


def test_abandon_closes_without_com_quit_and_close_sends_com_quit() -> None:
    received: list[bytes] = []
    for leave in (Session.abandon, Session.close):
        done = threading.Event()

        def behave(peer: Peer, done: threading.Event = done) -> None:
            peer.log_in()
            received.append(peer.hear())
            done.set()

        with serving(behave) as dsn:
            session = client(dsn)
            session.open(PATIENCE)
            leave(session)
            assert done.wait(PATIENCE)
    assert received == [b"", b"\x01"]
