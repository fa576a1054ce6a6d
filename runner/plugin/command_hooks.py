"""Hooks of ``kill-session-conformance run`` alone: its name in messages; a run without cases is a usage error."""

from __future__ import annotations

from typing import Any

import pytest

from runner.plugin.collection import chosen_files

pytest_plugins = ["runner.plugin.hooks"]

_NO_CASES = """no cases found in {}
    hint: cases are YAML files in or below a folder with their register, requirements.yaml; without a path, \
run takes the folder 'cases' in the current folder, or else the cases of the suite"""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Names the command in ``--help`` and in usage errors."""
    parser.prog = "kill-session-conformance run"


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Rejects paths without cases.

    Raises:
        pytest.UsageError: the paths contain no cases.
    """
    config = session.config
    if not any(chosen_files(config.args, config.invocation_params.dir)):
        raise pytest.UsageError(_NO_CASES.format(", ".join(config.args)))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Makes options that select no case a usage error, too."""
    if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
        session.exitstatus = pytest.ExitCode.USAGE_ERROR


def pytest_terminal_summary(terminalreporter: Any, exitstatus: int) -> None:
    """Reports that no case was selected."""
    if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
        terminalreporter.write_line("no cases found: the paths and options (-k, -m, --requirement) exclude all cases")
