"""The suite of the statement KILL against real servers that have it: MariaDB, and seekdb, OceanBase's own kernel."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest

from tests.real.real_server_checks import Contents, at_rest, said, settled
from tests.support.paths import ROOT
from tests.support.servers import MariaDB, SeekDB, start_mariadb, start_seekdb
from tests.support.suite_run import SuiteRun, run_suite

pytestmark = pytest.mark.long

SERVERS: dict[str, Callable[[], AbstractContextManager[MariaDB | SeekDB]]] = {
    "mariadb": start_mariadb,
    "seekdb": start_seekdb,
}
DEVIATIONS: dict[str, dict[str, str]] = {
    "mariadb": {},
    # KILL is answered when the client of a session that sends a large result reads it, or leaves; KILL QUERY at once.
    "seekdb": {
        "kill-answers-although-nobody-reads[kill]": "no reply within 10 s",
        "kill-answers-although-nobody-reads[kill-connection]": "no reply within 10 s",
    },
}
"""Every case in which a server differs from the specification, and its result."""
OBSERVED = {
    "mariadb": {
        "own-session-is-named[kill]": "an error for the interruption, then the connection is closed",
        "own-session-is-named[kill-connection]": "an error for the interruption, then the connection is closed",
        "own-statement-is-named": "an error for the interruption",
        "ended-statement-gets-a-reply": "an error for the interruption",
    },
    "seekdb": {
        "own-session-is-named[kill]": "the connection is closed without a reply",
        "own-session-is-named[kill-connection]": "the connection is closed without a reply",
        "own-statement-is-named": "OK",
        "ended-statement-gets-a-reply": "an error for the interruption",
    },
}


@pytest.fixture(scope="module", params=SERVERS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def server(name: str) -> Iterator[MariaDB | SeekDB]:
    with SERVERS[name]() as running:
        yield running


@pytest.fixture(scope="module")
def before(server: MariaDB | SeekDB) -> Contents:
    return at_rest(server)


@pytest.fixture(scope="module")
def kill_run(
    name: str,
    server: MariaDB | SeekDB,
    before: Contents,  # noqa: ARG001 - the order
    tmp_path_factory: pytest.TempPathFactory,
) -> SuiteRun:
    record = tmp_path_factory.mktemp(name) / "record.json"
    return run_suite(record, "--dsn", server.dsn(), "--profile", name, "--strict", cases=ROOT / "kill")


def test_only_known_differences_deviate(name: str, kill_run: SuiteRun) -> None:
    deviating = {row["name"]: row["actual"] for row in kill_run.results(verdict="deviates")}
    assert deviating == DEVIATIONS[name], kill_run.screen
    assert kill_run.results(verdict="inconclusive") == [], kill_run.screen
    assert kill_run.code == bool(DEVIATIONS[name])


def test_outcomes_that_the_manual_does_not_state_are_recorded(name: str, kill_run: SuiteRun) -> None:
    found = {row["name"]: max(row["observed"], key=row["observed"].get) for row in kill_run.results(verdict="observed")}
    assert found == OBSERVED[name], kill_run.screen


def test_only_the_check_of_users_is_not_applicable_and_only_on_seekdb(name: str, kill_run: SuiteRun) -> None:
    aside = {row["requirement"] for row in kill_run.results(verdict="not applicable")}
    assert aside == ({"WHO-2"} if name == "seekdb" else set())


def test_the_statement_is_sent_without_another_spelling(kill_run: SuiteRun) -> None:
    assert "KILL QUERY <id of victim>" in said(kill_run, "session-goes-on")
    assert [row["name"] for row in kill_run.record["results"] if row.get("respelled")] == []


@pytest.mark.usefixtures("kill_run")
def test_the_runs_leave_the_server_unchanged(server: MariaDB | SeekDB, before: Contents) -> None:
    assert settled(server, before) == before
