"""Runs that prove several variants: which variants share one, and what happens if they don't conform together."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.language.suite import Suite, suite_in
from runner.proof.proof_runs import prove
from runner.proof.simulated_servers import SimulatedServer, combined, simulated_servers
from tests.plugin.written_cases import write_case
from tests.support.paths import CASES

SMALL_IDS = SimulatedServer("small-ids", "", "variant", changes=frozenset({"ids"}))
NO_EFFECT = SimulatedServer("does-nothing", "called a variant, which it is not", "defect", changes=frozenset({"kill"}))


@pytest.fixture(scope="module")
def known() -> list[SimulatedServer]:
    return simulated_servers(suite_in([CASES]))


@pytest.fixture
def small_suite(tmp_path: Path) -> Suite:
    write_case(tmp_path, "steps: [{killer: \"ALTER SYSTEM KILL SESSION '${victim.id}'\", reply: ok}]\nends: [victim]")
    return suite_in([tmp_path / "cases"])


def test_each_server_is_in_one_run(known: list[SimulatedServer]) -> None:
    runs = combined(known)
    assert sorted(server.name for run in runs for server in run) == sorted(server.name for server in known)


def test_only_variants_share_a_run_and_only_if_they_change_different_components(known: list[SimulatedServer]) -> None:
    shared = [run for run in combined(known) if len(run) > 1]
    assert shared
    for run in shared:
        assert {server.kind for server in run} == {"variant"}
        changes = [change for server in run for change in server.changes]
        assert len(changes) == len(set(changes))


def test_every_variant_changes_something(known: list[SimulatedServer]) -> None:
    assert [server.name for server in known if server.kind == "variant" and not server.changes] == []


def test_variants_that_conform_together_are_proved_by_one_run(small_suite: Suite, tmp_path: Path) -> None:
    another = SimulatedServer("obe-prefix", "", "variant", changes=frozenset({"error_prefix"}))
    proofs = prove([SMALL_IDS, another], small_suite, tmp_path)
    assert [(proof.server, proof.holds(small_suite), proof.together) for proof in proofs] == [
        (SMALL_IDS, True, 2),
        (another, True, 2),
    ]


@pytest.mark.long
def test_a_variant_that_does_not_conform_is_found_by_separate_runs(small_suite: Suite, tmp_path: Path) -> None:
    proofs = prove([SMALL_IDS, NO_EFFECT], small_suite, tmp_path)
    assert [(proof.server, proof.holds(small_suite), proof.together) for proof in proofs] == [
        (SMALL_IDS, True, 1),
        (NO_EFFECT, False, 1),
    ]
