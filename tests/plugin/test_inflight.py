"""Cases in flight: their order, their ends, and that neighbours don't answer for each other."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.database.dsn import Dsn
from runner.database.outcome import Rows
from runner.database.session import Login, Session
from runner.language.suite import suite_in
from runner.plugin.cases_in_flight import _Flight
from tests.plugin.written_cases import SESSIONS, arguments_of, write_case
from tests.support.eventually import PATIENCE, eventually
from tests.support.paths import ROOT
from tests.support.servers.mariadb import start_mariadb
from tests.support.simulator_process import SimulatorProcess
from tests.support.suite_run import LIMIT, SuiteRun, environment, pytest_command, run_pytest

KILL = "ALTER SYSTEM KILL SESSION '${victim.id}'"
ENDS = f"steps:\n  - killer: {KILL}\n    reply: ok\nends: [victim]"
WRONG = f"steps:\n  - killer: {KILL}\n    reply: privilege\nends: [victim]"
OPTIONS = ("-q", "--tb=no", "--in-flight", "16")


def results(record: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(record.read_text(encoding="utf-8"))["results"]
    return rows


def verdicts(record: Path) -> dict[str, str]:
    return {row["name"]: row["verdict"] for row in results(record)}


def write_cases(folder: Path, **bodies: str) -> None:
    """Writes one file of cases, in this order; ``_`` in a name stands for ``-``."""
    write_case(folder, ENDS, case_id="z-last")
    cases = ""
    for name, body in bodies.items():
        lines = "".join(f"    {line}\n" for line in body.splitlines())
        cases += f"  - id: {name.replace('_', '-')}\n    requirement: SYN-2\n    title: something holds\n{lines}"
    (folder / "cases" / "a.yaml").write_text(f"format: 1\nsessions: {SESSIONS}\ncases:\n{cases}", encoding="utf-8")


def run_with_defect(folder: Path, defect: str, *options: str) -> tuple[SuiteRun, Path]:
    """Runs the folder's cases on a simulator with a defect; returns the run and the file of its record."""
    simulator, record = SimulatorProcess("--defect", defect), folder / "record.json"
    try:
        arguments = (*arguments_of(folder), *OPTIONS, *options, "--dsn", simulator.dsn, "--record", str(record))
        return run_pytest(*arguments), record
    finally:
        simulator.stop()


@pytest.fixture
def simulator() -> Iterator[Dsn]:
    simulator = SimulatorProcess()
    yield Dsn.parse(simulator.dsn)
    simulator.stop()


def rows(dsn: Dsn, statement: str) -> tuple[tuple[str | None, ...], ...]:
    session = Session(Login(dsn, dsn.user, dsn.password, 1 << 27))
    session.open(PATIENCE)
    answer = session.execute(statement, PATIENCE)
    session.close()
    assert isinstance(answer, Rows), answer
    return answer.values


def users(dsn: Dsn) -> tuple[tuple[str | None, ...], ...]:
    return rows(dsn, "SELECT USERNAME FROM ALL_USERS WHERE USERNAME LIKE 'KSC_%'")


def test_cases_wait_at_the_same_time_and_are_reported_in_order_with_their_own_durations(tmp_path: Path) -> None:
    write_cases(tmp_path, quick=ENDS, long=f"{ENDS}\nwatch: 2", other=f"{ENDS}\nwatch: 2", last=ENDS)
    junit = tmp_path / "junit.xml"
    done = run_pytest(*arguments_of(tmp_path), "-v", "--in-flight", "16", "--durations=0", f"--junitxml={junit}")
    assert done.code == 0, done.screen
    assert re.findall(r"yaml::(\S+) conforms", done.screen) == ["quick", "long", "other", "last", "z-last"]
    times = {case.get("name"): float(case.get("time", 0)) for case in ET.parse(junit).iter("testcase")}  # noqa: S314 - ours
    assert min(times["long"], times["other"]) >= 2
    assert max(times["quick"], times["last"]) < min(times["long"], times["other"])


@pytest.mark.parametrize("stop", ["-x", "--maxfail=1"])
def test_a_run_that_stops_at_a_failure_reports_no_later_case_and_leaves_nothing(
    tmp_path: Path, simulator: Dsn, stop: str
) -> None:
    long = f"{ENDS}\nwatch: 2"
    write_cases(tmp_path, good=ENDS, wrong=WRONG, later=long, much_later=long)
    record = tmp_path / "record.json"
    done = run_pytest(
        *arguments_of(tmp_path), *OPTIONS, stop, "--dsn", simulator.text_with_password, "--record", str(record)
    )
    assert done.code == 1, done.screen
    assert verdicts(record) == {"good": "conforms", "wrong": "deviates"}
    assert "1 failed, 1 passed" in done.screen
    assert users(simulator) == ()


def test_cases_in_flight_at_a_ctrl_c_end_at_once_and_leave_nothing(tmp_path: Path, simulator: Dsn) -> None:
    write_case(tmp_path, f"{ENDS}\nwatch: 10\nparameters: {{who: [a, b, c, d, e]}}\nnote: ${{who}}")
    arguments = pytest_command(*arguments_of(tmp_path), *OPTIONS, "--dsn", simulator.text_with_password)
    with subprocess.Popen(arguments, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True) as process:
        try:
            assert eventually(lambda: len(users(simulator)) == 10)
            process.send_signal(signal.SIGINT)
            screen, _ = process.communicate(timeout=LIMIT)
        finally:
            process.kill()
    assert process.returncode == 2, screen
    assert users(simulator) == ()
    assert "conforms" not in screen


@pytest.mark.long
def test_no_other_case_runs_beside_one_that_runs_alone(tmp_path: Path, simulator: Dsn) -> None:
    """It looks at the list itself: nobody is there but the administrators and its own three sessions."""
    alone = f"alone: true\n{ENDS}\nwatch: 1\nparameters: {{who: [a, b]}}\nnote: ${{who}}"
    write_cases(tmp_path, first=f"{ENDS}\nwatch: 1", alone=alone, second=f"{ENDS}\nwatch: 1")
    arguments = pytest_command(*arguments_of(tmp_path), *OPTIONS, "--dsn", simulator.text_with_password)
    seen: list[set[str]] = []
    with subprocess.Popen(arguments, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True) as process:
        while process.poll() is None:
            listed = {str(row[1]) for row in rows(simulator, "SHOW PROCESSLIST")} - {"SYS"}
            seen += [listed] if listed else []
        screen = process.stdout.read() if process.stdout else ""
    assert process.returncode == 0, screen
    halves = [len(each) for each in seen]
    most = max(halves)
    assert most > 2, "the others ran side by side"
    assert max(halves[: halves.index(most) // 2]) <= 2, "two users, of one case, as long as cases ran alone"


def test_only_the_case_that_crashes_the_server_deviates(tmp_path: Path) -> None:
    own_end = (
        "steps:\n  - victim: ALTER SYSTEM KILL SESSION '${victim.id}'\n    reply: [ok, interrupted, connection-lost]"
    )
    write_cases(tmp_path, first=f"{ENDS}\nwatch: 1", crash=f"{own_end}\nends: [victim]", other=f"{ENDS}\nwatch: 1")
    done, record = run_with_defect(tmp_path, "crashes-at-a-kill-of-the-own-session")
    assert done.code == 1, done.screen
    assert verdicts(record) == {
        "first": "conforms",
        "crash": "deviates",
        "other": "conforms",
        "z-last": "conforms",
    }, done.screen


@pytest.mark.parametrize("defect", ["ends-the-next", "ends-everyone"])
def test_only_the_case_that_kills_a_session_of_another_case_deviates(tmp_path: Path, defect: str) -> None:
    harmless = "steps:\n  - killer: SELECT 1 FROM DUAL\n    reply: rows\nwatch: 2"
    write_cases(tmp_path, harmless=harmless, harmful=ENDS, other=harmless)
    done, record = run_with_defect(tmp_path, defect, "--settle", "1")
    assert done.code == 1, done.screen
    found = verdicts(record)
    assert found["harmful"] == found["z-last"] == "deviates", done.screen
    assert found["harmless"] == found["other"] == "conforms", done.screen


@pytest.mark.long
def test_a_deviation_among_other_cases_that_does_not_recur_alone_is_inconclusive(tmp_path: Path) -> None:
    """The twentieth of 21 kills does nothing; the kills of the repetitions are the next twelve."""
    kill = "steps:\n  - killer: ALTER SYSTEM KILL SESSION '${victims.id}'\n    reply: ok\nends: [victims]\nwatch: 2"
    several = "sessions: {killer: {grants: [ALTER SYSTEM]}, victims: {user: killer, count: 3}}"
    write_case(tmp_path, f"{several}\n{kill}\nparameters: {{who: [a, b, c, d, e, f, g]}}\nnote: ${{who}}")
    done, record = run_with_defect(tmp_path, "every-twentieth-kill-does-nothing", "--settle", "1")
    assert done.code == 1, done.screen
    assert sorted(verdicts(record).values()) == ["conforms"] * 6 + ["inconclusive"], done.screen
    (reason,) = (row["reason"] for row in results(record) if row["verdict"] == "inconclusive")
    assert "replies to statements, but not in 4 runs of the case alone" in reason


@pytest.mark.long
def test_the_verdicts_do_not_depend_on_how_many_cases_are_in_flight(tmp_path: Path) -> None:
    found = []
    for number in ("1", "16", "64"):
        record = tmp_path / f"{number}.json"
        arguments = ("cases/forms.yaml", "cases/unknown.yaml", *OPTIONS, "--in-flight", number)
        done = run_pytest(*arguments, "--record", str(record))
        assert done.code == 0, done.screen
        found.append([(row["name"], row["verdict"], row["observed"]) for row in results(record)])
    assert found[0] == found[1] == found[2]


def test_workers_run_their_shares_in_flight(tmp_path: Path, simulator: Dsn) -> None:
    write_case(tmp_path, f"{ENDS}\nwatch: 2\nparameters: {{who: [a, b, c, d, e, f, g, h]}}\nnote: ${{who}}")
    arguments = pytest_command(*arguments_of(tmp_path), *OPTIONS, "-n", "2", "--dsn", simulator.text_with_password)
    with subprocess.Popen(arguments, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True) as process:
        try:
            assert eventually(lambda: len(users(simulator)) > 4), "more than a case in each of the two"
        finally:
            screen, _ = process.communicate(timeout=LIMIT)
    assert process.returncode == 0, screen
    assert "8 passed" in screen


@pytest.mark.long
def test_a_server_with_few_connections_gets_fewer_cases_at_a_time(tmp_path: Path) -> None:
    write_case(tmp_path, f"{ENDS}\nwatch: 1\nparameters: {{who: [a, b, c, d, e, f, g, h]}}\nnote: ${{who}}", "PUR-1")
    with start_mariadb("--max-connections=12") as server:
        done = run_pytest(*arguments_of(tmp_path), *OPTIONS, "--dsn", server.dsn(), "--profile", "mariadb")
    assert done.code == 0, done.screen
    assert "8 passed" in done.screen
    assert done.screen.count("cases at a time, fewer than --in-flight") == 1


@pytest.mark.parametrize("number", ["0", "65", "many"])
def test_an_invalid_number_of_cases_in_flight_is_refused(number: str) -> None:
    done = run_pytest("cases/forms.yaml", "--in-flight", number)
    assert done.code == 4
    assert "is not a number of cases from 1 to 64" in done.screen


def test_the_text_of_a_case_in_flight_is_short_whatever_ran_beside_it() -> None:
    # pytest makes this text when a run is interrupted; with all neighbours of each neighbour it would never end.
    case = suite_in([ROOT / "cases"]).cases[0]
    flights = [_Flight(f"number-{number}", case) for number in range(60)]
    for flight in flights:
        flight.beside.update(flights)
        flight.suspects.extend(flights)
    assert "number-1'" not in repr(flights[0])
