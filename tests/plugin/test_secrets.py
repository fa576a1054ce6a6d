"""A password is shown nowhere, however it is given: not on the screen, in files, in tracebacks or in process lists."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import pytest

from runner.database.dsn import Dsn
from tests.plugin.written_cases import arguments_of, write_case
from tests.support.paths import ROOT
from tests.support.simulator_process import SimulatorProcess
from tests.support.suite_run import LIMIT, SuiteRun, environment, pytest_command, run_pytest

SECRET = "s3cret/W%rd"  # noqa: S105 - what must not be found
TRACES = [SECRET, quote(SECRET, safe=""), "s3cret"]

DEVIATES = """
steps:
  - killer: ALTER SYSTEM KILL SESSION '${victim.id}'
    reply: ok
ends: []
"""


@pytest.fixture(scope="module")
def target() -> Iterator[Dsn]:
    simulator = SimulatorProcess("--admin-password", SECRET)
    yield Dsn.parse(simulator.dsn)
    simulator.stop()


@dataclass
class Given:
    """A way of giving the password: what stands on the command line and in the environment."""

    options: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)


@pytest.fixture(params=["--dsn", "KSC_DSN", "passfile"])
def given(request: pytest.FixtureRequest, target: Dsn, tmp_path: Path) -> Given:
    if request.param == "--dsn":
        return Given(["--dsn", target.text_with_password])
    if request.param == "KSC_DSN":
        return Given(environment={"KSC_DSN": target.text_with_password})
    path = tmp_path / "password"
    path.touch(0o600)
    path.write_text(f"{SECRET}\n")
    return Given(["--dsn", f"{target.shown}?passfile={quote(str(path), safe='')}"])


def run_given(given: Given, *arguments: str, folder: Path = ROOT) -> SuiteRun:
    return run_pytest(*arguments, *given.options, folder=folder, variables=given.environment)


def assert_hidden(*texts: str) -> None:
    for text in texts:
        for trace in TRACES:
            assert trace not in text


def written(folder: Path) -> list[str]:
    """All that a run has left in a folder."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "password"]
    return [path.read_text(encoding="utf-8", errors="replace") for path in files]


@pytest.mark.long
@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["alone", "workers"])
def test_a_failing_run_does_not_show_the_password(given: Given, workers: list[str], tmp_path: Path) -> None:
    write_case(tmp_path, DEVIATES)
    out = tmp_path / "out"
    out.mkdir()
    files = ["--record", str(out / "record.json"), "--junitxml", str(out / "junit.xml")]
    done = run_given(
        given, *arguments_of(tmp_path), *files, *workers, "-vv", "-l", "--full-trace", "-rA", "--durations=0"
    )
    assert done.code == 1, done.screen
    assert "rerun:" in done.screen
    assert len(written(out)) == 2
    assert_hidden(done.screen, *written(out))


def test_the_list_of_cases_does_not_show_the_password(given: Given) -> None:
    done = run_given(given, "cases/forms.yaml", "--collect-only", "-v")
    assert done.code == 0
    assert_hidden(done.screen)


def test_an_unreachable_target_does_not_show_the_password(given: Given, target: Dsn) -> None:
    here, gone = f":{target.port}/", ":1/"
    moved = Given(
        [option.replace(here, gone) for option in given.options],
        {name: value.replace(here, gone) for name, value in given.environment.items()},
    )
    done = run_given(moved, "cases/forms.yaml", "--requirement", "SYN-2", "-l", "--full-trace")
    assert done.code == 4
    assert "Connection refused" in done.screen
    assert_hidden(done.screen)


SABOTAGE = {
    "Ctrl-C while the password is sent": """
import os, pymysql, signal, time
def send(data):
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(2)
pymysql.Connection.write_packet = lambda self, payload: send(self.password)
""",
    "an error while the session logs in": """
import threading
def start(self):
    raise RuntimeError("can't start new thread")
threading.Thread.start = start
""",
}


@pytest.mark.parametrize("sabotage", SABOTAGE.values(), ids=list(SABOTAGE))
def test_a_crash_during_a_login_does_not_show_the_password(target: Dsn, sabotage: str, tmp_path: Path) -> None:
    (tmp_path / "saboteur.py").write_text(sabotage)
    options = [
        "-p",
        "saboteur",
        "--requirement",
        "SYN-2",
        "-l",
        "--full-trace",
        "-vv",
        "--dsn",
        target.text_with_password,
    ]
    done = subprocess.run(  # a start, as only that reads PYTHONPATH
        pytest_command("cases/forms.yaml", *options),
        cwd=ROOT,
        env=environment({"PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode in {2, 3}
    assert "administrator_session.py:" in done.stdout  # there is a traceback, and the login is in it
    assert_hidden(done.stdout)


@pytest.mark.long
def test_no_process_that_a_run_starts_shows_the_password(given: Given) -> None:
    arguments = ["cases/ending.yaml", "-k", "idle", "-n", "2", "-q"]
    command = pytest_command(*arguments, *given.options)
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment() | given.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    seen: set[str] = set()
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():
            seen.update(descendants(process.pid))
            time.sleep(0.02)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        screen, _ = process.communicate(timeout=LIMIT)
    finally:
        over.set()
        watcher.join()
        process.kill()
    assert process.returncode == 0, screen
    seen.discard(shown(command))  # between fork and exec a child still has the command line that the user typed
    assert len(seen) >= 1
    assert_hidden(screen, *seen)


def descendants(ancestor: int) -> list[str]:
    """The command lines of the processes that a process has started, and those that they have."""
    lines, parents = [], [ancestor]
    while parents:
        with contextlib.suppress(OSError):  # one of them has ended
            for file in Path(f"/proc/{parents.pop()}/task").glob("*/children"):
                for child in map(int, file.read_text().split()):
                    parents.append(child)
                    words = Path(f"/proc/{child}/cmdline").read_text(errors="replace").rstrip("\0").split("\0")
                    lines.append(shown(words))
    return [line for line in lines if line]


def shown(command: list[str]) -> str:
    """A command as the process list shows it."""
    return " ".join(command)


# Which of them counts, and what is said of it


def test_the_environments_target_is_named_with_its_source(target: Dsn) -> None:
    done = run_given(
        Given(environment={"KSC_DSN": target.text_with_password}), "cases/forms.yaml", "--requirement", "SYN-2"
    )
    assert done.code == 0
    assert f"target from KSC_DSN: {target.shown}, profile" in done.screen
    assert "embedded" not in done.screen


def test_the_command_lines_target_overrides_the_environments(target: Dsn) -> None:
    given = Given(["--dsn", target.text_with_password], {"KSC_DSN": "oceanbase://SYS@127.0.0.1:1/"})
    done = run_given(given, "cases/forms.yaml", "--requirement", "SYN-2")
    assert done.code == 0
    assert f"target: {target.shown}" in done.screen


@pytest.mark.parametrize("text", ["", f"SYS:{SECRET}@127.0.0.1", f"oceanbase://SYS:{SECRET}@h/?passfile=/nowhere"])
def test_an_invalid_dsn_in_the_environment_is_exit_code_4(text: str) -> None:
    done = run_given(Given(environment={"KSC_DSN": text}), "cases/forms.yaml", "--requirement", "SYN-2")
    assert done.code == 4
    assert "KSC_DSN: the DSN " in done.screen
    assert_hidden(done.screen)
    assert done.shows_no_internals()


def test_a_rerun_of_the_environments_target_needs_the_environment_alone(target: Dsn, tmp_path: Path) -> None:
    write_case(tmp_path, DEVIATES)
    done = run_given(Given(environment={"KSC_DSN": target.text_with_password}), *arguments_of(tmp_path))
    (rerun,) = (line for line in done.screen.splitlines() if "rerun:" in line)
    assert "--dsn" not in rerun
    assert rerun.endswith("--profile oceanbase-oracle")


def test_a_rerun_with_a_passfile_needs_no_password(target: Dsn, tmp_path: Path) -> None:
    write_case(tmp_path, DEVIATES)
    path = tmp_path / "password"
    path.touch(0o600)
    path.write_text(SECRET)
    done = run_given(Given(["--dsn", f"{target.shown}?passfile={path}"]), *arguments_of(tmp_path))
    (rerun,) = (line for line in done.screen.splitlines() if "rerun:" in line)
    assert f"--dsn '{target.shown}?passfile={quote(str(path), safe='')}'" in rerun


BAD = {
    "passfile=/nowhere": "passfile '/nowhere' can't be read: No such file",
    "ssl_ca=/nowhere": "ssl_ca '/nowhere' can't be read: No such file",
    "ssl_verify=yes": "ssl_verify must be one of full, ca, none",
    "connect_timeout=0": "connect_timeout must be seconds above 0",
}


@pytest.mark.parametrize(("option", "said"), BAD.items(), ids=list(BAD))
def test_an_invalid_option_of_the_dsn_is_exit_code_4(target: Dsn, option: str, said: str) -> None:
    done = run_given(Given(["--dsn", f"{target.shown}?{option}"]), "cases/forms.yaml", "--requirement", "SYN-2")
    assert done.code == 4
    assert "--dsn: the DSN" in done.screen
    assert said in done.screen
    assert done.shows_no_internals()


def test_a_server_without_tls_is_exit_code_4_if_the_dsn_requires_tls(target: Dsn) -> None:
    done = run_given(
        Given(["--dsn", f"{target.text_with_password}?ssl_verify=none"]), "cases/forms.yaml", "--requirement", "SYN-2"
    )
    assert done.code == 4
    assert "can't be used: the administrator 'SYS@oracle' can't log in: the DSN requires TLS" in done.screen
    assert_hidden(done.screen)
    assert done.shows_no_internals()


def test_the_dsns_limit_for_a_login_is_kept() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        dsn = f"oceanbase://SYS:{SECRET}@127.0.0.1:{silent.getsockname()[1]}/?connect_timeout=0.5"
        done = run_given(Given(["--dsn", dsn]), "cases/forms.yaml", "--requirement", "SYN-2")
    assert done.code == 4
    assert "can't log in: no handshake within 0.5 s" in done.screen
    assert_hidden(done.screen)
