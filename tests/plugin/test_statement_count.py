"""The number of statements that a run sends is the one in docs/your-own-database.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.whole_runs import WholeRun, by_one_process, counted


@pytest.fixture(scope="module")
def said() -> tuple[int, int]:
    """The numbers that the page says: of a run, and of one with one case at a time."""
    page = (ROOT / "docs" / "your-own-database.md").read_text(encoding="utf-8")
    found = re.search(r"sends about ([0-9]+) of these statements \(with `--in-flight 1` about ([0-9]+)\)", page)
    assert found is not None
    return int(found[1]), int(found[2])


def check(run: WholeRun, said: int, tolerance: float) -> None:
    assert run.code == 0, run.screen
    assert abs(run.definitions / said - 1) < tolerance, f"a run sends {run.definitions}: write that number there"


def test_the_documented_number_of_create_grant_revoke_and_drop_statements_is_that_of_a_run(
    said: tuple[int, int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    run, _ = by_one_process(tmp_path_factory)
    check(run, said[0], 0.3)  # how many users cases need at the same time differs from run to run


@pytest.mark.long
def test_the_documented_number_is_that_of_a_run_with_one_case_at_a_time(said: tuple[int, int], tmp_path: Path) -> None:
    check(counted(tmp_path / "record.json", "--in-flight", "1"), said[1], 0.05)
