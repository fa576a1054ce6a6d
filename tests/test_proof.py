"""The suites against every defect and every conforming variant of the simulator, as processes.

All proofs run once; each test reads one of them. With a defect, only its witnesses are run, with a variant and in an
environment one case in a hundred, and only of the first suite: the simulator is the same. ``./toxw -e complete`` runs
all cases of both suites, and prints the matrix.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache

import pytest

from runner.language.model import Level
from runner.language.suite import Suite, suite_in
from runner.proof import proof_runs
from runner.proof.forked_programs import ROOT
from runner.proof.proof import Proof
from runner.proof.simulated_servers import simulated_servers
from runner.proof.witnesses import read_witnesses

FOLDERS = ("cases", "kill")
SUITES = {name: suite_in([ROOT / name]) for name in FOLDERS}
SERVERS = {
    name: [server for server in simulated_servers(suite) if server.breaks or name == FOLDERS[0]]
    for name, suite in SUITES.items()
}

_EVERY = 100
"""With variants and in environments, every hundredth case is run; runs side by side start at another case."""
_JOBS = 4 * proof_runs.JOBS
"""With so few cases, a run waits even longer."""


def names_of(kind: str) -> list[tuple[str, str]]:
    return [(folder, server.name) for folder in FOLDERS for server in SERVERS[folder] if server.kind == kind]


@cache
def all_proofs() -> dict[str, dict[str, Proof]]:
    """The proofs of both suites, which run at the same time, by the folder and the name of the server."""
    with ThreadPoolExecutor() as pool:
        return dict(zip(FOLDERS, pool.map(_proved, FOLDERS), strict=True))


def proofs(folder: str) -> dict[str, Proof]:
    return all_proofs()[folder]


def _proved(folder: str) -> dict[str, Proof]:
    suite, servers = SUITES[folder], SERVERS[folder]
    witnesses = read_witnesses(ROOT / "tests" / "proof" / f"witnesses-{folder}.txt", suite, servers)
    proved = proof_runs.prove_all(servers, suite, _JOBS, witnesses=witnesses, every=_EVERY)
    return {proof.server.name: proof for proof in proved}


def said(proof: Proof, suite: Suite) -> str:
    return f"{proof_runs.matrix_line(proof, suite)}\n{proof.screen}"


@pytest.mark.parametrize(("folder", "name"), names_of("defect"))
def test_a_defect_is_detected_for_the_requirement_that_it_breaks(folder: str, name: str) -> None:
    proof = proofs(folder)[name]
    assert proof.holds(SUITES[folder]), said(proof, SUITES[folder])


@pytest.mark.parametrize(("folder", "name"), names_of("variant"))
def test_a_variant_conforms(folder: str, name: str) -> None:
    proof = proofs(folder)[name]
    assert proof.holds(SUITES[folder]), said(proof, SUITES[folder])


@pytest.mark.parametrize(("folder", "name"), names_of("environment"))
def test_an_environment_makes_no_case_deviate(folder: str, name: str) -> None:
    proof = proofs(folder)[name]
    assert proof.holds(SUITES[folder]), said(proof, SUITES[folder])


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_case_is_shown_to_fail_by_some_defect(folder: str) -> None:
    assert proof_runs.cases_that_never_fail(proofs(folder).values(), [case.name for case in SUITES[folder].cases]) == []


@pytest.mark.parametrize(("folder", "name"), [(each, name) for each in FOLDERS for name in SUITES[each].requirements])
def test_every_requirement_has_as_many_defects_as_its_level_needs(folder: str, name: str) -> None:
    row = SUITES[folder].requirements[name]
    needed = {Level.MUST: 3, Level.SHOULD: 1, Level.OBSERVE: 0}[row.level]
    assert sum(server.breaks == row.id for server in SERVERS[folder]) >= needed
