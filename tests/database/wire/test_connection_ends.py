"""A session detects the end of its connection: while it is idle, and during a statement."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from runner.database.outcome import Lost, Ok, ServerError
from runner.database.reply_row_counter import RowCounter
from runner.database.session import ConnectionEnd
from tests.database.wire.sessions import KILLED, RESULT_SET, arrived, close, connected, idle, reply_with_ok, send_error
from tests.support.eventually import PATIENCE, eventually
from tests.support.protocol_server import ERROR, Peer


def test_a_close_without_an_error_packet_is_detected_without_a_statement() -> None:
    with idle(close) as (session, server):
        server.proceed()
        assert eventually(session.check_connection)
        assert session.connection_end == ConnectionEnd("closed", None)
        assert session.connection_end.kind == "closed"
        assert str(session.connection_end) == "closed, nothing sent"


def test_a_reset_is_detected_as_a_reset() -> None:
    with idle(Peer.reset) as (session, server):
        server.proceed()
        assert eventually(session.check_connection)
        assert session.connection_end == ConnectionEnd("reset", None)


@pytest.mark.parametrize(("end", "manner"), [(close, "closed"), (Peer.reset, "reset")], ids=["close", "reset"])
def test_an_error_packet_before_the_end_is_reported_with_the_end(end: Callable[[Peer], None], manner: str) -> None:
    with idle(send_error, end) as (session, server):
        server.proceed()
        assert eventually(lambda: arrived(session))
        assert session.check_connection() is None
        server.proceed(1)
        assert eventually(session.check_connection)
        assert session.connection_end == ConnectionEnd(manner, KILLED)
        assert session.connection_end.kind == "error"


def test_an_error_packet_and_an_immediate_close_are_both_detected() -> None:
    with idle(send_error) as (session, server):
        server.proceed()
        assert eventually(session.check_connection)
        assert session.connection_end == ConnectionEnd("closed", KILLED)


def test_an_error_packet_directly_after_a_reply_is_received() -> None:
    ok, error = b"\x07\0\0\x01" + b"\0\0\0\x02\0\0\0", len(ERROR).to_bytes(3, "little") + b"\0" + ERROR

    def behave(peer: Peer) -> None:
        peer.hear()
        peer.socket.sendall(ok + error)

    with connected(behave) as session:
        assert session.execute("SELECT 1", PATIENCE) == Ok()
        assert eventually(session.check_connection)
        assert session.connection_end == ConnectionEnd("closed", KILLED)


def test_an_error_packet_in_pieces_is_received_completely() -> None:
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


def test_a_session_stays_usable_after_an_unrequested_error_packet() -> None:
    with idle(send_error, reply_with_ok) as (session, server):
        server.proceed()
        server.proceed(1)
        assert eventually(lambda: arrived(session))
        assert session.check_connection() is None
        assert session.execute("SELECT 2", PATIENCE) == Ok()
        assert session.execute("SELECT 3", PATIENCE) == Ok()
        assert session.check_connection() is None


def test_an_unrequested_error_packet_is_not_read_as_the_reply_to_the_next_statement() -> None:
    with idle(send_error, reply_with_ok) as (session, server):
        server.proceed()
        server.proceed(1)
        assert eventually(lambda: arrived(session))
        assert session.execute("SELECT 2", PATIENCE) == Ok()


def test_an_error_reply_to_an_earlier_statement_is_not_the_last_error_before_a_close() -> None:
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


def test_a_statement_on_a_closed_connection_is_lost() -> None:
    with idle(close) as (session, server):
        server.proceed()
        assert eventually(session.check_connection)
        assert isinstance(session.execute("SELECT 1", PATIENCE), Lost)
        assert session.connection_end == ConnectionEnd("closed", None)


ENDS: dict[str, tuple[Callable[[Peer], object], str]] = {
    "a close without an error": (lambda peer: None, "closed"),  # noqa: ARG005 - the name says whose turn it is
    "a reset": (lambda peer: peer.reset(), "reset"),
    "half a packet": (lambda peer: peer.socket.sendall(b"\x20\x00\x00\x01\x00\x00"), "closed"),
    "half a header": (lambda peer: peer.socket.sendall(b"\x20\x00"), "closed"),
    "rows that stop": (lambda peer: peer.send(1, b"\x02"), "closed"),
}


@pytest.mark.parametrize(("end", "manner"), ENDS.values(), ids=list(ENDS))
def test_the_connection_is_lost_if_it_ends_during_a_statement(end: Callable[[Peer], object], manner: str) -> None:
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
            assert session.send_and_read_beginning("SELECT a", PATIENCE) is None
            session.discard()
            assert eventually(session.check_connection)
        outcome = session.result(PATIENCE) if unread else session.execute("SELECT a", PATIENCE)
        assert str(outcome) == "connection lost (closed after 3 rows)"
        assert session.connection_end == ConnectionEnd("closed", None, 3)
        assert str(session.connection_end) == "closed after 3 rows"


def test_rows_and_an_error_before_the_end_are_both_shown() -> None:
    assert str(ConnectionEnd("closed", KILLED, 3)) == f"closed after 3 rows and {KILLED}"
    assert str(ConnectionEnd("reset", KILLED)) == f"reset after {KILLED}"


def test_rows_of_an_earlier_result_are_not_counted() -> None:
    counter = RowCounter()
    for payload in (*ROWS, b"\xfe\0\0\x0a\0", *RESULT_SET, b"\1z", ERROR):
        for byte in len(payload).to_bytes(3, "little") + b"\0" + payload:
            counter.add(bytes((byte,)))
    assert counter.rows == 1


def test_an_error_packet_with_number_0_before_a_close_is_the_last_error_and_no_invalid_data() -> None:
    def behave(peer: Peer) -> None:
        peer.hear()
        peer.send(0, ERROR)

    with connected(behave) as session:
        assert isinstance(session.execute("SELECT 1", PATIENCE), Lost)
        assert session.connection_end == ConnectionEnd("closed", KILLED)


def test_an_error_reply_before_the_close_is_the_reply_and_the_last_error() -> None:
    def behave(peer: Peer) -> None:
        peer.hear()
        peer.send(1, ERROR)

    with connected(behave) as session:
        assert session.execute("SELECT 1", PATIENCE) == KILLED
        assert eventually(session.check_connection)
        assert session.connection_end == ConnectionEnd("closed", KILLED)


def test_an_error_reply_stays_the_last_error_if_the_next_statement_gets_no_reply() -> None:
    def behave(peer: Peer) -> None:
        peer.hear()
        peer.send(1, ERROR)
        peer.hear()

    with connected(behave) as session:
        assert session.execute("KILL 1", PATIENCE) == KILLED
        assert isinstance(session.execute("SELECT 1", PATIENCE), Lost)
        assert session.connection_end == ConnectionEnd("closed", KILLED)


@pytest.mark.parametrize("first", [1, 4, 6], ids=["half a header", "a header", "half a packet"])
def test_a_reply_in_pieces_is_received_before_its_result_is_requested(first: int) -> None:
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


def test_the_end_during_a_statement_is_detected_before_its_result_is_requested() -> None:
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
