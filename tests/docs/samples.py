"""The samples in docs/ that show output of the suite: made by real runs on the simulator.

python -m tests.docs.samples    # writes them into the documentation again
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pymysql

from runner.reporting.record import read_record
from tests.support.paths import ROOT
from tests.support.simulator_process import simulator
from tests.support.suite_run import run_command, run_pytest

DOCTOR = ROOT / "docs" / "your-own-database.md"
RECORD = ROOT / "docs" / "record.md"
_CASE = "cases/ending.yaml::administrators-own-session"


def doctor_sample() -> str:
    """The doctor's output for a user without the right to create users; address and times are replaced."""
    with simulator() as dsn:
        at = urlsplit(dsn)
        with pymysql.connect(
            host=at.hostname or "",
            port=at.port or 0,
            user=unquote(at.username or ""),
            password=unquote(at.password or ""),
            ssl_disabled=True,
            client_flag=1 << 27,
        ) as connection:
            for statement in ("CREATE USER ci IDENTIFIED BY p1", "GRANT CREATE SESSION TO ci"):
                connection.cursor().execute(statement)
        done = run_command("doctor", "--dsn", f"oceanbase://ci%40oracle:p1@{at.hostname}:{at.port}/")
    assert done.code == 1, done.screen
    return steady_text(done.out.replace(f"{at.hostname}:{at.port}", "HOST:2881")).strip()


def steady_text(text: str) -> str:
    """A doctor's output with a fixed time and a fixed generated name, which differ from run to run."""
    return re.sub(r"(?m)^(login +)[0-9.]+ ms$", r"\g<1>2.1 ms", re.sub(r"\bKSC_\w+", "KSC_TGCSUFAAAAA_1", text))


def record_sample() -> str:
    """The record of a run of one case; of requirements only its own is kept, of those not run the first."""
    with tempfile.TemporaryDirectory() as folder, simulator() as dsn:
        path = Path(folder) / "record.json"
        options = ["-q", "--dsn", dsn, "--target-name", "Simulator", "--record", str(path)]
        done = run_pytest(_CASE, *options)
        assert done.code == 0, done.screen
        record = read_record(path)
        own = {result.requirement: record.requirements[result.requirement] for result in record.results}
        replace(record, run=replace(record.run, not_run=record.run.not_run[:1]), requirements=own).write(path)
        return path.read_text(encoding="utf-8").strip()


def steady_record(value: Any, key: str = "") -> Any:
    """A record without what differs from run to run: times, the machine, the cases, ids and addresses."""
    if isinstance(value, dict):
        if key == "identifiers":
            return sorted(value)
        return {name: steady_record(each, name) for name, each in value.items()}
    if isinstance(value, list):
        return [steady_record(each, key) for each in value]
    volatile = {"started", "finished", "machine", "suite", "cases_digest", "cases", "not_run", "place"}
    if key in volatile or (key.endswith(("_ms", "seconds")) and isinstance(value, float | int)):
        return None
    return value


def sample_in(path: Path, language: str) -> str:
    """The sample that stands in a page: its only block of code in this language that is marked as made."""
    found = _block(language).search(path.read_text(encoding="utf-8"))
    assert found is not None, f"{path} has no sample"
    return found[2]


def _block(language: str) -> re.Pattern[str]:
    return re.compile(rf"(<!-- made by tests/docs/samples\.py -->\n\n```{language}\n)(.*?)(?=\n```)", re.DOTALL)


def _write(path: Path, language: str, sample: str) -> None:
    page = path.read_text(encoding="utf-8")
    path.write_text(_block(language).sub(lambda match: match[1] + sample, page), encoding="utf-8")


if __name__ == "__main__":
    _write(DOCTOR, "text", doctor_sample())
    _write(RECORD, "json", record_sample())
