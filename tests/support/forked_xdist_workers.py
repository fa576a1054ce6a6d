"""Makes pytest-xdist fork its workers, which saves two seconds of processor time each.

execnet starts the interpreter of a worker, which then imports pytest and the suite and reads all cases; that takes two
seconds of processor time. A fork of the process that has all this loaded reads the same first line from the same pipe.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from execnet import gateway_io
from execnet.gateway_base import Popen2IO

_FORKS = multiprocessing.get_context("forkserver")


class _ForkedWorker(Popen2IO):
    """A worker, and the pipes to its standard input and output; takes the place of execnet's class for these."""

    def __init__(self, args: Sequence[str], execmodel: Any) -> None:
        assert list(args[-2:]) == ["-c", gateway_io.popen_bootstrapline], args
        stdin, outfile = _FORKS.Pipe(duplex=False)
        infile, stdout = _FORKS.Pipe(duplex=False)
        with stdin, outfile, infile, stdout, Connection(os.dup(2)) as stderr:
            streams = (stdin, stdout, stderr)
            self._process = _FORKS.Process(target=_serve, args=(streams, Path.cwd(), dict(os.environ)))
            self._process.start()
            outgoing = os.fdopen(os.dup(outfile.fileno()), "wb")
            incoming = os.fdopen(os.dup(infile.fileno()), "rb")
        super().__init__(outgoing, incoming, execmodel)

    def wait(self) -> int | None:
        self._process.join()
        return self._process.exitcode

    def kill(self) -> None:
        self._process.kill()


def _serve(streams: tuple[Connection, ...], folder: Path, variables: dict[str, str]) -> None:
    for number, stream in enumerate(streams):
        os.dup2(stream.fileno(), number)
        stream.close()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    sys.stdin = os.fdopen(0, "r", closefd=False)
    sys.stdout = os.fdopen(1, "w", closefd=False)
    exec(gateway_io.popen_bootstrapline, {"__name__": "__main__"})  # noqa: S102 - what the interpreter would execute


def fork_workers() -> None:
    """Makes execnet fork the workers of this process, instead of starting their interpreters."""
    gateway_io.Popen2IOMaster = _ForkedWorker  # type: ignore[misc,assignment]  # it has the same methods
