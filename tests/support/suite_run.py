"""Runs the suite for tests: pytest on cases, and the commands of ``kill-session-conformance``.

The processes are forked from one that has all modules and cases loaded, which saves two seconds of processor time for
each. Where a test is about the start itself (signals, pipes, the working directory's modules), it starts
``pytest_command``.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from runner.proof.forked_programs import PYTEST, SUITE, ForkedProgram, preload
from tests.support.paths import CASES, ROOT

LIMIT = 300.0
"""The seconds after which a process is killed, and the test fails; enough for a slow machine."""
PLUGINS_LEFT_OUT = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest")
_NOT_INHERITED = {"KSC_DSN", "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_WORKSPACE"}

preload("tests.support.preload")


@dataclass(frozen=True)
class SuiteRun:
    """The result of a process.

    Attributes:
        code: its exit code.
        out: its standard output.
        err: its standard error.
        record: the record of the run; without results if there is none.
    """

    code: int
    out: str
    err: str
    record: dict[str, Any] = field(default_factory=lambda: {"results": []})

    @property
    def screen(self) -> str:
        """Standard output, then standard error."""
        return self.out + self.err

    def results(self, **wanted: str) -> list[dict[str, Any]]:
        """The results with these values."""
        return [row for row in self.record["results"] if all(row[key] == value for key, value in wanted.items())]

    def result(self, name: str) -> dict[str, Any]:
        """The one result of a case."""
        (found,) = self.results(name=name)
        return found

    def shows_no_internals(self) -> bool:
        """Whether the output contains no traceback and no other internals of the suite."""
        return not any(word in self.screen for word in ("Traceback", "INTERNALERROR", ".py:", "Error(", 'File "'))


def run_suite(record: Path, *options: str, limit: float = LIMIT, cases: Path = CASES) -> SuiteRun:
    """Runs pytest on a folder of cases with these options; ``record`` is the file for the record."""
    folder = [str(cases)] if cases.is_relative_to(ROOT) else elsewhere(cases)
    done = run_pytest(*folder, "--record", str(record), *options, variables={"COLUMNS": "200"}, limit=limit)
    return replace(done, record=json.loads(record.read_text(encoding="utf-8"))) if record.exists() else done


def run_pytest(
    *arguments: str, folder: Path = ROOT, variables: Mapping[str, str] | None = None, limit: float = LIMIT
) -> SuiteRun:
    """Runs ``pytest ARGUMENTS`` in a folder.

    Args:
        arguments: its arguments.
        folder: the working directory.
        variables: environment variables besides those of ``environment``; Python's own (``PYTHON...``) have no effect,
            as they are read at a start.
        limit: the seconds after which the process is killed, and the test fails.
    """
    return _run([PYTEST, *PLUGINS_LEFT_OUT, *arguments], folder, environment(variables), limit)


def start_pytest(*arguments: str) -> ForkedProgram:
    """Starts ``pytest ARGUMENTS`` without waiting for its end; its output is discarded."""
    nowhere = Path(os.devnull)
    words = [PYTEST, *PLUGINS_LEFT_OUT, *arguments]
    return ForkedProgram(words, {1: nowhere, 2: nowhere}, environment=environment())


def run_command(
    *arguments: str | Path, folder: Path = ROOT, variables: Mapping[str, str] | None = None, limit: float = LIMIT
) -> SuiteRun:
    """Runs ``kill-session-conformance ARGUMENTS`` likewise."""
    return _run([SUITE, *map(str, arguments)], folder, environment(variables), limit)


def elsewhere(cases: Path) -> list[str]:
    """The arguments with which pytest runs a folder of cases outside the checkout."""
    return ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT), "-p", "runner.plugin.hooks", str(cases)]


def pytest_command(*arguments: str) -> list[str]:
    """The command line with which pytest is started, not forked."""
    return [sys.executable, "-m", "pytest", *PLUGINS_LEFT_OUT, *arguments]


def environment(variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment variables with some others, without what the developer or a CI job has set."""
    own = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
    return own | {"COLUMNS": "160", "PYTHONPATH": str(ROOT), "PY_COLORS": "0"} | dict(variables or {})


def _run(words: Sequence[str], folder: Path, variables: Mapping[str, str], limit: float) -> SuiteRun:
    with TemporaryDirectory(prefix="ksc-streams-") as name:
        out, err = Path(name, "out"), Path(name, "err")
        code = ForkedProgram(words, {1: out, 2: err}, folder=folder, environment=variables).exit_code(limit)
        done = SuiteRun(code, _printed(out), _printed(err))
    assert code >= 0, f"killed after {limit} s, or by a signal:\n{done.screen}"
    return done


def _printed(path: Path) -> str:
    return path.read_text("utf-8", errors="replace") if path.exists() else ""
