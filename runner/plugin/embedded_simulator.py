"""The embedded simulator: a separate process, the target of runs without a DSN."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

_START_LIMIT = 20.0  # seconds
_STOP_LIMIT = 5.0


class EmbeddedSimulator:
    """A simulator process for all workers of a run. It ends with this process, also if this process is killed."""

    def __init__(self, *options: str) -> None:
        """Starts the simulator with these command-line options.

        Raises:
            RuntimeError: the simulator did not start in 20 seconds.
        """
        root = Path(__file__).resolve().parents[2]
        paths = [str(root), *filter(None, [os.environ.get("PYTHONPATH")])]
        variables = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        self._process = start(["--port", "0", "--until-stdin-closes", *options], variables)
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        ready, _, _ = select.select([self._process.stdout], [], [], _START_LIMIT)
        self.dsn = self._process.stdout.readline().strip() if ready else ""
        if not self.dsn:
            self.stop()
            raise RuntimeError("the embedded simulator did not start")

    def stop(self) -> None:
        """Ends the process and waits for its end, 5 seconds at most before it is killed."""
        self._process.terminate()
        try:
            self._process.wait(_STOP_LIMIT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


def start(options: Sequence[str], variables: Mapping[str, str]) -> subprocess.Popen[str]:
    """Starts the simulator with these command-line options and environment variables."""
    return subprocess.Popen(
        # -P: no package of the same name from the working directory.
        [sys.executable, "-P", "-m", "runner.simulator", *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=variables,
    )
