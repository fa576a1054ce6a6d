"""The suite against a real MySQL, where one can be had: another vendor's kernel, and a server that offers bit 27."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from servers import MySQL, ServerError, start_mysql, unpack_mysql
from suite import ROOT, SuiteRun, run_suite

NO_PRIVILEGE_NEEDED = {"PUR-2", "PUR-3", "IMP-3", "IMP-4", "IMP-9"}
"""What MySQL deviates in: nobody needs a privilege for sessions of the own user, CONNECTION_ADMIN does not reach the
administrator (SYSTEM_USER), and ids are looked up first."""


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


def doctor(server: MySQL, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "runner", "doctor", "--dsn", server.dsn(), *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def test_the_doctor_knows_it_and_misses_nothing(server: MySQL) -> None:
    done = doctor(server, "--profile", "mysql")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "server      MySQL " in done.stdout
    assert "bit 27      not sent, offered by the server" in done.stdout
    assert "nothing is missing" in done.stdout


def test_the_wrong_profile_is_named_before_anything_is_sent(server: MySQL) -> None:
    done = doctor(server)
    assert done.returncode == 4
    assert "For MySQL use --profile mysql" in done.stderr


def test_it_deviates_only_in_who_may_end_whom(run: SuiteRun) -> None:
    assert run.code == 1, run.screen
    assert {row["requirement"] for row in run.results(verdict="deviates")} == NO_PRIVILEGE_NEEDED, run.screen
    assert run.results(verdict="inconclusive") == [], run.screen
