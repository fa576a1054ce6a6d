"""The suite as it is installed: a wheel, in an environment of its own, used in a folder that knows nothing of it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.own_cases import number_of_cases
from tests.support.paths import ROOT

_LIMIT = 300.0  # seconds: packages are downloaded
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
NEED_CASES = [
    ["run"],
    ["lint"],
    ["explain", "SYN-1"],
    ["accounts"],
    ["prove"],
    ["doctor", "--dsn", "oceanbase://SYS@127.0.0.1:1/"],
    ["sweep", "--dsn", "oceanbase://SYS@127.0.0.1:1/"],
]


@dataclass(frozen=True)
class Installed:
    """An environment with the wheel, and the folder in which its commands are typed."""

    environment: Path
    folder: Path

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return _done([str(self.environment / "bin" / "kill-session-conformance"), *arguments], self.folder)

    @contextlib.contextmanager
    def simulator(self) -> Iterator[str]:
        command = [str(self.environment / "bin" / "kill-session-conformance"), "simulate"]
        with subprocess.Popen(command, cwd=self.folder, env=_plain(), stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                yield process.stdout.readline().strip()
            finally:
                process.terminate()


def _plain() -> dict[str, str]:
    """A user's environment: no settings of ours for Python, no target."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "KSC_"))}


def _done(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, env=_plain(), capture_output=True, text=True, timeout=_LIMIT, check=False
    )


def _made(command: list[str], folder: Path) -> None:
    done = _done(command, folder)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel that is built from the source archive, as packagers do."""
    base = tmp_path_factory.mktemp("installed")
    _made([sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(base)], ROOT)
    (archive,) = base.glob("*.tar.gz")
    with tarfile.open(archive) as content:
        content.extractall(base, filter="data")
    source = base / archive.name.removesuffix(".tar.gz")
    _made([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(base)], source)
    (wheel,) = base.glob("*.whl")
    shutil.rmtree(source)
    _made([sys.executable, "-m", "venv", "--without-pip", str(base / "env")], base)
    pip = [sys.executable, "-m", "pip", "--python", str(base / "env" / "bin" / "python")]
    _made([*pip, "install", "--quiet", "--no-compile", str(wheel)], base)
    folder = base / "a folder [of mine]"
    (folder / "runner").mkdir(parents=True)
    (folder / "runner" / "__init__.py").write_text("raise SystemExit('this is another runner')\n", "utf-8")
    (folder / "cases").mkdir()
    (folder / "cases" / "theirs.yaml").write_text("a: case\n", "utf-8")
    (folder / "test_theirs.py").write_text("def test_theirs(): raise AssertionError\n", "utf-8")
    (folder / "conftest.py").write_text("raise AssertionError('not to be read')\n", "utf-8")
    (folder / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n", "utf-8")
    return Installed(base / "env", folder)


def test_the_suite_runs_in_any_folder_and_its_record_can_be_published(installed: Installed) -> None:
    done = installed.command("run", "-n", "2", "--requirement", "SYN-1", "--requirement", "PAR-2", "--record", "r.json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout
    record = json.loads((installed.folder / "r.json").read_text("utf-8"))
    assert (record["run"]["suite"], record["run"]["cases"]) == (VERSION, number_of_cases())
    assert {row["place"].partition(":")[0] for row in record["results"]} <= {
        f"cases/{path.name}" for path in (ROOT / "cases").iterdir()
    }
    done = installed.command("report", "r.json", "--out", "site")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"suite {VERSION}" in (installed.folder / "site" / "report.md").read_text("utf-8")


def test_a_case_can_be_chosen_by_the_name_on_the_screen(installed: Installed) -> None:
    done = installed.command("explain", "SYN-1")
    assert (done.returncode, "  cases/forms.yaml::serial-form\n" in done.stdout) == (0, True), done.stdout
    done = installed.command("run", "cases/forms.yaml::serial-form", "-q")
    assert (done.returncode, "1 passed" in done.stdout) == (0, True), done.stdout + done.stderr


@pytest.mark.long
def test_the_second_suite_is_named_by_its_folder_everywhere(installed: Installed) -> None:
    done = installed.command("explain", "QUERY-1", "--cases", "kill")
    assert (done.returncode, "  kill/cases/query.yaml::" in done.stdout) == (0, True), done.stdout + done.stderr
    done = installed.command("lint", "kill")
    assert (done.returncode, done.stdout.splitlines()[-1].endswith("0 problems")) == (0, True), done.stderr
    done = installed.command("run", "kill", "--requirement", "QUERY-2", "-q")
    assert (done.returncode, "2 passed" in done.stdout) == (0, True), done.stdout + done.stderr
    done = installed.command("run", "kill/cases/query.yaml::session-goes-on", "-q", "--record", "k.json")
    assert (done.returncode, "1 passed" in done.stdout) == (0, True), done.stdout + done.stderr
    (result,) = json.loads((installed.folder / "k.json").read_text("utf-8"))["results"]
    assert result["place"].startswith("kill/cases/query.yaml:")


def test_the_doctor_examines_the_simulator_on_a_free_port(installed: Installed) -> None:
    with installed.simulator() as dsn:
        done = installed.command("doctor", "--dsn", dsn)
    found = re.search(r"(\d+) of (\d+) cases can be decided: nothing is missing", done.stdout)
    assert (done.returncode, found is not None) == (0, True), done.stdout + done.stderr
    assert found is not None
    assert found[1] == found[2]
    assert number_of_cases() - 10 < int(found[2]) <= number_of_cases(), "all but the few that need an option to be sent"


def test_lint_checks_the_cases_and_profiles_that_were_installed(installed: Installed) -> None:
    done = installed.command("lint")
    assert (done.returncode, done.stdout.splitlines()[-1].partition(" case files, ")[2]) == (
        0,
        f"{number_of_cases()} cases, 4 profiles, 0 problems",
    ), done.stderr


def test_accounts_are_prepared_for_the_installed_cases(installed: Installed) -> None:
    done = installed.command("accounts")
    assert done.returncode == 0, done.stderr
    assert "CREATE USER" in done.stdout
    assert "user: " in (installed.folder / "accounts.yaml").read_text("utf-8")


@pytest.mark.long
def test_a_defect_is_proved(installed: Installed) -> None:
    done = installed.command("prove", "refuses-immediate")
    assert (done.returncode, "0 fail" in done.stdout) == (0, True), done.stdout + done.stderr


def test_python_m_does_the_same_in_a_folder_without_a_package_of_the_same_name(
    installed: Installed, tmp_path: Path
) -> None:
    python = str(installed.environment / "bin" / "python")
    done = _done([python, "-m", "runner", "explain", "SYN-1"], tmp_path)
    assert (done.returncode, done.stdout) == (0, installed.command("explain", "SYN-1").stdout)


@pytest.mark.parametrize("options", [["-k", "no-case-has-this-name"], ["."], ["cases/theirs.yaml"]], ids=" ".join)
def test_a_run_of_no_cases_is_exit_code_4(installed: Installed, options: list[str]) -> None:
    done = installed.command("run", *options)
    assert (done.returncode, "no cases found" in done.stdout + done.stderr) == (4, True), done.stdout + done.stderr


@pytest.fixture(scope="module")
def without_cases(installed: Installed) -> Iterator[Installed]:
    """The same, of which somebody has removed the cases."""
    (cases,) = installed.environment.glob("lib/python3*/site-packages/runner/cases")
    cases.rename(cases.with_name("elsewhere"))
    yield installed
    cases.with_name("elsewhere").rename(cases)


@pytest.mark.parametrize("arguments", NEED_CASES, ids=lambda words: words[0])
def test_without_cases_every_command_that_needs_cases_is_exit_code_4(
    without_cases: Installed, arguments: list[str]
) -> None:
    done = without_cases.command(*arguments)
    assert (done.returncode, "no cases found" in done.stdout + done.stderr) == (4, True), done.stdout + done.stderr
