"""The suite on a MariaDB whose sessions are killed by a procedure, as some cloud databases offer it."""

from __future__ import annotations

from pathlib import Path

import pymysql
import pytest

from runner.database.dsn import Dsn
from tests.real.real_server_checks import CONFORMS, said
from tests.support.servers import start_mariadb
from tests.support.suite_run import SuiteRun, run_suite

pytestmark = pytest.mark.long

PROFILE = """
format: 1
name: routine
title: a server whose KILL is a procedure
extends: mariadb
sql:
  create_user: ["CREATE USER {user} IDENTIFIED BY '{password}'", "GRANT EXECUTE ON vendor.* TO {user}"]
spellings:
  - {statement: "ALTER SYSTEM KILL SESSION '{id}'", becomes: "CALL vendor.kill_session({id})"}
lacks:
  text-id: the procedure takes a number
"""
PROCEDURE = [
    "CREATE DATABASE vendor",
    "CREATE PROCEDURE vendor.kill_session(number BIGINT) SQL SECURITY INVOKER KILL number",
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> SuiteRun:
    folder: Path = tmp_path_factory.mktemp("routine")
    profile = folder / "routine.yaml"
    profile.write_text(PROFILE, "utf-8")
    with start_mariadb() as server:
        dsn = Dsn.parse(server.dsn())
        with pymysql.connect(
            unix_socket=dsn.unix_socket, host=dsn.host, port=dsn.port or 0, user=dsn.user, password=dsn.password
        ) as administrator:
            for statement in PROCEDURE:
                administrator.cursor().execute(statement)
        return run_suite(folder / "record.json", "--dsn", server.dsn(), "--profile", str(profile))


@pytest.mark.parametrize("victim", CONFORMS)
def test_sessions_are_killed_by_the_procedure(run: SuiteRun, victim: str) -> None:
    results = {name: run.result(name) for name in CONFORMS[victim]}
    found = {name: row for name, row in results.items() if "needs text-id" not in row["reason"]}
    assert found
    assert {name: row["verdict"] for name, row in found.items()} == dict.fromkeys(found, "conforms"), run.screen
    assert "CALL vendor.kill_session(<id of victim>)" in said(run, "idle-session-ends")


def test_no_statement_is_rejected_for_its_shape(run: SuiteRun) -> None:
    assert [row["name"] for row in run.results(verdict="inconclusive")] == [], run.screen
    assert run.results(requirement="IMP-4", verdict="not applicable")
