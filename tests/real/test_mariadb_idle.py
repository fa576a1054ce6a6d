"""The suite against a real MariaDB that closes any session which idles for a second: nobody is blamed for that."""

from __future__ import annotations

from pathlib import Path

from servers import start_mariadb
from suite import SuiteRun, differing, run_suite


def run_on(record: Path, *options: str) -> SuiteRun:
    with start_mariadb(*options) as server:
        # One case at a time: beside others, a step can take longer than the timeout, which is inconclusive.
        return run_suite(record, "--dsn", server.dsn(), "--profile", "mariadb", "--in-flight", "1")


def test_an_idle_timeout_of_a_second_changes_no_verdict(tmp_path: Path) -> None:
    plain = run_on(tmp_path / "plain.json")
    idle = run_on(tmp_path / "idle.json", "--wait-timeout=1", "--interactive-timeout=1")
    assert len(plain.results(verdict="conforms")) > 50
    assert differing(plain.record, idle.record) == []
