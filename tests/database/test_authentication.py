"""Authentication: what is sent of a password, and the methods that would need it in clear text."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from runner.database.dsn import Dsn
from runner.database.outcome import LoginAborted, Ok
from runner.database.session import Login
from tests.support.certificates import Authority
from tests.support.eventually import PATIENCE
from tests.support.protocol_server import Peer, outcome_of_login, serving

SECRET = b"s3cretWord"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.create(tmp_path_factory.mktemp("tls"))


def asks_for(method: bytes, *, key: bool = False) -> tuple[Callable[[Peer], None], list[bytes]]:
    """A server that wants the whole password by a method; with ``key`` it has a key that encrypts it."""
    said: list[bytes] = []

    def behave(peer: Peer) -> None:
        peer.greet(method)
        peer.receive_login()
        number = peer.after_login
        if method == b"mysql_clear_password":
            peer.send(number, b"\xfe" + method + b"\0")
        else:
            peer.send(number, b"\x01\x04")  # caching_sha2_password: the whole password, please
        said.append(peer.read())
        if key:
            peer.send(number + 2, b"\x01-----BEGIN PUBLIC KEY-----\n")
            said.append(peer.read())
        else:
            peer.ok(number + 2)
            peer.hear()

    return behave, said


def test_a_login_that_needs_a_missing_package_fails_with_its_name_and_an_alternative(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pymysql._auth._have_cryptography", False)  # it may be installed here
    behave, said = asks_for(b"caching_sha2_password", key=True)
    with serving(behave) as dsn:
        outcome = outcome_of_login(replace(dsn, password=SECRET.decode()))
    assert isinstance(outcome, LoginAborted)
    assert "Python package cryptography: pip install 'PyMySQL[rsa]', or use TLS" in outcome.why
    assert said == [b"\x02", b""]


@pytest.mark.parametrize("method", [b"caching_sha2_password", b"mysql_clear_password"])
def test_a_password_is_sent_over_tls_without_a_package(
    authority: Authority, method: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pymysql._auth._have_cryptography", False)
    behave, said = asks_for(method)
    with serving(behave, authority) as dsn:
        assert outcome_of_login(replace(dsn, password=SECRET.decode())) == Ok()
    assert said == [SECRET + b"\0"]


def test_a_password_is_not_sent_in_clear_text_without_tls() -> None:
    behave, said = asks_for(b"mysql_clear_password")
    with serving(behave) as dsn:
        outcome = outcome_of_login(replace(dsn, password=SECRET.decode()))
    assert isinstance(outcome, LoginAborted)
    assert "wants the password in clear text" in outcome.why
    assert said == [b""]


def test_a_password_may_have_any_letters(authority: Authority) -> None:
    word = "gro\u00df\u4e2d"
    behave, said = asks_for(b"mysql_clear_password")
    with serving(behave, authority) as dsn:
        assert outcome_of_login(replace(dsn, password=word)) == Ok()
    assert said == [word.encode() + b"\0"]


def test_the_text_of_a_login_does_not_contain_its_password() -> None:
    dsn = Dsn("mysql", "u", SECRET.decode(), "h", 1)
    assert SECRET.decode() not in repr(Login(dsn, "u", SECRET.decode(), 0))


def test_a_password_is_sent_over_a_unix_socket_without_a_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pymysql._auth._have_cryptography", False)
    behave, said = asks_for(b"caching_sha2_password")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("")  # an abstract one, of a name that the kernel makes up
        listener.listen()

        def serve() -> None:
            sock, _ = listener.accept()
            with sock:
                sock.settimeout(PATIENCE)
                behave(Peer(sock))

        thread = threading.Thread(target=serve)
        thread.start()
        path = listener.getsockname().decode()
        assert outcome_of_login(Dsn("mysql", "root", SECRET.decode(), "", 1, path)) == Ok()
        thread.join(PATIENCE)
    assert said == [SECRET + b"\0"]
