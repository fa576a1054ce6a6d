"""Simulators and runs of the suite, as processes that are forked from one that has imported what they begin with.

A fork takes a tenth of a start. They are processes of their own as ever, and meet on the wire.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from importlib import import_module
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from runner.plugin.invocation import arguments as arguments_of_run

ROOT = Path(__file__).resolve().parents[2]
_START_LIMIT = 20.0  # seconds
_STOP_LIMIT = 5.0
_WARM = "runner.proof.warm"
_ONE_AT_A_TIME = threading.Lock()
"""A process's end is told once, and every start asks after all of them: two threads that ask would tell one a 255."""
# What is imported before pytest starts has its assertions as they are: they are not those of a test.
_QUIET = ("-W", "ignore::pytest.PytestAssertRewriteWarning")
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload([_WARM])


class ForkedSimulator:
    """A simulator; it ends with this process, also when that is killed."""

    def __init__(self, *options: str) -> None:
        """Starts it with these options of its command line.

        Raises:
            RuntimeError: it did not come up.
        """
        stdin, self._stdin = _FORKS.Pipe(duplex=False)
        stdout, child_stdout = _FORKS.Pipe(duplex=False)
        self._process = _FORKS.Process(target=_simulate, args=(options, stdin, child_stdout))
        _start(self._process)
        stdin.close()
        child_stdout.close()
        with stdout:
            self.dsn = os.read(stdout.fileno(), 1000).decode().strip() if stdout.poll(_START_LIMIT) else ""
        if not self.dsn:
            self.stop()
            raise RuntimeError("the simulator did not start")

    def stop(self) -> int:
        """Ends it and waits until it is gone; the answer is its exit code, negative if it had to be killed."""
        self._stdin.close()
        _await(self._process, _STOP_LIMIT)
        return -1 if self._process.exitcode is None else self._process.exitcode


class ForkedSuite:
    """A run of the suite: ``kill-session-conformance run`` with these arguments, its output in a file.

    Args:
        arguments: the command's.
        screen: the file for what it prints.
        as_pytest: whether the command is ``pytest`` instead.
        folder: where it is started.
        environment: its environment variables; without, this process's.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        screen: Path,
        *,
        as_pytest: bool = False,
        folder: Path = ROOT,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Starts it."""
        variables = dict(os.environ if environment is None else environment)
        words = (arguments, screen, as_pytest, folder, variables)
        self._process = _FORKS.Process(target=_run_suite, args=words)
        _start(self._process)

    def exit_code(self, limit: float) -> int:
        """Its exit code, awaited ``limit`` seconds; negative if it had to be killed then, or was."""
        _await(self._process, limit)
        return -1 if self._process.exitcode is None else self._process.exitcode


def _start(process: BaseProcess) -> None:
    with _ONE_AT_A_TIME:
        process.start()


def _await(process: BaseProcess, limit: float) -> None:
    wait([process.sentinel], limit)
    with _ONE_AT_A_TIME:
        if process.is_alive():
            process.kill()
        process.join()


def _simulate(options: Sequence[str], stdin: Connection, stdout: Connection) -> None:
    import_module(_WARM)  # there already, or else the fork server would hide why it is not
    os.dup2(stdin.fileno(), 0)
    os.dup2(stdout.fileno(), 1)
    stdin.close()
    stdout.close()
    main = import_module("runner.simulator.command").main
    sys.exit(main(["--port", "0", "--until-stdin-closes", *options]))


def _run_suite(
    arguments: Sequence[str], screen: Path, as_pytest: bool, folder: Path, variables: dict[str, str]
) -> None:
    import_module(_WARM)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):
        os.environ.pop(name, None)  # a defect that is caught is no news for a job
    output = os.open(screen, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.exit(pytest.main([*_QUIET, *(arguments if as_pytest else arguments_of_run(arguments))]))
