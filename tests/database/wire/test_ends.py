"""How a session hears that its connection ended: at rest, or in the middle of a statement."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from runner.database.outcome import Lost, Ok, ServerError
from runner.database.row_counter import RowCounter
from runner.database.session import ConnectionEnd
from tests.database.wire.sessions import KILLED, RESULT_SET, answering, arrived, close, complain, connected, idle
from tests.support.eventually import PATIENCE, eventually
from tests.support.protocol_server import ERROR, Peer


def test_a_silent_close_is_heard_without_asking() -> None:
    with idle(close) as (session, server):
        server.proceed()
        assert eventually(session.check_connection)
        assert session.connection_end == ConnectionEnd("closed", None)
        assert session.connection_end.kind == "closed"
        assert str(session.connection_end) == "closed, nothing sent"


def test_a_reset_is_heard_as_a_reset() -> None:
    with idle(Peer.reset) as (session, server):
        server.proceed()
        assert eventually(session.check_connection)
        assert session.connection_end == ConnectionEnd("reset", None)


@pytest.mark.parametrize(("end", "manner"), [(close, "closed"), (Peer.reset, "reset")], ids=["close", "reset"])
def test_an_error_packet_before_the_end_belongs_to_the_end(end: Callable[[Peer], None], manner: str) -> None:
    with idle(complain, end) as (session, server):
        server.proceed()
        assert eventually(lambda: arrived(session))
        assert session.check_connection() is None
        server.proceed(1)
        assert eventually(session.check_connection)
        assert session.connection_end == ConnectionEnd(manner, KILLED)
        assert session.connection_end.kind == "error"


def test_an_error_packet_and_the_close_at_once_are_both_heard() -> None:
    with idle(complain) as (session, server):
        server.proceed()
        assert eventually(session.check_connection)
        assert session.connection_end == ConnectionEnd("closed", KILLED)


def test_an_error_packet_right_behind_an_answer_is_heard() -> None:
    ok, error = b"\x07\0\0\x01" + b"\0\0\0\x02\0\0\0", len(ERROR).to_bytes(3, "little") + b"\0" + ERROR

    def behave(peer: Peer) -> None:
        peer.hear()
        peer.socket.sendall(ok + error)

    with connected(behave) as session:
        assert session.execute("SELECT 1", PATIENCE) == Ok()
        assert eventually(session.check_connection)
        assert session.connection_end == ConnectionEnd("closed", KILLED)


def test_an_error_packet_that_comes_in_pieces_is_heard_whole() -> None:
    whole = len(ERROR).to_bytes(3, "little") + b"\0" + ERROR
    with idle(lambda peer: peer.socket.sendall(whole[:10]), lambda peer: peer.socket.sendall(whole[10:])) as (
        session,
        server,
    ):
        server.proceed()
        assert eventually(lambda: arrived(session))
        assert session.check_connection() is None
        server.proceed(1)
        assert eventually(session.check_connection)
        assert session.connection_end == ConnectionEnd("closed", KILLED)


def test_after_an_error_packet_that_nobody_asked_for_the_session_works_on() -> None:
    with idle(complain, answering) as (session, server):
        server.proceed()
        server.proceed(1)
        assert eventually(lambda: arrived(session))
        assert session.check_connection() is None
        assert session.execute("SELECT 2", PATIENCE) == Ok()
        assert session.execute("SELECT 3", PATIENCE) == Ok()
        assert session.check_connection() is None


def test_an_error_packet_that_nobody_asked_for_nor_listened_to_is_not_taken_for_an_answer() -> None:
    with idle(complain, answering) as (session, server):
        server.proceed()
        server.proceed(1)
        assert eventually(lambda: arrived(session))
        assert session.execute("SELECT 2", PATIENCE) == Ok()


def test_an_error_that_answered_an_earlier_statement_is_not_the_last_word_of_a_later_silent_close() -> None:
    go = threading.Event()

    def behave(peer: Peer) -> None:
        peer.hear()
        peer.send(1, b"\xff" + (1064).to_bytes(2, "little") + b"#42000syntax")
        peer.hear()
        peer.ok(1)
        go.wait(PATIENCE)

    with connected(behave) as session:
        assert session.execute("SELEC 1", PATIENCE) == ServerError(1064, "42000", "syntax")
        assert session.execute("SELECT 1", PATIENCE) == Ok()
        go.set()
        assert eventually(session.check_connection)
        assert session.connection_end == ConnectionEnd("closed", None)


def test_a_statement_on_a_connection_that_is_gone_comes_back_as_lost() -> None:
    with idle(close) as (session, server):
        server.proceed()
        assert eventually(session.check_connection)
        assert isinstance(session.execute("SELECT 1", PATIENCE), Lost)
        assert session.connection_end == ConnectionEnd("closed", None)


ENDS: dict[str, tuple[Callable[[Peer], object], str]] = {
    "a silent close": (lambda peer: None, "closed"),  # noqa: ARG005 - the name says whose turn it is
    "a reset": (lambda peer: peer.reset(), "reset"),
    "half a packet": (lambda peer: peer.socket.sendall(b"\x20\x00\x00\x01\x00\x00"), "closed"),
    "half a header": (lambda peer: peer.socket.sendall(b"\x20\x00"), "closed"),
    "rows that stop": (lambda peer: peer.send(1, b"\x02"), "closed"),
}


@pytest.mark.parametrize(("end", "manner"), ENDS.values(), ids=list(ENDS))
def test_an_end_in_the_middle_of_a_statement_is_lost(end: Callable[[Peer], object], manner: str) -> None:
    def behave(peer: Peer) -> None:
        peer.hear()
        end(peer)

    with connected(behave) as session:
        outcome = session.execute("SELECT 1", PATIENCE)
        assert isinstance(outcome, Lost), outcome
        assert session.connection_end == ConnectionEnd(manner, None)
        assert session.check_connection() == session.connection_end


ROWS = (*RESULT_SET, b"\1x", b"\1y", b"\xfb")
"""The beginning of a result set with one column: three rows, of which the last is NULL."""


def send_rows(peer: Peer) -> None:
    peer.hear()
    for number, payload in enumerate(ROWS, 1):
        peer.send(number, payload)
    peer.socket.sendall(b"\2\0\0\7\1")  # a row that ends too early


@pytest.mark.parametrize("unread", [False, True], ids=["read", "left unread"])
def test_rows_before_the_end_are_counted(*, unread: bool) -> None:
    with connected(send_rows) as session:
        if unread:
            assert session.send_held("SELECT a", PATIENCE) is None
            session.discard()
            assert eventually(session.check_connection)
        outcome = session.result(PATIENCE) if unread else session.execute("SELECT a", PATIENCE)
        assert str(outcome) == "connection lost (closed after 3 rows)"
        assert session.connection_end == ConnectionEnd("closed", None, 3)
        assert str(session.connection_end) == "closed after 3 rows"


def test_rows_and_an_error_before_the_end_are_both_shown() -> None:
    assert str(ConnectionEnd("closed", KILLED, 3)) == f"closed after 3 rows and {KILLED}"
    assert str(ConnectionEnd("reset", KILLED)) == f"reset after {KILLED}"


def test_rows_of_an_earlier_result_are_not_those_before_the_end() -> None:
    counter = RowCounter()
    for payload in (*ROWS, b"\xfe\0\0\x0a\0", *RESULT_SET, b"\1z", ERROR):
        for byte in len(payload).to_bytes(3, "little") + b"\0" + payload:
            counter.add(bytes((byte,)))
    assert counter.rows == 1


def test_the_last_word_of_a_server_that_shuts_down_is_no_garbage() -> None:
    def behave(peer: Peer) -> None:
        peer.hear()
        peer.send(0, ERROR)

    with connected(behave) as session:
        assert isinstance(session.execute("SELECT 1", PATIENCE), Lost)
        assert session.connection_end == ConnectionEnd("closed", KILLED)


def test_an_error_as_the_answer_before_the_close_is_the_answer_and_the_last_word() -> None:
    def behave(peer: Peer) -> None:
        peer.hear()
        peer.send(1, ERROR)

    with connected(behave) as session:
        assert session.execute("SELECT 1", PATIENCE) == KILLED
        assert eventually(session.check_connection)
        assert session.connection_end == ConnectionEnd("closed", KILLED)


def test_an_error_stays_the_last_word_of_a_server_that_leaves_the_next_statement_unanswered() -> None:
    def behave(peer: Peer) -> None:
        peer.hear()
        peer.send(1, ERROR)
        peer.hear()

    with connected(behave) as session:
        assert session.execute("KILL 1", PATIENCE) == KILLED
        assert isinstance(session.execute("SELECT 1", PATIENCE), Lost)
        assert session.connection_end == ConnectionEnd("closed", KILLED)


@pytest.mark.parametrize("first", [1, 4, 6], ids=["half a header", "a header", "half a packet"])
def test_an_answer_that_comes_in_pieces_is_heard_while_nobody_takes_it(first: int) -> None:
    whole = len(ERROR).to_bytes(3, "little") + b"\1" + ERROR
    go = threading.Event()

    def behave(peer: Peer) -> None:
        peer.hear()
        peer.socket.sendall(whole[:first])
        go.wait(PATIENCE)
        peer.socket.sendall(whole[first:])

    with connected(behave) as session:
        session.send("SELECT 1")
        assert eventually(lambda: arrived(session))
        assert session.check_connection() is None
        assert not session.has_reply
        go.set()
        assert eventually(lambda: session.has_reply)
        assert eventually(session.check_connection)
        assert session.connection_end == ConnectionEnd("closed", KILLED)
        assert session.result(PATIENCE) == KILLED


def test_the_end_of_a_statement_in_flight_is_heard_while_nobody_takes_the_answer() -> None:
    go = threading.Event()

    def behave(peer: Peer) -> None:
        peer.hear()
        go.wait(PATIENCE)

    with connected(behave) as session:
        session.send("SELECT 1")
        assert session.busy
        assert not session.has_reply
        assert session.check_connection() is None
        go.set()
        assert eventually(session.check_connection)
        assert session.has_reply
        assert isinstance(session.result(PATIENCE), Lost)
        assert not session.busy
