"""Simulators as processes, forked from one that has all modules loaded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile

from runner.proof.forked_programs import ForkedSimulator
from tests.support.eventually import PATIENCE


class SimulatorProcess:
    """A simulator; it ends with this process, also if this process is killed.

    Attributes:
        dsn: where it listens, and its administrator.
        pid: the id of its process.
        errors: its standard error, once it has ended.
    """

    def __init__(self, *options: str) -> None:
        """Starts the simulator with these command-line options.

        Raises:
            RuntimeError: it did not start in 20 seconds.
        """
        self._file = NamedTemporaryFile("r", encoding="utf-8", errors="replace", prefix="ksc-simulator-")  # noqa: SIM115 - until the end of the simulator
        try:
            self._simulator = ForkedSimulator(*options, errors=Path(self._file.name))
        except RuntimeError as error:
            with self._file:
                raise RuntimeError(f"{error}: {self._file.read()}") from error
        self.dsn = self._simulator.dsn
        self.pid = self._simulator.program.pid
        self.errors = ""

    def send_signal(self, number: int) -> None:
        """Sends a signal, unless the process has ended."""
        self._simulator.program.send_signal(number)

    def stop(self) -> int:
        """Ends the simulator and returns its exit code, negative if it had to be killed."""
        code = self._simulator.stop(PATIENCE)
        if not self._file.closed:
            with self._file:
                self.errors = self._file.read()
        return code


@contextmanager
def simulator(*options: str) -> Iterator[str]:
    """The DSN of a simulator with these options, which ends with the block."""
    started = SimulatorProcess(*options)
    try:
        yield started.dsn
    finally:
        started.stop()
