"""What a session hears from servers that behave well, badly, or not at all, in plain text and over TLS."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from certificates import Authority
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from waiting import eventually
from wire_server import ERROR, PATIENCE, Peer, client, encrypted, serving

from runner.database.dsn import Dsn
from runner.database.outcome import Lost, NoReply, Ok, Outcome, Rows, ServerError, Unreadable
from runner.database.session import Hangup, Session

KILLED = ServerError(1927, "70100", "Connection was killed")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.create(tmp_path_factory.mktemp("tls"))


@pytest.fixture(autouse=True, params=["plain", "tls"])
def line(request: pytest.FixtureRequest, authority: Authority) -> Iterator[None]:
    with encrypted(authority if request.param == "tls" else None):
        yield


@contextlib.contextmanager
def connected(behave: Callable[[Peer], None]) -> Iterator[Session]:
    """A session that has logged in to a server that then does as told."""

    def let_in(peer: Peer) -> None:
        peer.log_in()
        behave(peer)

    with serving(let_in) as dsn:
        session = client(dsn)
        try:
            assert session.open(PATIENCE) == Ok()
            yield session
        finally:
            session.close()


def answering(peer: Peer) -> None:
    """Answers every statement with OK until the client leaves."""
    while peer.hear() not in {b"", b"\x01"}:
        peer.ok(1)


class Idle:
    """A server that answers one statement, and does the rest when the client has taken the answer."""

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
    """A session that has had an answer, and its server."""
    server = Idle(*then)
    with connected(server) as session:
        assert session.execute("SELECT 1", PATIENCE) == Ok()
        assert session.listen() is None
        yield session, server


def close(_: Peer) -> None:
    """Closes the connection: it is closed when the last step is done."""


def complain(peer: Peer) -> None:
    peer.send(0, ERROR)


def arrived(session: Session) -> bool:
    """Whether something is there to be read."""
    line = session._line  # noqa: SLF001 - the wire itself is the question
    assert line is not None
    return bool(select.select([line._socket], [], [], 0)[0])  # noqa: SLF001 - as above


# Ends of an idle connection


def test_a_silent_close_is_heard_without_asking() -> None:
    with idle(close) as (session, server):
        server.proceed()
        assert eventually(session.listen)
        assert session.hangup == Hangup("closed", None)
        assert session.hangup.kind == "closed"
        assert str(session.hangup) == "closed, nothing sent"


def test_a_reset_is_heard_as_a_reset() -> None:
    with idle(Peer.reset) as (session, server):
        server.proceed()
        assert eventually(session.listen)
        assert session.hangup == Hangup("reset", None)


@pytest.mark.parametrize(("end", "manner"), [(close, "closed"), (Peer.reset, "reset")], ids=["close", "reset"])
def test_an_error_packet_before_the_end_belongs_to_the_end(end: Callable[[Peer], None], manner: str) -> None:
    with idle(complain, end) as (session, server):
        server.proceed()
        assert eventually(lambda: arrived(session))
        assert session.listen() is None
        server.proceed(1)
        assert eventually(session.listen)
        assert session.hangup == Hangup(manner, KILLED)
        assert session.hangup.kind == "error"


def test_an_error_packet_and_the_close_at_once_are_both_heard() -> None:
    with idle(complain) as (session, server):
        server.proceed()
        assert eventually(session.listen)
        assert session.hangup == Hangup("closed", KILLED)


def test_an_error_packet_right_behind_an_answer_is_heard() -> None:
    ok, error = b"\x07\0\0\x01" + b"\0\0\0\x02\0\0\0", len(ERROR).to_bytes(3, "little") + b"\0" + ERROR

    def behave(peer: Peer) -> None:
        peer.hear()
        peer.socket.sendall(ok + error)

    with connected(behave) as session:
        assert session.execute("SELECT 1", PATIENCE) == Ok()
        assert eventually(session.listen)
        assert session.hangup == Hangup("closed", KILLED)


def test_an_error_packet_that_comes_in_pieces_is_heard_whole() -> None:
    whole = len(ERROR).to_bytes(3, "little") + b"\0" + ERROR
    with idle(lambda peer: peer.socket.sendall(whole[:10]), lambda peer: peer.socket.sendall(whole[10:])) as (
        session,
        server,
    ):
        server.proceed()
        assert eventually(lambda: arrived(session))
        assert session.listen() is None
        server.proceed(1)
        assert eventually(session.listen)
        assert session.hangup == Hangup("closed", KILLED)


def test_after_an_error_packet_that_nobody_asked_for_the_session_works_on() -> None:
    with idle(complain, answering) as (session, server):
        server.proceed()
        server.proceed(1)
        assert eventually(lambda: arrived(session))
        assert session.listen() is None
        assert session.execute("SELECT 2", PATIENCE) == Ok()
        assert session.execute("SELECT 3", PATIENCE) == Ok()
        assert session.listen() is None


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
        assert eventually(session.listen)
        assert session.hangup == Hangup("closed", None)


def test_a_statement_on_a_connection_that_is_gone_comes_back_as_lost() -> None:
    with idle(close) as (session, server):
        server.proceed()
        assert eventually(session.listen)
        assert isinstance(session.execute("SELECT 1", PATIENCE), Lost)
        assert session.hangup == Hangup("closed", None)


# Ends in the middle of a statement

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
        assert session.hangup == Hangup(manner, None)
        assert session.listen() == session.hangup


GARBAGE: dict[str, Callable[[Peer], object]] = {
    "a wrong packet number": lambda peer: peer.ok(9),
    "a packet that is number one again": lambda peer: peer.ok(0),
    "an answer of another protocol": lambda peer: peer.socket.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "an empty packet": lambda peer: peer.send(1, b""),
    "a column that is none": lambda peer: peer.socket.sendall(b"\x01\0\0\x01\x01\x02\0\0\x02\xfc\xff"),
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=list(GARBAGE))
def test_garbage_is_neither_an_answer_nor_the_end_of_the_session(garbage: Callable[[Peer], object]) -> None:
    go = threading.Event()

    def behave(peer: Peer) -> None:
        peer.hear()
        garbage(peer)
        go.wait(PATIENCE)

    with connected(behave) as session:
        outcome = session.execute("SELECT 1", PATIENCE)
        assert isinstance(outcome, Unreadable), outcome
        assert session.listen() is None
        assert session.execute("SELECT 1", PATIENCE) == outcome  # no answer can be told from another any more
        go.set()
        assert eventually(session.listen)
        assert session.hangup == Hangup("closed", None)


def test_the_last_word_of_a_server_that_shuts_down_is_no_garbage() -> None:
    def behave(peer: Peer) -> None:
        peer.hear()
        peer.send(0, ERROR)

    with connected(behave) as session:
        assert isinstance(session.execute("SELECT 1", PATIENCE), Lost)
        assert session.hangup == Hangup("closed", KILLED)


@pytest.mark.parametrize("row", [b"\x011", b"\xfd\x00\x00\x10" + bytes(2**20)], ids=["small rows", "large rows"])
def test_a_result_set_without_end_is_given_up_before_it_fills_the_memory(row: bytes) -> None:
    def behave(peer: Peer) -> None:
        peer.hear()
        peer.send(1, b"\x01")
        peer.send(2, b"\x03def\0\0\0\x01n\0\x0c\x2d\0\x20\0\0\0\xfd\0\0\0\0\0")
        peer.send(3, b"\xfe\0\0\x02\0")
        number = 4
        while True:
            block = b""
            while len(block) < 65536:
                block += len(row).to_bytes(3, "little") + bytes([number]) + row
                number = (number + 1) % 256
            peer.socket.sendall(block)

    with connected(behave) as session:
        outcome = session.execute("SELECT 1", PATIENCE)
        assert outcome == Unreadable("more than 64 MB")


def test_a_server_that_talks_without_end_and_unasked_keeps_nobody_listening() -> None:
    def babble(peer: Peer) -> None:
        while True:
            peer.socket.sendall(bytes(65536))

    with idle(babble) as (session, server):
        server.proceed()
        for _ in range(50):
            assert session.listen() is None
        assert isinstance(session.execute("SELECT 1", PATIENCE), Unreadable)


def test_an_error_message_without_measure_is_cut() -> None:
    def behave(peer: Peer) -> None:
        peer.hear()
        peer.send(1, b"\xff\x28\x04#42000" + b"x" * 10_000_000)

    with connected(behave) as session:
        outcome = session.execute("SELECT 1", PATIENCE)
        assert isinstance(outcome, ServerError)
        assert len(outcome.message) < 100_000
        assert len(str(outcome)) < 1000


def test_an_error_as_the_answer_before_the_close_is_the_answer_and_the_last_word() -> None:
    def behave(peer: Peer) -> None:
        peer.hear()
        peer.send(1, ERROR)

    with connected(behave) as session:
        assert session.execute("SELECT 1", PATIENCE) == KILLED
        assert eventually(session.listen)
        assert session.hangup == Hangup("closed", KILLED)


def test_an_error_stays_the_last_word_of_a_server_that_leaves_the_next_statement_unanswered() -> None:
    def behave(peer: Peer) -> None:
        peer.hear()
        peer.send(1, ERROR)
        peer.hear()

    with connected(behave) as session:
        assert session.execute("KILL 1", PATIENCE) == KILLED
        assert isinstance(session.execute("SELECT 1", PATIENCE), Lost)
        assert session.hangup == Hangup("closed", KILLED)


def test_the_end_of_a_statement_in_flight_is_heard_while_nobody_takes_the_answer() -> None:
    go = threading.Event()

    def behave(peer: Peer) -> None:
        peer.hear()
        go.wait(PATIENCE)

    with connected(behave) as session:
        session.send("SELECT 1")
        assert session.busy
        assert not session.answered
        assert session.listen() is None
        go.set()
        assert eventually(session.listen)
        assert session.answered
        assert isinstance(session.result(PATIENCE), Lost)
        assert not session.busy


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(data=st.binary(max_size=60))
def test_whatever_bytes_answer_a_statement_the_outcome_is_a_value(data: bytes) -> None:
    def behave(peer: Peer) -> None:
        peer.hear()
        peer.socket.sendall(data)

    with connected(behave) as session:
        assert isinstance(session.execute("SELECT 1", PATIENCE), Outcome)


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(data=st.binary(max_size=120))
def test_whatever_bytes_greet_a_client_the_outcome_is_a_value(data: bytes) -> None:
    with serving(lambda peer: peer.socket.sendall(data)) as dsn:
        session = client(dsn)
        outcome = session.open(PATIENCE)
        session.close()
    assert isinstance(outcome, Lost | Unreadable), outcome


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(data=st.binary(min_size=1, max_size=60))
def test_whatever_bytes_come_unasked_the_end_is_heard(data: bytes) -> None:
    with idle(lambda peer: peer.socket.sendall(data)) as (session, server):
        server.proceed()
        assert eventually(session.listen)
        assert session.hangup is not None
        assert session.hangup.manner == "closed"


# Silence


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
        assert session.listen() is None
        go.set()
        assert isinstance(session.result(PATIENCE), Ok | Lost)
        assert not session.busy


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


# Logins


def test_a_refused_login_is_an_error_with_its_code() -> None:
    def behave(peer: Peer) -> None:
        peer.greet()
        peer.receive_login()
        peer.send(peer.after_login, b"\xff" + (1045).to_bytes(2, "little") + b"#28000Access denied")

    with serving(behave) as dsn:
        session = client(dsn)
        assert session.open(PATIENCE) == ServerError(1045, "28000", "Access denied")
        session.close()


def test_a_server_that_turns_clients_away_in_its_greeting_has_refused_nobodys_login() -> None:
    with serving(lambda peer: peer.send(0, b"\xff" + (1040).to_bytes(2, "little") + b"#08004Too many")) as dsn:
        session = client(dsn)
        outcome = session.open(PATIENCE)
        session.close()
    assert str(outcome) == "no handshake (turned away: error 1040 (08004): Too many)"


def test_nobody_at_the_address_is_lost_with_the_reason() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    session = client(Dsn("mysql", "root", "", "127.0.0.1", port))
    outcome = session.open(PATIENCE)
    assert outcome == Lost("Connection refused", "TCP connection")
    assert str(outcome) == "no TCP connection (Connection refused)"
    session.close()


def test_a_name_that_leads_nowhere_is_lost() -> None:
    session = client(Dsn("mysql", "root", "", "no such host.invalid", 1))
    assert isinstance(session.open(PATIENCE), Lost)
    session.close()


def test_a_unix_socket_is_used_instead_of_the_host(tmp_path: Path) -> None:
    path = os.path.relpath(tmp_path / "s.sock")  # a socket's path has 107 bytes at most
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()

        def serve() -> None:
            sock, _ = listener.accept()
            with sock:
                sock.settimeout(PATIENCE)
                peer = Peer(sock)
                peer.log_in()
                answering(peer)

        thread = threading.Thread(target=serve)
        thread.start()
        session = client(Dsn("mysql", "root", "", "no such host.invalid", 1, path))
        assert session.open(PATIENCE) == Ok()
        assert session.execute("SELECT 1", PATIENCE) == Ok()
        assert session.local_address is None
        session.close()
        thread.join(PATIENCE)
        assert not thread.is_alive()


def test_a_unix_socket_that_is_not_there_is_lost(tmp_path: Path) -> None:
    session = client(Dsn("mysql", "root", "", "", 1, str(tmp_path / "none")))
    assert isinstance(session.open(PATIENCE), Lost)
    session.close()


# Answers


def test_an_ok_has_the_servers_counts() -> None:
    def behave(peer: Peer) -> None:
        peer.hear()
        peer.ok(1, affected=3, warnings=2)

    with connected(behave) as session:
        assert session.execute("UPDATE", PATIENCE) == Ok(3, 2)


def test_the_statement_goes_out_as_it_is() -> None:
    seen: list[bytes] = []

    def behave(peer: Peer) -> None:
        seen.append(peer.hear())
        peer.ok(1)

    statement = "SELECT '\u00e4%s' \n-- \\ %d\t;"
    with connected(behave) as session:
        session.execute(statement, PATIENCE)
    assert seen == [b"\x03" + statement.encode()]


def test_values_of_every_type_come_as_text_and_null_as_none() -> None:
    def column(name: bytes, kind: int) -> bytes:
        texts = b"\x03def\0\0\0" + bytes([len(name)]) + name + b"\0"
        return texts + b"\x0c" + b"\x2d\0" + b"\x20\0\0\0" + bytes([kind]) + b"\0\0\0\0\0"

    def behave(peer: Peer) -> None:
        peer.hear()
        kinds = {b"ID": 246, b"N": 8, b"S": 253, b"D": 12}
        peer.send(1, bytes([len(kinds)]))
        for number, (name, kind) in enumerate(kinds.items(), 2):
            peer.send(number, column(name, kind))
        peer.send(6, b"\xfe\0\0\x02\0")
        peer.send(7, b"\x073221.00" + b"\x0212" + b"\xfb" + b"\x05never")
        peer.send(8, b"\xfe\0\0\x02\0")

    with connected(behave) as session:
        assert session.execute("SHOW PROCESSLIST", PATIENCE) == Rows(
            ("ID", "N", "S", "D"), (("3221.00", "12", None, "never"),)
        )
