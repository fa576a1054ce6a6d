"""The report in docs/example: what its commands give today, and nothing that a hand wrote."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest
from suite import ROOT, differing

from .example import FOLDER
from .published import publish

RECORDS = sorted((FOLDER / "records").glob("*.json"))
AGAIN = "make it again: ./toxw -e example"


def read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("example")
    done = subprocess.run(
        [sys.executable, "tests/publishing/example.py", str(folder)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(["tests", "."])},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_it_is_of_the_simulator_of_one_with_defects_and_of_two_real_servers() -> None:
    names = {path.stem: json.loads(path.read_text(encoding="utf-8"))["target"]["name"] for path in RECORDS}
    assert names == {
        "simulator": "Simulator",
        "simulator-with-defects": "Simulator with three defects",
        "seekdb": ANY,
        "mariadb": ANY,
    }
    assert names["seekdb"].startswith("seekdb 1.")
    assert names["mariadb"].startswith("MariaDB 1")


def test_its_pages_are_byte_by_byte_what_its_records_make(tmp_path: Path) -> None:
    site = publish(RECORDS, tmp_path / "site")
    assert site.code == 0, site.screen
    there = {path.name: path.read_bytes() for path in (FOLDER / "site").iterdir()}
    assert site.names() == set(there), AGAIN
    assert [name for name, content in there.items() if (site.folder / name).read_bytes() != content] == [], AGAIN


@pytest.mark.parametrize("record", RECORDS, ids=lambda path: path.stem)
def test_its_records_have_the_verdicts_that_its_commands_give_today(record: Path, made: Path) -> None:
    assert differing(read(made / "records" / record.name), read(record)) == [], AGAIN


@pytest.mark.parametrize("record", RECORDS, ids=lambda path: path.stem)
def test_its_records_are_of_today_s_cases(record: Path, made: Path) -> None:
    digests = [
        json.loads(path.read_text(encoding="utf-8"))["run"]["cases_digest"]
        for path in (record, made / "records" / record.name)
    ]
    assert digests[0] == digests[1], AGAIN
