"""Records of real runs, reports made of them, and a browser to look at these."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver

from tests.support.browser import browser
from tests.support.reports import Site, publish
from tests.support.simulator_process import simulator
from tests.support.suite_run import run_suite
from tests.support.whole_runs import by_one_process, made_once

DEFECTS = ("one-row-affected", "refuses-immediate", "reads-the-id-first")
REQUIREMENTS = "PUR-1 SYN-2 SYN-3 SYN-4 SYN-7 PAR-3 PAR-4 EXA-6 IMP-1 IMP-2 OBS-2 OBS-4".split()  # noqa: SIM905 - reads better
"""The requirements of the run with defects: enough for each kind of result."""
FIRST = 60
"""The results of a record that tests change: a whole record takes seconds to copy and to publish."""


def _run_with_defects(folder: Path) -> None:
    with simulator(*(option for defect in DEFECTS for option in ("--defect", defect))) as dsn:
        options = ["-n", "2", "--send-withheld", "--target-name", "Defects <1>"]
        options += [word for requirement in REQUIREMENTS for word in ("--requirement", requirement)]
        run_suite(folder / "record.json", "--dsn", dsn, *options, limit=600)


@pytest.fixture(scope="session")
def records(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A whole run of an honest simulator, and one with three defects and fewer cases."""
    _, honest = by_one_process(tmp_path_factory)
    return {"honest": honest, "defects": made_once(tmp_path_factory, "defects", _run_with_defects) / "record.json"}


@pytest.fixture(scope="session")
def honest(records: dict[str, Path]) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(records["honest"].read_text(encoding="utf-8"))
    return document


@pytest.fixture
def record(honest: dict[str, Any]) -> dict[str, Any]:
    """The honest run's record with its first cases, to change."""
    return copy.deepcopy(honest | {"results": honest["results"][:FIRST]})


@pytest.fixture(scope="session")
def site(records: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The report of both runs."""
    return publish(list(records.values()), tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="session")
def chromium() -> Iterator[webdriver.Chrome]:
    """A browser that logs what it requests and what its pages complain about."""
    with browser() as running:
        yield running
