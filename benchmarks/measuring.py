"""Helpers of all figures: a line of the table, the duration of a call, and a run of the suite."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from runner.plugin.embedded_simulator import EmbeddedSimulator
from tests.support.paths import ROOT


@dataclass(frozen=True)
class Figure:
    """A line of the table.

    Attributes:
        what, measured: what was measured, and the result.
        than, compared: what it is compared with, and that one's result of the same run of the benchmarks.
        unit: of both results.
        target: the ratio to reach, as text.
    """

    what: str
    measured: float
    than: str
    compared: float
    unit: str
    target: str

    @property
    def line(self) -> str:
        """The line, in Markdown."""
        numbers = f"{self.measured:,.4g} {self.unit} | {self.compared:,.4g} {self.unit}"
        return f"| {self.what} | {self.than} | {numbers} | {self.measured / self.compared:.2f} | {self.target} |"


@dataclass(frozen=True)
class Missing:
    """A line for what was not measured, with the reason."""

    what: str
    than: str
    reason: str
    target: str

    @classmethod
    def because(cls, what: str, than: str, error: Exception, target: str) -> Missing:
        """For a server that did not start; the table has the first line of the error, the standard error all of it."""
        print(error, file=sys.stderr)
        return cls(what, than, str(error).splitlines()[0], target)

    @property
    def line(self) -> str:
        """The line, in Markdown."""
        return f"| {self.what} | {self.than} | not measured: {self.reason} | | | {self.target} |"


def seconds_of(action: Callable[[], object]) -> float:
    """The seconds that an action takes."""
    start = time.monotonic()
    action()
    return time.monotonic() - start


def median_seconds(action: Callable[[], object], times: int = 3) -> float:
    """The median of the seconds that an action takes."""
    return statistics.median(seconds_of(action) for _ in range(times))


@contextmanager
def simulator(*options: str) -> Iterator[str]:
    """The DSN of a simulator that is started as a run starts its own; it ends with the block."""
    started = EmbeddedSimulator(*options)
    try:
        yield started.dsn
    finally:
        started.stop()


def run_process(arguments: Sequence[str], codes: Sequence[int] = (0,), limit: float = 900) -> str:
    """Runs Python with these arguments in the checkout, and returns what it printed.

    Raises:
        RuntimeError: the exit code is none of ``codes``; a figure of a run that failed means nothing.
        subprocess.TimeoutExpired: it took more than ``limit`` seconds.
    """
    environment = {name: value for name, value in os.environ.items() if name != "KSC_DSN"}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment | {"COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=limit,
        check=False,
    )
    if done.returncode not in codes:
        raise RuntimeError(f"{' '.join(arguments)}: exit code {done.returncode}\n{done.stdout[-2000:]}")
    return done.stdout


def run_suite(record: Path, *options: str, codes: Sequence[int] = (0,), limit: float = 900) -> float:
    """Seconds from the command to the verdict of a run with these options; ``record`` is where its record goes.

    Raises:
        RuntimeError, subprocess.TimeoutExpired: see ``run_process``.
    """
    command = ["-m", "pytest", "cases", "-q", "-p", "no:cacheprovider", "-p", "no:hypothesispytest"]
    return seconds_of(lambda: run_process([*command, "--record", str(record), *options], codes, limit))
