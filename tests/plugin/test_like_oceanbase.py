"""The suite against what is known of real OceanBase servers: README lists all that deviates there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.simulator_process import SimulatorProcess
from tests.support.suite_run import run_suite

pytestmark = pytest.mark.long

SERVERS = {
    "an observer": ["--like-oceanbase"],
    "through ODP": ["--like-oceanbase", "--behind-proxy", "--error-prefix", "OBE"],
}


def test_by_default_the_simulator_behaves_as_the_specification_shows(tmp_path: Path) -> None:
    run = run_suite(tmp_path / "record.json", "--strict", "--requirement", "EXA-5", "--requirement", "EXA-7")
    observed = {row["requirement"]: set(row["observed"]) for row in run.results(level="observe")}
    assert observed == {"EXA-5": {"it sees it"}, "EXA-7": {"OK, then the connection closes"}}


def known_to_deviate() -> set[str]:
    """The requirements in README's list."""
    section = (ROOT / "README.md").read_text(encoding="utf-8").partition("is known to deviate in these *shoulds*")[2]
    listed = re.match(r".*?\n\n((?:- .*\n)+)", section)
    assert listed is not None
    return set(re.findall(r"^- ([A-Z]+-[0-9]+):", listed[1], re.MULTILINE))


@pytest.mark.parametrize("options", SERVERS.values(), ids=list(SERVERS))
def test_a_real_server_conforms_and_deviates_in_no_should_but_those_listed(options: list[str], tmp_path: Path) -> None:
    simulator = SimulatorProcess(*options)
    try:
        run = run_suite(tmp_path / "record.json", "-n", "2", "--dsn", simulator.dsn)
    finally:
        simulator.stop()
    assert run.code == 0, run.screen
    deviating = run.results(verdict="deviates")
    assert {row["requirement"] for row in deviating} == known_to_deviate()
    assert {row["level"] for row in deviating} == {"should"}
    assert not run.results(verdict="inconclusive"), run.screen
    observed = {row["requirement"]: set(row["observed"]) for row in run.results(level="observe")}
    assert observed["EXA-5"] == {"it sees only its own user's sessions"}
    assert observed["EXA-7"] == {"the connection is closed without a reply"}
