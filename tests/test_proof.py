"""The suite against every defect and every conforming variant of the simulator, as processes.

All proofs run once; each test reads one of them. ``python -m runner prove`` prints the same matrix.
"""

from __future__ import annotations

from functools import cache

import pytest

from runner.language.casefolders import REGISTER_NAME
from runner.language.load import case_files, load_cases
from runner.language.model import Level, Register
from runner.language.register import read_register
from runner.proof import forks, matrix, prove

CLAIMS = prove.claims()
CASES = [case for path in case_files(forks.ROOT / "cases") for case in load_cases(path)]


def register() -> Register:
    return read_register(forks.ROOT / "cases" / REGISTER_NAME)


@cache
def proofs() -> dict[str, prove.Proof]:
    return {proof.claim.name: proof for proof in prove.prove_all(CLAIMS, register(), prove.JOBS)}


def said(proof: prove.Proof) -> str:
    return f"{matrix.line(proof, register())}\n{proof.screen}"


@pytest.mark.parametrize("name", [claim.name for claim in CLAIMS if claim.breaks])
def test_a_defect_is_caught_for_the_requirement_that_it_breaks(name: str) -> None:
    proof = proofs()[name]
    assert proof.holds(register()), said(proof)


@pytest.mark.parametrize("name", [claim.name for claim in CLAIMS if claim.kind == "variant"])
def test_a_variant_conforms(name: str) -> None:
    proof = proofs()[name]
    assert proof.holds(register()), said(proof)


@pytest.mark.parametrize("name", [claim.name for claim in CLAIMS if claim.kind == "environment"])
def test_an_environment_that_keeps_cases_from_being_decided_makes_none_deviate(name: str) -> None:
    proof = proofs()[name]
    assert proof.holds(register()), said(proof)


def test_every_case_is_shown_to_fail_by_some_defect() -> None:
    assert matrix.unkilled(proofs().values(), [case.name for case in CASES]) == []


@pytest.mark.parametrize("name", register().requirements)
def test_every_requirement_that_binds_has_defects_of_its_own(name: str) -> None:
    row = register().requirements[name]
    needed = {Level.MUST: 3, Level.SHOULD: 1, Level.OBSERVE: 0}[row.level]
    assert sum(claim.breaks == row.id for claim in CLAIMS) >= needed
