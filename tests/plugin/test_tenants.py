"""The suite on tenants as they are configured in production: rules for passwords, and definitions by other people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.support.simulator_process import SimulatorProcess
from tests.support.suite_run import SuiteRun, run_suite

EXAMPLE = ("EXA-1", "EXA-2", "EXA-3")
ASPECTS = ("PUR-2", "IMP-9", "SYN-2", *EXAMPLE)
OF_THE_PAGE = {"create-user", "grant", "new-user-logs-in"}
"""Cases that create a user with a password as simple as the page's."""


@pytest.fixture(scope="module")
def dsn() -> Iterator[str]:
    options = ("--environment", "password-rules", "--variant", "passing-errors", "--variant", "slow-definitions")
    simulator = SimulatorProcess(*options)
    yield simulator.dsn
    simulator.stop()


def run_of(requirements: Sequence[str], folder: Path, dsn: str, *options: str) -> SuiteRun:
    wanted = [option for requirement in requirements for option in ("--requirement", requirement)]
    return run_suite(folder / "record.json", "--dsn", dsn, *wanted, *options)


@pytest.mark.long
def test_required_cases_are_decided_with_password_rules_and_definitions_by_foreign_sessions(
    dsn: str, tmp_path: Path
) -> None:
    run = run_of(ASPECTS, tmp_path, dsn, "-n", "2")
    assert run.code == 0, run.screen
    undecided = {row["name"] for row in run.record["results"] if row["verdict"] != "conforms"}
    assert undecided <= OF_THE_PAGE


def test_cases_with_the_password_of_the_specification_are_inconclusive(dsn: str, tmp_path: Path) -> None:
    run = run_of(EXAMPLE, tmp_path, dsn)
    for name in OF_THE_PAGE:
        row = run.result(name)
        assert (row["level"], row["verdict"]) == ("should", "inconclusive")
        assert "password verification" in row["reason"]
