"""Witnesses: which cases a proof runs, and that a file of witnesses which is out of date weakens no proof."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.language.problems import SourceError
from runner.language.suite import Suite, suite_in
from runner.proof.proof import Proof
from runner.proof.proof_runs import prove_all
from runner.proof.simulated_servers import SimulatedServer
from runner.proof.witnesses import read_witnesses, write_witnesses
from tests.plugin.written_cases import write_case
from tests.support.suite_run import run_command

DEFECT = SimulatedServer("does-nothing", "OK, but the session stays", "defect", "PUR-1")
OTHER = SimulatedServer("another-defect", "named in files only", "defect", "PUR-1")
KILL = "{killer: \"ALTER SYSTEM KILL SESSION '${victim.id}'\", reply: ok}"


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    write_case(tmp_path, f"steps: [{KILL}]\nends: [victim]", "PUR-1", "detects")
    write_case(tmp_path, f"steps: [{KILL}, {{wait: {{victim: gone}}}}]\nends: [victim]", "PUR-1", "too")
    write_case(tmp_path, "steps: [{killer: SHOW PROCESSLIST}]", "PUR-1", "conforms")
    return suite_in([tmp_path / "cases"])


def proof_with(witnesses: str, suite: Suite, tmp_path: Path) -> Proof:
    (tmp_path / "witnesses.txt").write_text(witnesses)
    [proof] = prove_all(
        [DEFECT], suite, 1, witnesses=read_witnesses(tmp_path / "witnesses.txt", suite, [DEFECT, OTHER])
    )
    return proof


def cases_of(proof: Proof) -> set[str]:
    return {result.name for result in proof.results}


def test_only_the_witnesses_of_a_defect_are_run(suite: Suite, tmp_path: Path) -> None:
    proof = proof_with("does-nothing detects\nanother-defect too\nanother-defect conforms\n", suite, tmp_path)
    assert cases_of(proof) == {"detects"}
    assert proof.holds(suite)


def test_a_defect_without_witnesses_is_run_with_all_cases_of_its_requirement(suite: Suite, tmp_path: Path) -> None:
    proof = proof_with("another-defect detects\nanother-defect too\n", suite, tmp_path)
    assert cases_of(proof) == {"detects", "too", "conforms"}


def test_a_case_that_no_defect_names_is_run_with_all_defects_of_its_requirement(suite: Suite, tmp_path: Path) -> None:
    proof = proof_with("does-nothing detects\nanother-defect conforms\n", suite, tmp_path)
    assert cases_of(proof) == {"detects", "too"}


def test_a_defect_whose_witness_does_not_deviate_is_run_with_all_cases(suite: Suite, tmp_path: Path) -> None:
    proof = proof_with("does-nothing conforms\nanother-defect detects\nanother-defect too\n", suite, tmp_path)
    assert cases_of(proof) == {"detects", "too", "conforms"}
    assert proof.holds(suite)


def test_cases_that_no_longer_exist_are_ignored(suite: Suite, tmp_path: Path) -> None:
    proof = proof_with(
        "does-nothing gone\ndoes-nothing detects\nanother-defect too\nanother-defect conforms\n", suite, tmp_path
    )
    assert cases_of(proof) == {"detects"}


def test_each_case_that_deviates_is_written_once_and_each_defect_has_one(suite: Suite, tmp_path: Path) -> None:
    file = tmp_path / "written.txt"
    write_witnesses(file, prove_all([DEFECT], suite, 1))
    assert file.read_text().splitlines() == ["does-nothing detects", "does-nothing too"]


def test_a_case_whose_defect_no_longer_exists_is_run_with_all_defects_of_its_requirement(
    suite: Suite, tmp_path: Path
) -> None:
    proof = proof_with("does-nothing detects\ngone too\nanother-defect conforms\n", suite, tmp_path)
    assert cases_of(proof) == {"detects", "too"}


@pytest.mark.parametrize("line", ["does-nothing", "", " detects", "does-nothing "])
def test_a_line_without_defect_or_case_is_refused_with_its_place(suite: Suite, tmp_path: Path, line: str) -> None:
    with pytest.raises(SourceError, match=r"witnesses\.txt:2:1: .* is not a defect, a blank and the name of a case"):
        proof_with(f"does-nothing detects\n{line}\n", suite, tmp_path)


def test_a_file_of_witnesses_that_does_not_exist_is_exit_code_4(tmp_path: Path) -> None:
    done = run_command("prove", "--witnesses", tmp_path / "none.txt")
    assert done.code == 4
    assert "none.txt:1:1: can't be read: No such file or directory" in done.screen
    assert done.shows_no_internals()


def test_witnesses_that_can_not_be_written_are_refused_before_anything_is_proved(tmp_path: Path) -> None:
    done = run_command("prove", "--write-witnesses", tmp_path / "none" / "file.txt")
    assert (done.code, done.out) == (4, "")
    assert "can't be written: No such file or directory; check the path" in done.err
