"""The example's command, and the small record that docs/example keeps: what the command gives today."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.publishing.example import KEPT, SMALL, make_small
from tests.support.compared_verdicts import differing
from tests.support.paths import ROOT
from tests.support.reports import Site, publish

pytestmark = pytest.mark.long

AGAIN = "make it again: ./toxw -e example -- --keep"
FEW = ("--requirement", "SYN-2", "--requirement", "PAR-2", "-n", "1")
"""Four cases, and one worker for them in each run instead of four."""
TARGETS = {
    "simulator": "Simulator",
    "simulator-with-defects": "Simulator with three defects",
    "seekdb": "seekdb 1.",
    "mariadb": "MariaDB 1",
}


def read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example of two requirements."""
    folder = tmp_path_factory.mktemp("example")
    done = subprocess.run(
        [sys.executable, "-m", "tests.publishing.example", "--out", str(folder), *FEW],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.parametrize("target", TARGETS)
def test_the_command_records_the_simulator_one_with_defects_and_two_real_servers(target: str, made: Path) -> None:
    record = read(made / "records" / f"{target}.json")
    assert record["target"]["name"].startswith(TARGETS[target])
    verdicts = {row["name"]: row["verdict"] for row in record["results"]}
    assert len(verdicts) == 4
    # Neither real server has the statement's forms; of both, ids in the list are what it takes.
    profiled = target in {"seekdb", "mariadb"}
    assert sorted(verdicts.values()) == ["conforms"] * 2 + ["not applicable" if profiled else "conforms"] * 2


def test_the_command_creates_the_pages_of_the_records(made: Path) -> None:
    pages = {path.suffix: 0 for path in (made / "site").iterdir()}
    for path in (made / "site").iterdir():
        pages[path.suffix] += 1
    assert pages == {".html": 1 + len(TARGETS), ".svg": len(TARGETS), ".md": 1}


def test_the_small_record_has_the_same_verdicts_as_a_new_run(tmp_path: Path) -> None:
    make_small(tmp_path / SMALL)
    assert differing(read(KEPT / SMALL), read(tmp_path / SMALL)) == [], AGAIN


def test_each_event_of_the_small_record_is_a_line() -> None:
    lines = (KEPT / SMALL).read_text(encoding="utf-8").splitlines()
    events = [event for row in read(KEPT / SMALL)["results"] for event in row["transcript"]]
    found = [json.loads(line.strip().rstrip(",")) for line in lines if line.strip().startswith('{"at_ms"')]
    assert found == events


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The pages of the small record."""
    return publish([KEPT / SMALL], tmp_path_factory.mktemp("small") / "site")


def test_the_pages_of_the_small_record_contain_each_of_its_cases(small: Site) -> None:
    assert small.code == 0, small.screen
    page = small.text("simulator-with-three-defects.html")
    names = [row["name"] for row in read(KEPT / SMALL)["results"]]
    assert [name for name in names if name not in page] == []
    assert "must deviate" in small.text("simulator-with-three-defects.svg")
