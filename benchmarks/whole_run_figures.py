"""Whole runs of the suite: against the longest watch, against PyMySQL alone, and on slow targets."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from measuring import Figure, Missing, median_seconds, run_process, run_suite, seconds_of, simulator

from runner.language.case_files import case_files, load_cases
from tests.support.paths import ROOT
from tests.support.servers import ServerError, start_mariadb, start_seekdb

SLOW_END_LIMIT = 40.0  # seconds, as is the other limit
SLOW_STATEMENTS_LIMIT = 60.0
PROOF_LIMIT = 75.0
MYSQL_TESTS = Path("/usr/share/mysql/mysql-test")
"""Where Debian's package mariadb-test has the test program."""
KILL_TESTS = ("main.kill", "main.kill-2", "main.kill_query-6728", "main.lock_kill", "sql_sequence.kill")
_MYSQL_LIMIT = 300.0  # seconds
_DECIDED = (0, 1)  # exit codes; the real servers deviate


@contextmanager
def target(name: str) -> Iterator[tuple[str, ...]]:
    """The options for a run on a new private server; it ends with the block.

    Args:
        name: simulator, mariadb, seekdb, or a variant of the simulator.

    Raises:
        ServerError: the server is not installed, or did not start.
    """
    if name == "mariadb":
        with start_mariadb() as mariadb:
            yield "--dsn", mariadb.dsn(), "--profile", "mariadb"
    elif name == "seekdb":
        with start_seekdb() as seekdb:
            yield "--dsn", seekdb.dsn(), "--profile", "seekdb"
    else:
        with simulator(*(() if name == "simulator" else ("--variant", name))) as dsn:
            yield "--dsn", dsn


def longest_watch() -> float:
    """The longest time, in seconds, that a case says to watch that nothing happens."""
    return float(max(case.watch for path in case_files(ROOT / "cases") for case in load_cases(path)))


def against_the_longest_watch() -> Iterator[Figure]:
    """The whole suite on the simulator, from the command to the verdict."""
    with tempfile.TemporaryDirectory() as folder, target("simulator") as options:
        seconds = median_seconds(lambda: run_suite(Path(folder) / "record.json", *options))
    yield Figure("whole suite on the simulator", seconds, "its longest watch", longest_watch(), "s", "1.4")


def against_pymysql() -> Iterator[Figure | Missing]:
    """The whole suite, against PyMySQL alone sending the statements of its record to a new server of the same kind."""
    for name, wanted in (("simulator", "1.5"), ("mariadb", "1.3"), ("seekdb", "1.3")):
        what, than = f"whole suite on {name}", "PyMySQL sending its statements"
        try:
            with tempfile.TemporaryDirectory() as folder:
                record = Path(folder) / "record.json"
                with target(name) as options:
                    ours = run_suite(record, *options, codes=_DECIDED)
                start = seconds_of(lambda: run_process(["-c", "import runner.database.dsn, pymysql"]))
                replayed = json.loads(run_process(["benchmarks/replay.py", str(record), name]).splitlines()[-1])
        except ServerError as error:
            yield Missing.because(what, than, error, wanted)
            continue
        than += f" ({replayed['sent']:,}; {replayed['other']} with another kind of result)"
        yield Figure(what, ours, than, start + replayed["seconds"], "s", wanted)


def slow_end() -> Iterator[Figure]:
    """A server that needs 2 s to close a killed session's connection, and 3 s until its row is gone."""
    yield _variant("slow-end", "2 s + 1 s", SLOW_END_LIMIT)


def slow_statements() -> Iterator[Figure]:
    """A server on which each statement takes longer: the variant adds 200 ms, more than the 150 ms of the target."""
    yield _variant("slow-statements", "200 ms per statement; the target is for 150 ms", SLOW_STATEMENTS_LIMIT)


def proof() -> Iterator[Figure]:
    """``prove`` with all simulated servers: takes about 10 minutes on two cores."""
    seconds = seconds_of(lambda: run_process(["-m", "runner", "prove"], limit=3600))
    yield Figure("`prove`, all simulated servers", seconds, "limit", PROOF_LIMIT, "s", "1")


def kill_tests_of_mysql() -> Iterator[Figure | Missing]:
    """The whole suite on MariaDB, against MariaDB's own tests of KILL with the start of their server.

    Raises:
        RuntimeError: one of these tests fails.
    """
    what, than = "whole suite on mariadb", f"mysql-test-run with {len(KILL_TESTS)} tests of KILL"
    program = MYSQL_TESTS / "mariadb-test-run"
    if not program.exists():
        yield Missing(what, than, "Debian's package mariadb-test is not installed", "2")
        return
    with tempfile.TemporaryDirectory() as folder:
        with target("mariadb") as options:
            ours = run_suite(Path(folder) / "record.json", *options, codes=_DECIDED)
        command = [str(program), f"--vardir={folder}/var", *KILL_TESTS]
        theirs = seconds_of(lambda: _run_in(MYSQL_TESTS, command))
    yield Figure(what, ours, than, theirs, "s", "2")


def _run_in(folder: Path, command: list[str]) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_MYSQL_LIMIT, check=False)
    if done.returncode:
        raise RuntimeError(
            f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-500:]}"
        )


def _variant(name: str, meaning: str, limit: float) -> Figure:
    with tempfile.TemporaryDirectory() as folder, target(name) as options:
        seconds = run_suite(Path(folder) / "record.json", *options)
    return Figure(f"whole suite on the variant `{name}` ({meaning})", seconds, "limit", limit, "s", "1")
