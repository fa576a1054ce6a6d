"""The suite against a real MySQL, where one can be had: another vendor's kernel, and a server that offers bit 27."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.servers import MySQL, ServerError, start_mysql, unpack_mysql
from tests.support.suite_run import SuiteRun, run_command, run_suite

NO_PRIVILEGE_NEEDED = {"PUR-2", "PUR-3", "IMP-3", "IMP-4", "IMP-9"}
"""What MySQL deviates in: nobody needs a privilege for sessions of the own user, CONNECTION_ADMIN does not reach the
administrator (SYSTEM_USER), and ids are looked up first."""

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def server() -> Iterator[MySQL]:
    try:
        folder = unpack_mysql()
    except ServerError as error:
        pytest.skip(str(error))
    with start_mysql(folder) as running:
        yield running


@pytest.fixture(scope="module")
def run(server: MySQL, tmp_path_factory: pytest.TempPathFactory) -> SuiteRun:
    record = tmp_path_factory.mktemp("mysql") / "record.json"
    return run_suite(record, "--dsn", server.dsn(), "--profile", "mysql", "-n", "2", limit=600)


def doctor(server: MySQL, *options: str) -> SuiteRun:
    return run_command("doctor", "--dsn", server.dsn(), *options)


def test_the_doctor_recognises_mysql_and_finds_nothing_missing(server: MySQL) -> None:
    done = doctor(server, "--profile", "mysql")
    assert done.code == 0, done.screen
    assert "server      MySQL " in done.out
    assert "bit 27      not sent, offered by the server" in done.out
    assert "nothing is missing" in done.out


def test_the_wrong_profile_is_named_before_anything_is_sent(server: MySQL) -> None:
    done = doctor(server)
    assert done.code == 4
    assert "For MySQL use --profile mysql" in done.err


def test_only_the_privilege_to_kill_sessions_deviates(run: SuiteRun) -> None:
    assert run.code == 1, run.screen
    assert {row["requirement"] for row in run.results(verdict="deviates")} == NO_PRIVILEGE_NEEDED, run.screen
    assert run.results(verdict="inconclusive") == [], run.screen


def test_the_statement_kill_of_mysql_conforms(server: MySQL, tmp_path: Path) -> None:
    options = ("--dsn", server.dsn(), "--profile", "mysql", "--strict")
    run = run_suite(tmp_path / "record.json", *options, cases=ROOT / "kill")
    assert run.code == 0, run.screen
    assert {row["verdict"] for row in run.record["results"]} == {"conforms", "observed"}
    assert run.result("ended-statement-gets-a-reply")["observed"] == {"a normal reply": 3}  # of SLEEP
