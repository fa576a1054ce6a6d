"""What ``kill-session-conformance run`` adds to the plugin: cases alone are run, and without any it is bad usage."""

from __future__ import annotations

from typing import Any

import pytest

from runner.plugin.collection import chosen_files

pytest_plugins = ["runner.plugin.hooks"]

_NO_CASES = """no cases found in {}
    hint: cases are YAML files in a folder called cases that holds their register, requirements.yaml; without a path, \
run takes the folder cases here, or else the cases that come with the suite"""


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Refuses paths without cases.

    Raises:
        pytest.UsageError: there are none.
    """
    config = session.config
    if not any(chosen_files(config.args, config.invocation_params.dir)):
        raise pytest.UsageError(_NO_CASES.format(", ".join(config.args)))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Options that leave no case are bad usage, too."""
    if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
        session.exitstatus = pytest.ExitCode.USAGE_ERROR


def pytest_terminal_summary(terminalreporter: Any, exitstatus: int) -> None:
    """Reports that no case was left."""
    if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
        terminalreporter.write_line("no cases found: paths and options (-k, -m, --requirement) leave none to run")
