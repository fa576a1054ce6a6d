"""Samples: with variants and in environments, the tests of each change run some of the cases."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.language.suite import Suite, suite_in
from runner.proof.proof_runs import prove, prove_all
from runner.proof.simulated_servers import SimulatedServer
from tests.plugin.written_cases import write_case

NAMES = ["case-1", "case-2", "case-3", "case-4"]
VARIANTS = [SimulatedServer(name, "", "variant") for name in ("small-ids", "obe-prefix")]


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    for name in NAMES:
        write_case(tmp_path, "steps: [{killer: SHOW PROCESSLIST}]", "PUR-1", name)
    return suite_in([tmp_path / "cases"])


def test_each_run_has_other_cases_and_together_they_have_all(suite: Suite) -> None:
    one, other = prove_all(VARIANTS, suite, 2, alone=True, every=2)
    assert [result.name for result in one.results] == ["case-1", "case-3"]
    assert [result.name for result in other.results] == ["case-2", "case-4"]
    assert one.holds(suite)
    assert other.holds(suite)


def test_in_an_environment_a_sample_needs_no_inconclusive_case_but_all_cases_do(suite: Suite, tmp_path: Path) -> None:
    harmless = SimulatedServer("list-deadlock", "", "environment")
    [sample] = prove([harmless], suite, tmp_path, ["case-1"])
    [whole] = prove([harmless], suite, tmp_path)
    assert (sample.holds(suite), sample.undecided) == (True, frozenset())
    assert (whole.holds(suite), whole.undecided) == (False, frozenset())


@pytest.mark.long
def test_a_sample_with_a_wrong_verdict_is_followed_by_a_run_of_all_cases(suite: Suite, tmp_path: Path) -> None:
    claim = "steps: [{killer: \"ALTER SYSTEM KILL SESSION '${victim.id}'\", reply: ok}]\nends: [victim]"
    write_case(tmp_path, claim, "PUR-1", "accuses")
    accused = SimulatedServer("does-nothing", "called a variant, which it is not", "defect")
    [proof] = prove([accused], suite_in([tmp_path / "cases"]), tmp_path, ["accuses"])
    assert not proof.holds(suite)
    assert sorted(result.name for result in proof.results) == ["accuses", *NAMES]
