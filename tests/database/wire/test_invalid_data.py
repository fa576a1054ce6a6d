"""A server that sends invalid, unrequested or endless data."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.database.outcome import Lost, Outcome, ServerError, Unreadable
from runner.database.session import ConnectionEnd
from tests.database.wire.sessions import connected, idle
from tests.support.eventually import PATIENCE, eventually
from tests.support.protocol_server import Peer, client, serving

INVALID_DATA: dict[str, Callable[[Peer], object]] = {
    "a wrong packet number": lambda peer: peer.ok(9),
    "a packet that is number one again": lambda peer: peer.ok(0),
    "a reply of another protocol": lambda peer: peer.socket.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "an empty packet": lambda peer: peer.send(1, b""),
    "a column that is none": lambda peer: peer.socket.sendall(b"\x01\0\0\x01\x01\x02\0\0\x02\xfc\xff"),
}


@pytest.mark.parametrize("send_invalid_data", INVALID_DATA.values(), ids=list(INVALID_DATA))
def test_invalid_data_is_neither_a_reply_nor_the_end_of_the_session(
    send_invalid_data: Callable[[Peer], object],
) -> None:
    go = threading.Event()

    def behave(peer: Peer) -> None:
        peer.hear()
        send_invalid_data(peer)
        go.wait(PATIENCE)

    with connected(behave) as session:
        outcome = session.execute("SELECT 1", PATIENCE)
        assert isinstance(outcome, Unreadable), outcome
        assert session.check_connection() is None
        assert session.execute("SELECT 1", PATIENCE) == outcome  # replies can't be assigned to statements any more
        go.set()
        assert eventually(session.check_connection)
        assert session.connection_end == ConnectionEnd("closed", None)


@pytest.mark.parametrize("row", [b"\x011", b"\xfd\x00\x00\x10" + bytes(2**20)], ids=["small rows", "large rows"])
def test_an_endless_result_set_is_rejected_after_64_mb(row: bytes) -> None:
    def behave(peer: Peer) -> None:
        peer.hear()
        peer.send(1, b"\x01")
        peer.send(2, b"\x03def\0\0\0\x01n\0\x0c\x2d\0\x20\0\0\0\xfd\0\0\0\0\0")
        peer.send(3, b"\xfe\0\0\x02\0")
        numbers = (*range(4, 256), *range(4))
        block = b"".join(len(row).to_bytes(3, "little") + bytes([number]) + row for number in numbers)
        while True:
            peer.socket.sendall(block)

    with connected(behave) as session:
        outcome = session.execute("SELECT 1", PATIENCE)
        assert outcome == Unreadable("it needs more than 64 MB of memory")


def test_endless_unrequested_data_does_not_block_a_session() -> None:
    def send_endless_data(peer: Peer) -> None:
        while True:
            peer.socket.sendall(bytes(65536))

    with idle(send_endless_data) as (session, server):
        server.proceed()
        for _ in range(10):
            assert session.check_connection() is None
        assert isinstance(session.execute("SELECT 1", PATIENCE), Unreadable)


def test_a_very_long_error_message_is_cut() -> None:
    def behave(peer: Peer) -> None:
        peer.hear()
        peer.send(1, b"\xff\x28\x04#42000" + b"x" * 10_000_000)

    with connected(behave) as session:
        outcome = session.execute("SELECT 1", PATIENCE)
        assert isinstance(outcome, ServerError)
        assert len(outcome.message) < 100_000
        assert len(str(outcome)) < 1000


@pytest.mark.long
@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(data=st.binary(max_size=60))
def test_any_bytes_as_a_reply_result_in_an_outcome(data: bytes) -> None:
    def behave(peer: Peer) -> None:
        peer.hear()
        peer.socket.sendall(data)

    with connected(behave) as session:
        assert isinstance(session.execute("SELECT 1", PATIENCE), Outcome)


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(data=st.binary(max_size=120))
def test_any_bytes_in_place_of_a_handshake_make_the_login_fail(data: bytes) -> None:
    with serving(lambda peer: peer.socket.sendall(data)) as dsn:
        session = client(dsn)
        outcome = session.open(PATIENCE)
        session.close()
    assert isinstance(outcome, Lost | Unreadable), outcome


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(data=st.binary(min_size=1, max_size=60))
def test_a_close_is_detected_after_any_unrequested_bytes(data: bytes) -> None:
    with idle(lambda peer: peer.socket.sendall(data)) as (session, server):
        server.proceed()
        assert eventually(session.check_connection)
        assert session.connection_end is not None
        assert session.connection_end.manner == "closed"
