"""TLS: what is verified, what is refused and plain then, and what goes over the stream where it is encrypted or not."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from runner.database.dsn import Dsn, DsnError, Tls
from runner.database.outcome import LoginAborted, NoReply, Ok, Outcome
from runner.database.stream import Stream
from runner.database.tls import tls_context
from tests.support.certificates import Authority
from tests.support.eventually import PATIENCE, eventually
from tests.support.protocol_server import Peer, client, outcome_of_login, serving


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.create(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.create(tmp_path_factory.mktemp("other"))


def let_in(peer: Peer) -> None:
    peer.log_in()
    while peer.hear() not in {b"", b"\x01"}:
        peer.ok(1)


# Who is trusted


@pytest.mark.parametrize("verify", ["full", "ca", "none"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_statements_get_replies_over_tls(authority: Authority, verify: str, version: ssl.TLSVersion) -> None:
    spoken: list[str | None] = []

    def behave(peer: Peer) -> None:
        assert peer.tls is not None
        peer.tls.maximum_version = version
        peer.greet()
        peer.receive_login()
        assert isinstance(peer.socket, ssl.SSLSocket)
        spoken.append(peer.socket.version())
        peer.ok(peer.after_login)
        while peer.hear() not in {b"", b"\x01"}:
            peer.ok(1)

    with serving(behave, authority) as dsn:
        session = client(replace(dsn, tls=Tls(str(authority.certificate), verify=verify)))
        assert session.open(PATIENCE) == Ok()
        assert session.execute("SELECT 1", PATIENCE) == Ok()
        assert session.check_connection() is None
        session.close()
    assert spoken == [version.name.replace("_", ".")]


def login_with(authority: Authority, tls: Tls, served: str = "server", days: int = 2) -> Outcome:
    """A login at a server with a certificate for another name, or one that is out of date, or a fitting one."""
    names = "DNS:db.example" if served == "other-name" else "IP:127.0.0.1"
    signed = authority.server if served == "server" else authority.sign(served, names, days)

    def behave(peer: Peer) -> None:
        peer.tls = authority.server_context(signed)
        let_in(peer)

    with serving(behave, authority) as dsn:
        return outcome_of_login(replace(dsn, tls=tls))


def test_a_certificate_for_another_name_is_refused_unless_names_are_not_verified(authority: Authority) -> None:
    ca = str(authority.certificate)
    refused = login_with(authority, Tls(ca), "other-name")
    assert isinstance(refused, LoginAborted)
    assert "not valid for '127.0.0.1'" in refused.why
    assert "ssl_verify=ca" in refused.why
    assert login_with(authority, Tls(ca, verify="ca"), "other-name") == Ok()


def test_a_certificate_of_another_authority_is_refused_unless_verification_is_off(
    authority: Authority, other: Authority
) -> None:
    for tls in (Tls(str(other.certificate)), Tls(str(other.certificate), verify="ca"), Tls()):
        refused = login_with(authority, tls)
        assert isinstance(refused, LoginAborted)
        assert "the server's certificate is not accepted: " in refused.why
        assert "set ssl_ca to the certificate of the authority" in refused.why
    assert login_with(authority, Tls(str(other.certificate), verify="none")) == Ok()


def test_a_certificate_that_is_out_of_date_is_refused(authority: Authority) -> None:
    refused = login_with(authority, Tls(str(authority.certificate)), "old", days=-1)
    assert isinstance(refused, LoginAborted)
    assert "expired; renew it" in refused.why


def test_a_server_that_requires_a_certificate_receives_it_or_the_login_fails_with_advice(authority: Authority) -> None:
    mine = authority.sign("me")
    seen: list[object] = []

    def behave(peer: Peer) -> None:
        assert peer.tls is not None
        peer.tls.verify_mode = ssl.CERT_REQUIRED
        peer.greet()
        peer.receive_login()
        assert isinstance(peer.socket, ssl.SSLSocket)
        seen.append((peer.socket.getpeercert() or {})["subject"])
        peer.ok(peer.after_login)
        peer.hear()

    with serving(behave, authority) as dsn:
        refused = outcome_of_login(dsn)
        assert isinstance(refused, LoginAborted)
        assert "TLS failed (" in refused.why
        assert "ssl_cert" in refused.why
        tls = Tls(str(authority.certificate), str(mine.certificate), str(mine.key))
        assert outcome_of_login(replace(dsn, tls=tls)) == Ok()
    assert seen == [((("commonName", "me"),),)]


def test_the_tls_context_of_equal_options_is_created_once(authority: Authority) -> None:
    ca = str(authority.certificate)
    assert tls_context(Tls(ca)) is tls_context(Tls(ca))
    assert tls_context(Tls(ca)) is not tls_context(Tls(ca, verify="ca"))


def test_a_zone_is_no_part_of_the_name_that_is_verified(authority: Authority) -> None:
    context = authority.server_context()
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:
        port = listener.getsockname()[1]

        def serve() -> None:
            sock, _ = listener.accept()
            peer = Peer(sock, context)
            let_in(peer)
            peer.socket.close()

        thread = threading.Thread(target=serve)
        thread.start()
        tls = Tls(str(authority.certificate))
        assert outcome_of_login(Dsn("mysql", "root", "", "::1%1", port, tls=tls)) == Ok()
        thread.join(PATIENCE)


# Servers that don't received along


def test_no_data_is_sent_to_a_server_without_tls_if_the_dsn_requires_tls(authority: Authority) -> None:
    plain: list[bytes] = []

    def behave(peer: Peer) -> None:
        peer.greet()
        plain.append(peer.read())

    with serving(behave) as dsn:
        outcome = outcome_of_login(replace(dsn, tls=Tls(str(authority.certificate))))
        assert isinstance(outcome, LoginAborted)
        assert "the DSN requires TLS and the server offers none" in outcome.why
    assert plain == [b""]


def plain_ok(peer: Peer) -> None:
    peer.ok(2)


def alert(peer: Peer) -> None:
    peer.socket.sendall(b"\x15\x03\x03\x00\x02\x02\x28")  # handshake_failure


BREAKS: dict[str, Callable[[Peer], None]] = {
    "closes": lambda peer: peer.socket.close(),
    "resets": Peer.reset,
    "continues in plain text": plain_ok,
    "sends an alert": alert,
}


@pytest.mark.parametrize("end", BREAKS.values(), ids=list(BREAKS))
def test_a_failed_tls_handshake_aborts_the_login(authority: Authority, end: Callable[[Peer], None]) -> None:
    data: list[bytes] = []

    def behave(peer: Peer) -> None:
        peer.greet()
        data.append(peer.read())
        peer.socket.recv(65536)
        end(peer)

    with serving(behave, authority) as dsn:
        outcome = outcome_of_login(dsn)
    assert isinstance(outcome, LoginAborted)
    assert outcome.why.startswith("TLS failed (")
    assert len(data[0]) == 32  # the request for TLS, which names nobody


def test_plain_text_before_tls_aborts_the_login(authority: Authority) -> None:
    def behave(peer: Peer) -> None:
        greeting = Peer(Recorder(), peer.tls)  # type: ignore[arg-type]  # it has all that a greeting needs
        greeting.greet()
        peer.socket.sendall(greeting.socket.plain + b"\x07\0\0\x03\0\0\0\x02\0\0\0")  # type: ignore[attr-defined]
        with contextlib.suppress(OSError):
            peer.receive_login()

    with serving(behave, authority) as dsn:
        outcome = outcome_of_login(dsn)
    assert isinstance(outcome, LoginAborted)
    assert "plain text" in outcome.why


class Recorder:
    """A socket that keeps what is sent."""

    def __init__(self) -> None:
        self.plain = b""

    def sendall(self, data: bytes) -> None:
        self.plain += data


def test_a_login_times_out_if_the_server_is_silent_during_the_tls_handshake(authority: Authority) -> None:
    over = threading.Event()

    def behave(peer: Peer) -> None:
        peer.greet()
        over.wait(PATIENCE)

    with serving(behave, authority) as dsn:
        start = time.monotonic()
        assert outcome_of_login(dsn, 0.3) == NoReply(0.3, "reply to the login")
        assert time.monotonic() - start < PATIENCE / 2
        over.set()


# What the stream hears


@contextlib.contextmanager
def lines(authority: Authority) -> Iterator[tuple[Stream, ssl.SSLSocket]]:
    """Both ends of an encrypted connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stream = Stream.to_host("127.0.0.1", listener.getsockname()[1], PATIENCE)
        sock, _ = listener.accept()
        made: list[ssl.SSLSocket] = []
        sock.settimeout(PATIENCE)
        thread = threading.Thread(
            target=lambda: made.append(authority.server_context().wrap_socket(sock, server_side=True))
        )
        thread.start()
        stream.start_tls(tls_context(Tls(str(authority.certificate))), "127.0.0.1")
        thread.join(PATIENCE)
        try:
            yield stream, made[0]
        finally:
            stream.close_abruptly()
            made[0].close()


def test_session_tickets_are_no_reply(authority: Authority) -> None:
    with lines(authority) as (stream, server):
        assert server.version() == "TLSv1.3"
        assert select.select([stream._socket], [], [], PATIENCE)[0]  # noqa: SLF001 - the wire itself is the question
        assert not stream.wait_for_data(0.2)
        assert stream.receive_unrequested() is None
        server.sendall(b"\x01\0\0\0x")
        assert stream.wait_for_data(PATIENCE)
        assert stream.read(5) == b"\x01\0\0\0x"
        assert not stream.wait_for_data(0)


def test_an_incomplete_tls_record_is_no_reply(authority: Authority) -> None:
    with lines(authority) as (stream, server):
        server.sendall(bytes(range(200)) * 400)  # records of 16 KB, which received in pieces
        assert stream.read(80_000) == bytes(range(200)) * 400
        raw = socket.socket(fileno=os.dup(server.fileno()))
        with raw:
            raw.sendall(b"\x17\x03\x03\x00\x40half")
        assert not stream.wait_for_data(0.2)
        assert stream.ended is None


def test_a_close_notify_of_tls_is_detected_as_a_close(authority: Authority) -> None:
    with lines(authority) as (stream, server):
        server.settimeout(0.2)
        server.sendall(b"\x01\0\0\0x")
        with contextlib.suppress(OSError):
            server.unwrap()  # says goodbye, waits for the client's own, and leaves the connection open
        assert stream.read(5) == b"\x01\0\0\0x"
        assert eventually(stream.receive_unrequested)
        assert stream.ended == "closed"


def test_invalid_data_in_place_of_a_tls_record_is_detected_as_a_reset(authority: Authority) -> None:
    with lines(authority) as (stream, server):
        with socket.socket(fileno=os.dup(server.fileno())) as raw:
            raw.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        assert eventually(stream.receive_unrequested)
        assert stream.ended == "reset"


# Files


def path_to(folder: Path, content: str) -> str:
    path = folder / "file.pem"
    path.write_text(content, encoding="utf-8")
    return str(path)


def test_unusable_files_are_named_with_the_reason(authority: Authority, other: Authority, tmp_path: Path) -> None:
    none, empty = str(tmp_path / "none.pem"), path_to(tmp_path, "")
    mine, ca = authority.sign("client"), str(authority.certificate)
    cert, key = str(mine.certificate), str(mine.key)
    for tls, what in [
        (Tls(none), f"ssl_ca '{none}' can't be read: No such file"),
        (Tls(str(tmp_path)), f"ssl_ca '{tmp_path}' can't be read: Is a directory"),
        (Tls(empty), f"ssl_ca '{empty}' contains no certificate"),
        (Tls(key), f"ssl_ca '{key}' contains no certificate"),
        (Tls(ca, none, key), f"ssl_cert '{none}' can't be read"),
        (Tls(ca, cert, none), f"ssl_key '{none}' can't be read"),
        (Tls(ca, empty, key), f"ssl_cert '{empty}' and ssl_key '{key}' are not a certificate"),
        (Tls(ca, cert, empty), f"ssl_cert '{cert}' and ssl_key '{empty}' are not a certificate"),
        (Tls(ca, cert, str(other.key)), "the client certificate and its key"),
        (Tls(ca, cert), f"ssl_cert '{cert}' without ssl_key are not a certificate"),
        (Tls(ca, cert, str(authority.locked_key(mine))), "has a passphrase"),
    ]:
        with pytest.raises(DsnError) as caught:
            tls_context(tls)
        assert what in str(caught.value)


def test_the_key_may_be_in_the_certificates_file(authority: Authority, tmp_path: Path) -> None:
    mine = authority.sign("both")
    both = path_to(tmp_path, mine.certificate.read_text() + mine.key.read_text())
    tls_context(Tls(str(authority.certificate), both))
