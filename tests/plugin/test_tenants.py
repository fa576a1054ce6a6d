"""The suite on tenants as they are configured in production: rules for passwords, and definitions by other people."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.simulator_process import SimulatorProcess
from tests.support.suite_run import SuiteRun, run_suite

ASPECTS = ("PUR-2", "IMP-9", "EXA-1", "EXA-2", "EXA-3", "SYN-2")
OF_THE_PAGE = {"create-user", "grant", "new-user-logs-in"}
"""Cases that create a user with a password as simple as the page's."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SuiteRun]:
    options = ("--environment", "password-rules", "--variant", "passing-errors", "--variant", "slow-definitions")
    simulator = SimulatorProcess(*options)
    wanted = [option for requirement in ASPECTS for option in ("--requirement", requirement)]
    try:
        yield run_suite(tmp_path_factory.mktemp("tenant") / "record.json", "--dsn", simulator.dsn, *wanted, "-n", "2")
    finally:
        simulator.stop()


@pytest.mark.long
def test_required_cases_are_decided_with_password_rules_and_definitions_by_foreign_sessions(run: SuiteRun) -> None:
    assert run.code == 0, run.screen
    undecided = {row["name"] for row in run.record["results"] if row["verdict"] != "conforms"}
    assert undecided <= OF_THE_PAGE


def test_cases_with_the_password_of_the_specification_are_inconclusive(run: SuiteRun) -> None:
    for name in OF_THE_PAGE:
        row = run.result(name)
        assert (row["level"], row["verdict"]) == ("should", "inconclusive")
        assert "password verification" in row["reason"]
