"""Records of real runs, reports made of them, and a browser to look at these."""

from __future__ import annotations

import copy
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from suite import run_suite

from runner.plugin.embedded import EmbeddedSimulator

from .looking import browser
from .published import Site, publish

DEFECTS = ("one-row-affected", "refuses-immediate", "reads-the-id-first")
PATIENCE = 600.0  # seconds
RUNS = {"honest": (), "defects": DEFECTS}


def _made_once(folder: Path, name: str, defects: tuple[str, ...]) -> Path:
    """The record of a run that one of pytest's workers makes and the others wait for."""
    record = folder / f"{name}.json"
    try:
        (folder / f"{name}.begun").mkdir()
    except FileExistsError:
        until = time.monotonic() + PATIENCE
        while not (folder / f"{name}.done").exists():
            assert time.monotonic() < until, f"the run for {record} did not end"
            time.sleep(0.2)
        return record
    try:
        simulator = EmbeddedSimulator(*(option for defect in defects for option in ("--defect", defect)))
        try:
            title = f"{name.title()} <1>"
            run_suite(
                record, "-n", "4", "--dsn", simulator.dsn, "--send-withheld", "--target-name", title, limit=PATIENCE
            )
        finally:
            simulator.stop()
    finally:
        (folder / f"{name}.done").mkdir()
    return record


@pytest.fixture(scope="session")
def records(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two whole runs: an honest simulator's, and one's with three defects."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "published-records"
    folder.mkdir(exist_ok=True)
    return {name: _made_once(folder, name, defects) for name, defects in RUNS.items()}


@pytest.fixture(scope="session")
def honest(records: dict[str, Path]) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(records["honest"].read_text(encoding="utf-8"))
    return document


@pytest.fixture
def record(honest: dict[str, Any]) -> dict[str, Any]:
    """The honest run's record, to change."""
    return copy.deepcopy(honest)


@pytest.fixture(scope="session")
def site(records: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The report of both runs."""
    return publish(list(records.values()), tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="session")
def chromium() -> Iterator[webdriver.Chrome]:
    """A browser that logs what it requests and what its pages complain about."""
    with browser() as running:
        yield running
