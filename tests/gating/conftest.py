from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.gating.few_cases import run_cases, write_cases
from tests.support.simulator_process import SimulatorProcess
from tests.support.suite_run import run_suite

FEW = ("--requirement", "EXA-6", "--requirement", "SYN-2", "--requirement", "IMP-8", "--requirement", "OBS-2")
RUNS = {"sound": (), "errs": ("ends-with-an-error",), "a-row-affected": ("one-row-affected",)}
"""The defects of the simulator, by the name of the record."""


@pytest.fixture(scope="session")
def dsn() -> Iterator[str]:
    simulator = SimulatorProcess()
    yield simulator.dsn
    simulator.stop()


@pytest.fixture(scope="session")
def records(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Records of the suite on a simulator that conforms, and on some that don't."""
    folder = tmp_path_factory.mktemp("records")
    for name, defects in RUNS.items():
        _run_few(folder / f"{name}.json", defects)
    return {name: folder / f"{name}.json" for name in RUNS}


@pytest.fixture
def sound_again(tmp_path: Path) -> Path:
    """The record of another run without defects, with four workers."""
    _run_few(tmp_path / "again.json", (), "-n", "4")
    return tmp_path / "again.json"


def _run_few(record: Path, defects: Sequence[str], *options: str) -> None:
    simulator = SimulatorProcess(*(word for name in defects for word in ("--defect", name)))
    fast = ("--settle", "1", "-q", "--tb=no", "-p", "no:hypothesispytest")
    try:
        run_suite(record, "--dsn", simulator.dsn, *fast, *FEW, *options)
    finally:
        simulator.stop()


@pytest.fixture
def few(tmp_path: Path) -> Path:
    """A folder with a few cases that come to every verdict."""
    write_cases(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def all_verdicts(tmp_path_factory: pytest.TempPathFactory, dsn: str) -> Path:
    """The record of a run of those few cases without a list; beside it are the cases."""
    folder = tmp_path_factory.mktemp("verdicts")
    write_cases(folder)
    done = run_cases(folder, dsn, "--record", "r.json")
    assert done.code == 1, done.screen
    return folder / "r.json"
