"""Starts simulators, runs of the suite and its commands: forks a process that has all modules loaded.

A fork takes a tenth of the time of a start. The processes are separate, and communicate over the network only.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from multiprocessing.connection import Connection, wait
from pathlib import Path

import pytest

from runner.plugin.pytest_arguments import pytest_arguments

ROOT = Path(__file__).resolve().parents[2]
_START_LIMIT = 20.0  # seconds
_STOP_LIMIT = 5.0
_PRELOADED = "runner.proof.preload"
_ONE_AT_A_TIME = threading.Lock()
"""The exit code of a process can be read once, and each start reads those of all: two threads would lose one (255)."""
# Modules that are imported before pytest starts are no tests, so that their assertions need not be rewritten.
_QUIET = ("-W", "ignore::pytest.PytestAssertRewriteWarning")
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload([_PRELOADED])

SUITE = "kill-session-conformance"
PYTEST = "pytest"
WITNESSES = "witnesses"


def preload(*modules: str) -> None:
    """Names more modules that are imported before the first fork; without effect after it."""
    _FORKS.set_forkserver_preload([_PRELOADED, *modules])


class ForkedProgram:
    """A program as a process.

    Args:
        words: its command line: ``kill-session-conformance``, ``pytest`` or ``witnesses``, and the arguments.
        streams: for standard input, output and error (0, 1, 2) the end of a pipe, or a file to write. A stream that is
            not named is that of the first process that was started in this way.
        folder: the working directory.
        environment: the environment variables; None: those of this process.
    """

    def __init__(
        self,
        words: Sequence[str],
        streams: Mapping[int, Connection | Path],
        *,
        folder: Path = ROOT,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Starts the process."""
        variables = dict(os.environ if environment is None else environment)
        self._process = _FORKS.Process(target=_run, args=(list(words), dict(streams), folder, variables))
        with _ONE_AT_A_TIME:
            self._process.start()

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._process.pid or 0

    def exit_code(self, limit: float) -> int:
        """The exit code; waits ``limit`` seconds for it, then kills the process. Negative if the process was killed."""
        wait([self._process.sentinel], limit)
        with _ONE_AT_A_TIME:
            if self._process.is_alive():
                self._process.kill()
            self._process.join()
        return -1 if self._process.exitcode is None else self._process.exitcode

    def send_signal(self, number: int) -> None:
        """Sends a signal, unless the process has ended."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)


class ForkedSimulator:
    """A simulator process; it ends with this process, also if this process is killed.

    Attributes:
        dsn: where it listens.
        program: the process.
    """

    def __init__(self, *options: str, errors: Path | None = None) -> None:
        """Starts the simulator with these command-line options.

        Args:
            options: its options.
            errors: the file for its standard error; None: this process's.

        Raises:
            RuntimeError: the simulator did not start in 20 seconds.
        """
        stdin, self._stdin = _FORKS.Pipe(duplex=False)
        stdout, child_stdout = _FORKS.Pipe(duplex=False)
        streams = {0: stdin, 1: child_stdout} | ({} if errors is None else {2: errors})
        self.program = ForkedProgram([SUITE, "simulate", "--port", "0", "--until-stdin-closes", *options], streams)
        stdin.close()
        child_stdout.close()
        with stdout:
            self.dsn = os.read(stdout.fileno(), 1000).decode().strip() if stdout.poll(_START_LIMIT) else ""
        if not self.dsn:
            self.stop()
            raise RuntimeError("the simulator did not start")

    def stop(self, limit: float = _STOP_LIMIT) -> int:
        """Ends the process and returns its exit code, negative if it had to be killed after ``limit`` seconds."""
        self._stdin.close()
        return self.program.exit_code(limit)


class ForkedSuite(ForkedProgram):
    """A run of the suite: the process of ``kill-session-conformance run``, with its output in a file."""

    def __init__(self, arguments: Sequence[str], screen: Path) -> None:
        """Starts the run with these arguments; ``screen`` is the file for the output."""
        # The job's annotations are not about deviations of a defect.
        hidden = ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY")
        variables = {name: value for name, value in os.environ.items() if name not in hidden}
        super().__init__([SUITE, "run", *arguments], {1: screen, 2: screen}, environment=variables)


def _run(
    words: Sequence[str], streams: Mapping[int, Connection | Path], folder: Path, variables: Mapping[str, str]
) -> None:
    import_module(_PRELOADED)  # already imported; otherwise this raises the error that the fork server hides
    opened: dict[Path, int] = {}
    for number, stream in streams.items():
        if isinstance(stream, Path):
            if stream not in opened:
                opened[stream] = os.open(stream, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(opened[stream], number)
        else:
            os.dup2(stream.fileno(), number)
            stream.close()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    sys.exit(_main(words[0], words[1:]))


def _main(program: str, arguments: Sequence[str]) -> int:
    if program == PYTEST:
        return int(pytest.main([*_QUIET, *arguments]))
    if program == WITNESSES:
        return int(import_module("runner.proof.witness_runs").main(arguments))
    if arguments[:1] == ["run"]:
        return int(pytest.main([*_QUIET, *pytest_arguments(arguments[1:])]))
    # By its name: the command line imports the commands, and one of them this package.
    return int(import_module("runner.cli").main(arguments))
