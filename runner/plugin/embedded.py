"""The simulator as a process of its own, for runs without ``--dsn``."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path

_START_LIMIT = 20.0  # seconds
_STOP_LIMIT = 5.0


class EmbeddedSimulator:
    """One simulator for all workers of a run. It ends with this process, also when that is killed."""

    def __init__(self, *options: str) -> None:
        """Starts it with these options of its command line.

        Raises:
            RuntimeError: it did not come up.
        """
        root = Path(__file__).resolve().parents[2]
        paths = [str(root), *filter(None, [os.environ.get("PYTHONPATH")])]
        self._process = subprocess.Popen(
            # -P: a package of the same name in the working directory is not the suite's.
            [sys.executable, "-P", "-m", "runner.simulator", "--port", "0", "--until-stdin-closes", *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        )
        assert self._process.stdout is not None  # noqa: S101 - a pipe was asked for
        ready, _, _ = select.select([self._process.stdout], [], [], _START_LIMIT)
        self.dsn = self._process.stdout.readline().strip() if ready else ""
        if not self.dsn:
            self.stop()
            raise RuntimeError("the embedded simulator did not start")

    def stop(self) -> None:
        """Ends it and waits until it is gone."""
        self._process.terminate()
        try:
            self._process.wait(_STOP_LIMIT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
