"""The suite behind load balancers, read/write splitters and connection-sharing proxies: it kills nobody else's session.

Somebody else's sessions are on each server there, with ids between those of the suite's, kept by the simulator, which
writes a line for each one that is killed; others are clients of this test. ``KSC_FOREIGN_RUNS`` says how often the
suite runs in each environment, ``KSC_FOREIGN_REQUIREMENTS`` for which requirements.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.proxy_environments import environment_names
from tests.support.simulator_clients import Connection, Simulator, is_disconnected, run, start_simulator
from tests.support.suite_run import SuiteRun, run_suite

pytestmark = pytest.mark.long

RUNS = int(os.environ.get("KSC_FOREIGN_RUNS", "1"))
REQUIREMENTS = os.environ.get("KSC_FOREIGN_REQUIREMENTS", "SYN-1 SYN-2 SYN-3 PAR-1 IMP-7").split()
NEIGHBOURS = 8
SETTLE = "3"  # seconds: what such a list does not show then, it does not show later either
LIMIT = 600.0  # seconds: most of a run is waiting
KILLED = "was killed"
DECIDED = {"cached-list"}
"""Environments in which all cases are decided, if one waits for the list long enough."""


def neighbours(simulator: Simulator) -> list[Connection]:
    """Idle clients of a user of their own, who come in as the suite does."""
    admin = simulator.connect()
    run(admin, "CREATE USER NEIGHBOUR IDENTIFIED BY neighbour")
    run(admin, "GRANT CREATE SESSION TO NEIGHBOUR")
    return [simulator.connect_as("NEIGHBOUR") for _ in range(NEIGHBOURS)]


def run_beside_others(name: str, record: Path) -> tuple[SuiteRun, int]:
    """A run of the suite in an environment, and how many sessions of others it killed."""
    simulator = start_simulator("--environment", name)
    try:
        with ExitStack() as simulator.stack:
            others = neighbours(simulator)
            options = [option for each in REQUIREMENTS for option in ("--requirement", each)]
            dsn = f"oceanbase://SYS@oracle:{simulator.password}@127.0.0.1:{simulator.port}/"
            waits = ("--settle", SETTLE, "--in-flight", "8")
            suite_run = run_suite(record, "--dsn", dsn, *waits, *options, limit=LIMIT)
            lost = sum(map(is_disconnected, others))
    finally:
        simulator.process.stop()
    report = simulator.process.errors.splitlines()
    assert [line for line in report if KILLED not in line] == []
    return suite_run, lost + len(report)


@pytest.mark.parametrize("name", environment_names())
def test_no_foreign_session_is_killed_and_no_case_deviates(name: str, tmp_path: Path) -> None:
    for number in range(RUNS):
        suite_run, killed = run_beside_others(name, tmp_path / f"{number}.json")
        counts = {verdict: len(suite_run.results(verdict=verdict)) for verdict in ("conforms", "deviates")}
        undecided = suite_run.results(verdict="inconclusive")
        print(f"{name}, run {number + 1} of {RUNS}: {killed} killed, {counts}, {len(undecided)} undecided")  # noqa: T201 - for who runs it 200 times
        summary = suite_run.screen.rpartition("= conformance =")[2]
        assert killed == 0, summary
        assert suite_run.results(verdict="deviates") == [], summary
        if name in DECIDED:
            assert undecided == [], summary
            assert suite_run.code == 0, summary
        else:
            assert undecided, summary
            assert suite_run.code == 1, summary
            assert "INCONCLUSIVE" in summary
        assert "more causes" not in summary, "so many messages hide the reason"
        assert "Traceback" not in suite_run.screen
