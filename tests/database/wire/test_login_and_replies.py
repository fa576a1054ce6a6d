"""Logins, refused ones too, and replies as they are received."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.database.dsn import Dsn
from runner.database.outcome import Lost, NoReply, Ok, Outcome, Rows, ServerError, Unreadable
from tests.database.wire.sessions import connected, reply_with_ok
from tests.support.eventually import PATIENCE
from tests.support.protocol_server import Peer, client, outcome_of_login, serving


def test_a_refused_login_is_an_error_with_its_code() -> None:
    def behave(peer: Peer) -> None:
        peer.greet()
        peer.receive_login()
        peer.send(peer.after_login, b"\xff" + (1045).to_bytes(2, "little") + b"#28000Access denied")

    with serving(behave) as dsn:
        session = client(dsn)
        assert session.open(PATIENCE) == ServerError(1045, "28000", "Access denied")
        session.close()


def test_an_error_in_place_of_the_handshake_is_no_refused_login() -> None:
    with serving(lambda peer: peer.send(0, b"\xff" + (1040).to_bytes(2, "little") + b"#08004Too many")) as dsn:
        session = client(dsn)
        outcome = session.open(PATIENCE)
        session.close()
    assert str(outcome) == "no handshake (refused: error 1040 (08004): Too many)"


def first_statement_replied_with(*errors: bytes | None) -> Callable[[Peer], None]:
    """Replies to the first statements of logins with these, for None closes the connection; to later ones with OK."""
    left = list(errors)

    def behave(peer: Peer) -> None:
        peer.greet()
        peer.receive_login()
        peer.ok(peer.after_login)
        assert peer.read().startswith(b"\x03SET NAMES")
        error = left.pop(0) if left else b"\0\0\0\2\0\0\0"
        if error is not None:
            peer.send(1, error)
            peer.hear()

    return behave


def refusal(code: int, sqlstate: str, message: str) -> bytes:
    return b"\xff" + code.to_bytes(2, "little") + f"#{sqlstate}{message}".encode()


@pytest.mark.parametrize(
    "error",
    [
        refusal(1193, "HY000", "Unknown system variable 'NAMES'"),
        refusal(1115, "42000", "Unknown character set: 'utf8mb4'"),
        refusal(1064, "42000", "You have an error in your SQL syntax"),
        refusal(1105, "HY000", "SET NAMES is not supported"),
        refusal(1231, "42000", "Variable 'character_set_client' can't be set to the value of 'utf8mb4'"),
    ],
)
def test_a_login_succeeds_although_the_server_does_not_support_its_first_statement(error: bytes) -> None:
    with serving(first_statement_replied_with(error)) as dsn:
        assert outcome_of_login(dsn) == Ok()


@pytest.mark.parametrize(
    ("reply", "shown"),
    [
        (
            refusal(1317, "70100", "Query execution was interrupted"),
            "to the login's SET NAMES utf8mb4: error 1317 (70100): Query execution was interrupted",
        ),
        (
            refusal(1927, "08S01", "Connection was killed"),
            "to the login's SET NAMES utf8mb4: error 1927 (08S01): Connection was killed",
        ),
        (None, "no reply to the login's SET NAMES utf8mb4 (closed)"),
    ],
)
def test_a_login_whose_first_statement_is_killed_or_lost_is_repeated_unless_once(
    reply: bytes | None, shown: str
) -> None:
    with serving(first_statement_replied_with(reply)) as dsn:
        session = client(dsn)
        assert str(session.open(PATIENCE, once=True)) == shown
        session.close()
    with serving(first_statement_replied_with(reply)) as dsn:
        session = client(dsn)
        assert session.open(PATIENCE) == Ok()
        assert str(session.broken_off) == shown
        session.close()


@pytest.mark.parametrize("version", [b"v0.4.0-MatrixOne", b"OceanBase_4.2.1.8", b"", b"8", b"\xff\x01%s"])
def test_the_version_of_a_server_can_be_any_text(version: bytes) -> None:
    with serving(lambda peer: log_in(peer, version)) as dsn:
        session = client(dsn)
        assert session.open(PATIENCE) == Ok()
        assert session.handshake.version == version.decode("latin-1")
        session.close()


def log_in(peer: Peer, version: bytes) -> None:
    peer.greet(version=version)
    peer.receive_login()
    peer.ok(peer.after_login)
    peer.hear()


def test_a_refused_tcp_connection_is_lost_with_the_reason() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    session = client(Dsn("mysql", "root", "", "127.0.0.1", port))
    outcome = session.open(PATIENCE)
    assert outcome == Lost("Connection refused", "TCP connection", before_greeting=True)
    assert str(outcome) == "no TCP connection (Connection refused)"
    session.close()


@pytest.mark.parametrize("host", ["db..example", "x" * 300])
def test_a_host_that_can_be_no_name_is_reported_as_such(host: str) -> None:
    outcome = client(Dsn("mysql", "root", "", host, 1)).open(PATIENCE)
    assert str(outcome) == f"no TCP connection ({host!r} is not a host name or an address)"


def test_a_connection_to_an_unknown_host_is_lost() -> None:
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
                reply_with_ok(peer)

        thread = threading.Thread(target=serve)
        thread.start()
        session = client(Dsn("mysql", "root", "", "no such host.invalid", 1, path))
        assert session.open(PATIENCE) == Ok()
        assert session.execute("SELECT 1", PATIENCE) == Ok()
        assert session.local_address is None
        session.close()
        thread.join(PATIENCE)
        assert not thread.is_alive()


def test_a_connection_to_a_nonexistent_unix_socket_is_lost(tmp_path: Path) -> None:
    session = client(Dsn("mysql", "root", "", "", 1, str(tmp_path / "none")))
    assert isinstance(session.open(PATIENCE), Lost)
    session.close()


def test_an_ok_contains_the_counts_of_the_server() -> None:
    def behave(peer: Peer) -> None:
        peer.hear()
        peer.ok(1, affected=3, warnings=2)

    with connected(behave) as session:
        assert session.execute("UPDATE", PATIENCE) == Ok(3, 2)


def test_a_statement_is_sent_unchanged() -> None:
    seen: list[bytes] = []

    def behave(peer: Peer) -> None:
        seen.append(peer.hear())
        peer.ok(1)

    statement = "SELECT '\u00e4%s' \n-- \\ %d\t;"
    with connected(behave) as session:
        session.execute(statement, PATIENCE)
    assert seen == [b"\x03" + statement.encode()]


def test_values_of_every_type_are_received_as_text_and_null_as_none() -> None:
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


def test_the_last_of_several_replies_to_one_text_is_the_result() -> None:
    def behave(peer: Peer) -> None:
        peer.hear()
        peer.send(1, bytes([0, 5, 0]) + (2 | 8).to_bytes(2, "little") + bytes(2))  # OK, and more to come
        peer.ok(2, affected=7)
        peer.hear()
        peer.send(1, bytes([0, 5, 0]) + (2 | 8).to_bytes(2, "little") + bytes(2))
        peer.send(2, b"\xff" + (1227).to_bytes(2, "little") + b"#42000no privilege")
        peer.hear()
        peer.ok(1)

    with connected(behave) as session:
        assert session.execute("COMMIT; UPDATE", PATIENCE) == Ok(affected=7, earlier=1)
        assert session.execute("COMMIT; KILL", PATIENCE) == ServerError(1227, "42000", "no privilege")
        assert session.execute("SELECT 1", PATIENCE) == Ok()


def test_a_session_is_busy_after_a_preparation_timed_out() -> None:
    released = threading.Event()

    def behave(peer: Peer) -> None:
        peer.hear()
        released.wait(PATIENCE)

    with connected(behave) as session:
        outcome = session.prepare("COMMIT", 0.05)
        released.set()
    assert isinstance(outcome, NoReply)
    assert session.busy


def result_of(row: bytes, columns: int) -> Outcome:
    """The outcome of a result set with this row."""

    def behave(peer: Peer) -> None:
        peer.hear()
        peer.send(1, bytes([columns]))
        for number in range(columns):
            peer.send(2 + number, b"\x03def\0\0\0\x01n\0\x0c\x2d\0\x20\0\0\0\xfd\0\0\0\0\0")
        peer.send(2 + columns, b"\xfe\0\0\x02\0")
        peer.send(3 + columns, row)
        peer.send(4 + columns, b"\xfe\0\0\x02\0")
        peer.hear()

    with connected(behave) as session:
        return session.execute("SELECT n", PATIENCE)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (b"\0", ""),
        (b"\xfb", None),
        (b"\xfa" + b"x" * 250, "x" * 250),
        (b"\xfc\xfb\0" + b"x" * 251, "x" * 251),
        (b"\xfd\0\0\x01" + b"x" * 65536, "x" * 65536),
        (b"\xfe\3\0\0\0\0\0\0\0abc", "abc"),
        (b"\3a\xe9b", "a\ufffdb"),  # Latin-1
    ],
    ids=["empty", "NULL", "one byte", "two bytes", "three bytes", "eight bytes", "another encoding"],
)
def test_a_value_is_read_whatever_its_length_and_encoding(value: bytes, shown: str | None) -> None:
    outcome = result_of(b"\x011" + value + b"\x012", 3)
    assert isinstance(outcome, Rows)
    assert outcome.columns == ("n", "n", "n")
    assert outcome.values == (("1", shown, "2"),)


@pytest.mark.parametrize("row", [b"\x02x", b"\x011\x05abcd", b"\x011\xfc\xff\xff", b"\x011\xff"])
def test_a_row_whose_last_value_is_cut_off_is_unreadable(row: bytes) -> None:
    assert isinstance(result_of(row, 2), Unreadable)
