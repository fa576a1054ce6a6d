"""The suite against a real seekdb, OceanBase's own kernel, with both profiles."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pymysql
import pytest
from servers import SeekDB, start_seekdb
from suite import SuiteRun, run_suite

DECIDED = set(
    "PUR-1 PUR-2 SYN-2 SYN-4 PAR-1 PAR-2 IMP-7 IMP-10 EXA-6 IMP-1 IMP-2 IMP-5 IMP-6 IMP-8".split()  # noqa: SIM905 - reads better
)


@pytest.fixture(scope="module")
def server() -> Iterator[SeekDB]:
    with start_seekdb() as running:
        yield running


@pytest.fixture(scope="module")
def own_profile(server: SeekDB, tmp_path_factory: pytest.TempPathFactory) -> SuiteRun:
    record = tmp_path_factory.mktemp("seekdb") / "record.json"
    return run_suite(record, "--dsn", server.dsn(), "--profile", "seekdb", "--strict")


@pytest.fixture(scope="module")
def oracle_profile(server: SeekDB, tmp_path_factory: pytest.TempPathFactory) -> SuiteRun:
    record = tmp_path_factory.mktemp("oracle") / "record.json"
    return run_suite(record, "--dsn", server.dsn())


def rows(server: SeekDB, statement: str) -> list[Any]:
    connection = pymysql.connect(unix_socket=server.socket_path, user="root", ssl_disabled=True)
    with connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())


def test_behaviour_cases_conform_on_the_real_kernel(own_profile: SuiteRun) -> None:
    assert own_profile.code == 0, own_profile.screen
    assert {row["verdict"] for row in own_profile.record["results"]} == {"conforms", "observed", "not applicable"}
    assert {row["requirement"] for row in own_profile.results(verdict="conforms")} == DECIDED


def test_what_does_not_apply_is_said_with_its_reason(own_profile: SuiteRun) -> None:
    aside = own_profile.results(verdict="not applicable")
    assert aside
    for row in aside:
        assert row["reason"] in own_profile.screen


def test_a_kill_ends_the_session_through_the_servers_own_statement(own_profile: SuiteRun) -> None:
    said = [event["text"] for event in own_profile.result("idle-session-ends")["transcript"] if event["kind"] == "says"]
    assert any(text.startswith("KILL '") for text in said)
    assert not any("ALTER SYSTEM" in text for text in said)


def test_the_oracle_mode_statement_is_reported_as_unknown(oracle_profile: SuiteRun) -> None:
    assert oracle_profile.code == 1
    own = oracle_profile.result("administrators-own-session")
    assert own["verdict"] == "deviates"
    assert own["came"].startswith("error 1064 ")
    assert "DEVIATES SYN-2 (must) administrators-own-session: error 1064 (42000)" in oracle_profile.screen


def test_what_could_not_be_prepared_is_inconclusive_not_a_deviation(oracle_profile: SuiteRun) -> None:
    deviating = {row["name"] for row in oracle_profile.results(verdict="deviates")}
    assert deviating == {
        "administrators-own-session",
        "create-user",
        "whole-example[another]",
        "whole-example[its-own]",
    }
    assert not oracle_profile.results(verdict="conforms")
    assert "preparing failed: CREATE USER" in oracle_profile.result("plain-form")["reason"]


@pytest.mark.usefixtures("own_profile", "oracle_profile")
def test_both_runs_leave_nothing_behind(server: SeekDB) -> None:
    assert rows(server, "SELECT user FROM mysql.user") == [("root",)]
    assert rows(server, "SHOW TABLES FROM test") == []
    assert [row[1] for row in rows(server, "SHOW PROCESSLIST")] == ["root"]
