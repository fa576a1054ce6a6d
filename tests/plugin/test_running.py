"""Choosing cases, workers, and Ctrl-C."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runner.database.dsn import Dsn
from runner.database.outcome import Rows
from runner.database.session import Login, Session
from runner.execution.statement_text import LONG
from tests.plugin.written_cases import arguments_of, write_case
from tests.support.eventually import PATIENCE, eventually
from tests.support.paths import ROOT
from tests.support.simulator_process import SimulatorProcess
from tests.support.suite_run import LIMIT, environment, pytest_command, run_pytest
from tests.support.whole_runs import by_one_process, by_workers

SLEEPS = "steps:\n  - killer: ${sleep}\n    reply: ok\nparameters: {who: [a, b, c, d]}\nnote: ${who}"
KILL = "ALTER SYSTEM KILL SESSION '${victim.id}'"


def results(path: Path) -> dict[str, tuple[str, str]]:
    record = json.loads(path.read_text(encoding="utf-8"))
    return {row["name"]: (row["requirement"], row["verdict"]) for row in record["results"]}


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The record of all cases, run by one process."""
    run, record = by_one_process(tmp_path_factory)
    assert run.code == 0, run.screen
    return record


@pytest.mark.long
def test_workers_have_the_same_verdicts_as_one_process(alone: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    run, record = by_workers(tmp_path_factory)
    assert run.code == 0, run.screen
    assert results(record) == results(alone)
    assert len(results(record)) > 150
    names = [row["name"] for row in json.loads(record.read_text(encoding="utf-8"))["results"]]
    assert names == [row["name"] for row in json.loads(alone.read_text(encoding="utf-8"))["results"]]


@pytest.mark.long
def test_a_finding_of_a_worker_is_shown_like_one_of_a_single_process(tmp_path: Path) -> None:
    path = write_case(tmp_path, f"steps:\n  - killer: {KILL}\n    reply: privilege\nends: [victim]")
    done = run_pytest(*arguments_of(tmp_path), "-n", "2")
    assert done.code == 1
    assert f"{path}:4" in done.screen
    assert "actual:   OK, 0 rows affected" in done.screen
    assert done.shows_no_internals()


def test_an_invalid_dsn_is_reported_once_and_not_by_every_worker() -> None:
    done = run_pytest("cases/forms.yaml", "-n", "2", "--dsn", "oceanbase://SYS:s3cretWord@127.0.0.1:port/")
    assert done.code == 4
    assert done.screen.count("--dsn: the DSN's port") == 1
    assert "s3cretWord" not in done.screen
    assert done.shows_no_internals()


def test_a_mark_chooses_a_level(tmp_path: Path) -> None:
    record = tmp_path / "record.json"
    done = run_pytest(
        "cases", "-q", "-m", "should", "--requirement", "EXA-3", "--requirement", "SYN-2", "--record", str(record)
    )
    assert done.code == 0
    assert {requirement for requirement, _ in results(record).values()} == {"EXA-3"}


@pytest.mark.long
def test_the_must_mark_chooses_every_case_that_must(alone: Path) -> None:
    record = json.loads(alone.read_text(encoding="utf-8"))
    must = sum(row["level"] == "must" for row in record["results"])
    done = run_pytest("cases", "--collect-only", "-q", "-m", "must")
    assert done.code == 0
    assert f"{must}/{len(record['results'])} tests collected" in done.screen


def test_k_chooses_by_name_and_parameter(tmp_path: Path) -> None:
    record = tmp_path / "record.json"
    done = run_pytest(
        "cases/reserved.yaml", "-q", "-k", "serial-any-number and zero and not zeros", "--record", str(record)
    )
    assert done.code == 0
    assert list(results(record)) == ["serial-any-number[zero]"]


def test_a_case_is_chosen_by_its_file_and_name(tmp_path: Path) -> None:
    record = tmp_path / "record.json"
    done = run_pytest("cases/forms.yaml::plain-form", "-q", "--record", str(record))
    assert done.code == 0
    assert list(results(record)) == ["plain-form"]


def test_a_selection_of_no_cases_is_exit_code_5_and_no_conformance() -> None:
    done = run_pytest("cases/forms.yaml", "-k", "no_such_case")
    assert done.code == 5
    assert "conforms" not in done.screen
    assert done.shows_no_internals()


@pytest.fixture
def simulator() -> Iterator[Dsn]:
    simulator = SimulatorProcess("--admin-password", "s3cretWord")
    yield Dsn.parse(simulator.dsn)
    simulator.stop()


class Watcher:
    """Somebody who looks at the server while the suite runs."""

    def __init__(self, dsn: Dsn) -> None:
        self.session = Session(Login(dsn, dsn.user, dsn.password, 1 << 27))
        self.session.open(PATIENCE)

    def rows(self, statement: str) -> tuple[tuple[str | None, ...], ...]:
        answer = self.session.execute(statement, PATIENCE)
        assert isinstance(answer, Rows), answer
        return answer.values

    def users(self) -> tuple[tuple[str | None, ...], ...]:
        return self.rows("SELECT USERNAME FROM ALL_USERS WHERE USERNAME LIKE 'KSC_%'")

    def sleeping(self) -> int:
        """How many sessions are in the middle of a case's statement that takes long; the examination's is short."""
        return sum(f"SLEEP({LONG})" in (row[7] or "") for row in self.rows("SHOW PROCESSLIST"))


@pytest.fixture
def watcher(simulator: Dsn) -> Iterator[Watcher]:
    watcher = Watcher(simulator)
    yield watcher
    watcher.session.close()


def press(group: int) -> None:
    """Ctrl-C in a terminal reaches every process of the group."""
    os.killpg(group, signal.SIGINT)


def press_twice(group: int) -> None:
    press(group)
    time.sleep(0.01)
    press(group)


def terminate(group: int) -> None:
    """A CI system's end of a job: the process that it started, and no other."""
    os.kill(group, signal.SIGTERM)


def hang_up(group: int) -> None:
    os.killpg(group, signal.SIGHUP)


@pytest.mark.parametrize(
    ("stop", "workers"),
    [
        (press, 0),
        (press_twice, 0),
        (terminate, 0),
        (hang_up, 0),
        (terminate, 2),
        *(pytest.param(stop, 2, marks=pytest.mark.long) for stop in (press, press_twice, hang_up)),
    ],
)
def test_a_run_that_is_stopped_in_the_middle_of_a_case_leaves_no_user_behind(
    tmp_path: Path, simulator: Dsn, watcher: Watcher, workers: int, stop: Callable[[int], None]
) -> None:
    write_case(tmp_path, SLEEPS)
    record = tmp_path / "record.json"
    options = [
        "--dsn",
        simulator.text_with_password,
        "--statement-limit",
        "600",
        "--record",
        str(record),
        "-n",
        str(workers),
    ]
    options += ["--in-flight", "16"]
    with subprocess.Popen(
        pytest_command(*arguments_of(tmp_path), *options),
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            assert eventually(lambda: watcher.sleeping() == 4)  # cases in flight, whoever runs them
            assert watcher.users()
            stop(process.pid)
            screen, _ = process.communicate(timeout=LIMIT)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 2, screen
    assert eventually(lambda: watcher.users() == ()), watcher.users()
    assert watcher.sleeping() == 0
    assert simulator.password not in screen
    assert "INTERNALERROR" not in screen
    assert json.loads(record.read_text(encoding="utf-8"))["run"]["complete"] is False


@pytest.mark.long
def test_a_worker_that_is_killed_leaves_no_user_behind(tmp_path: Path, simulator: Dsn, watcher: Watcher) -> None:
    write_case(tmp_path, SLEEPS)
    options = ["--dsn", simulator.text_with_password, "--statement-limit", "5", "-n", "2", "--in-flight", "16"]
    with subprocess.Popen(
        pytest_command(*arguments_of(tmp_path), *options),
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            assert eventually(lambda: watcher.sleeping() == 4)
            os.kill(children(process.pid)[0], signal.SIGKILL)
            assert watcher.users()
            screen, _ = process.communicate(timeout=LIMIT)
        finally:
            process.kill()
    assert "crashed" in screen
    assert process.returncode == 1, screen
    assert watcher.users() == ()


def children(parent: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


def test_a_run_succeeds_if_leftovers_cannot_be_listed(tmp_path: Path, simulator: Dsn) -> None:
    profile = (ROOT / "runner/profiles/oceanbase-oracle.yaml").read_text(encoding="utf-8")
    own_profile = tmp_path / "own.yaml"
    own_profile.write_text(profile.replace("SELECT USERNAME FROM", "SELEC USERNAME FROM"), encoding="utf-8")
    done = run_pytest(
        "cases/forms.yaml",
        "--requirement",
        "SYN-2",
        "--dsn",
        simulator.text_with_password,
        "--profile",
        str(own_profile),
    )
    assert done.code == 0, done.screen
    assert "removed" not in done.screen


def test_a_run_leaves_no_user_behind_although_cases_fail(tmp_path: Path, simulator: Dsn, watcher: Watcher) -> None:
    write_case(tmp_path, f"steps:\n  - killer: {KILL}\n    reply: privilege\ntable: [[1, 1]]")
    write_case(tmp_path, "steps:\n  - killer: SELECT FROM\n  - killer: SELECT 1\n    reply: rows", case_id="undecided")
    assert run_pytest(*arguments_of(tmp_path), "--dsn", simulator.text_with_password).code == 1
    assert watcher.users() == ()


@pytest.mark.long
@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "workers"])
def test_a_long_run_reports_its_progress(tmp_path: Path, workers: tuple[str, ...]) -> None:
    steps = "steps:\n  - killer: SELECT 1 FROM DUAL\n    reply: rows"
    write_case(tmp_path, f"{steps}\nparameters: {{who: [a, b, c, d, e, f]}}\nnote: ${{who}}")
    (tmp_path / "often.py").write_text("from runner.plugin import progress\nprogress.EVERY = 0.0\n", encoding="utf-8")
    often = ["-p", "often", "-o", f"pythonpath={ROOT} {tmp_path}"]
    done = run_pytest(*arguments_of(tmp_path), *often, *workers)
    lines = re.findall(r"^([0-9]) of 6 cases in [0-9]+ s(, about [0-9]+ s left)?$", done.screen, re.MULTILINE)
    numbers = [number for number, _ in lines if number != "0"]  # 0: on a busy machine
    assert list(dict.fromkeys(numbers)) == ["1", "2", "3", "4", "5"], done.screen
    assert {number for number, left in lines if not left} <= {"0", "1"}, "too early to estimate the rest"
    assert "cases in" not in run_pytest(*arguments_of(tmp_path), *workers).screen


def test_the_progress_counts_cases_that_have_finished_while_an_earlier_one_is_awaited(tmp_path: Path) -> None:
    select = "  - killer: SELECT 1 FROM DUAL\n    reply: rows"
    write_case(tmp_path, f"steps:\n  - pause: 4\n{select}", case_id="a-long-case")
    write_case(tmp_path, f"steps:\n{select}\nparameters: {{who: [a, b]}}\nnote: ${{who}}", case_id="short-cases")
    (tmp_path / "often.py").write_text("from runner.plugin import progress\nprogress.EVERY = 0.0\n", encoding="utf-8")
    done = run_pytest(*arguments_of(tmp_path), "-p", "often", "-o", f"pythonpath={ROOT} {tmp_path}")
    assert "2 of 3 cases in" in done.screen, done.screen
