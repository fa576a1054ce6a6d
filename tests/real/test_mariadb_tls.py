"""The suite and MariaDB, over TLS that both sides check."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from runner.database.dsn import Dsn, Tls
from runner.database.outcome import Ok, Rows, ServerError
from runner.database.session import ConnectionEnd, Login, Session
from runner.database.time_limits import Poll
from tests.support.certificates import Authority
from tests.support.eventually import PATIENCE
from tests.support.servers import MariaDB, start_mariadb
from tests.support.suite_run import run_suite


def client(dsn: Dsn) -> Session:
    return Session(Login(dsn, dsn.user, dsn.password, 0))


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.create(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def mariadb(authority: Authority) -> Iterator[MariaDB]:
    server = authority.server
    files = f"--ssl-cert={server.certificate}", f"--ssl-key={server.key}", f"--ssl-ca={authority.certificate}"
    with start_mariadb(*files) as running:
        yield running


def encrypted_dsn(server: MariaDB, authority: Authority, more: str = "") -> Dsn:
    return Dsn.parse(f"{server.dsn()}?ssl_ca={authority.certificate}{more}")


def test_mariadb_reports_that_the_session_is_encrypted(mariadb: MariaDB, authority: Authority) -> None:
    session = client(encrypted_dsn(mariadb, authority))
    assert session.open(PATIENCE) == Ok()
    answer = session.execute("SHOW STATUS LIKE 'Ssl_cipher'", PATIENCE)
    assert isinstance(answer, Rows)
    assert (answer.values[0][1] or "").startswith("TLS_")
    victim = client(encrypted_dsn(mariadb, authority))
    assert victim.open(PATIENCE) == Ok()
    assert session.execute(f"KILL {victim.handshake_id}", PATIENCE) == Ok()
    poll = Poll(PATIENCE)
    while victim.check_connection() is None and poll.again():
        pass
    assert victim.connection_end == ConnectionEnd("closed")
    session.close()


def test_a_user_logs_in_to_mariadb_with_a_certificate(mariadb: MariaDB, authority: Authority) -> None:
    admin = client(encrypted_dsn(mariadb, authority))
    assert admin.open(PATIENCE) == Ok()
    assert admin.execute("CREATE USER certified IDENTIFIED BY 'p' REQUIRE X509", PATIENCE) == Ok()
    admin.close()
    dsn = encrypted_dsn(mariadb, authority)
    session = Session(Login(dsn, "certified", "p", 0))
    refused = session.open(PATIENCE)
    session.close()
    assert isinstance(refused, ServerError)
    assert refused.code == 1045
    mine = authority.sign("certified")
    tls = Tls(str(authority.certificate), str(mine.certificate), str(mine.key))
    session = Session(Login(replace(dsn, tls=tls), "certified", "p", 0))
    assert session.open(PATIENCE) == Ok()
    session.close()


def test_cases_run_over_tls(mariadb: MariaDB, authority: Authority, tmp_path: Path) -> None:
    dsn = encrypted_dsn(mariadb, authority)
    options = ["--profile", "seekdb", "-k", "idle-session-ends"]
    done = run_suite(tmp_path / "record.json", "--dsn", dsn.text_with_password, *options)
    assert done.code == 0, done.screen
    assert done.result("idle-session-ends")["verdict"] == "conforms"
    assert done.record["target"]["tls"]
