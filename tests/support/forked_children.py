"""Forks what a run of the suite would start as new interpreters: pytest-xdist's workers and the embedded simulator.

A new interpreter takes two seconds of processor time to import pytest and the suite and to read all cases, and a third
of a second to import the simulator. A run that has all this loaded forks once, before it has threads; this child, the
fork server, then forks the workers and the simulator, which read the same pipes as new interpreters would.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import IO, Any

from execnet import gateway_io
from execnet.gateway_base import Popen2IO

from runner.plugin import embedded_simulator

_WORKER, _SIMULATOR = "worker", "simulator"
_LONGEST_REQUEST = 1 << 18
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _ForkServer:
    """A child of this process that forks others; it ends when this process does."""

    def __init__(self) -> None:
        self._requests, requests = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        if os.fork() == 0:
            self._requests.close()
            _serve(requests)
        requests.close()

    def fork(self, program: str, options: Sequence[str], streams: Sequence[int], variables: Mapping[str, str]) -> int:
        """Forks a program.

        Args:
            program: ``_WORKER`` or ``_SIMULATOR``.
            options: its arguments.
            streams: its standard input, output and error, and a stream that is closed when it ends.
            variables: its environment variables.

        Returns:
            The id of its process.
        """
        request = json.dumps([program, list(options), str(Path.cwd()), dict(variables)])
        socket.send_fds(self._requests, [request.encode()], list(streams))
        return int(self._requests.recv(100))


_fork_server = cache(_ForkServer)


class _ForkedProgram:
    """A program that the fork server forked.

    Attributes:
        stdin: its standard input, to write.
        stdout: its standard output, to read.
    """

    def __init__(
        self, program: str, mode: str = "", options: Sequence[str] = (), variables: Mapping[str, str] = os.environ
    ) -> None:
        server = _fork_server()
        stdin, outgoing = os.pipe()
        incoming, stdout = os.pipe()
        self._ended, end = os.pipe()
        self.pid = server.fork(program, options, (stdin, stdout, 2, end), variables)
        for inherited in (stdin, stdout, end):
            os.close(inherited)
        self.stdin: IO[Any] = os.fdopen(outgoing, f"w{mode}")
        self.stdout: IO[Any] = os.fdopen(incoming, f"r{mode}")

    def wait(self, limit: float | None = None) -> int:
        """Waits for the end of the process, ``limit`` seconds at most; its exit code is not known.

        Raises:
            subprocess.TimeoutExpired: it has not ended.
        """
        if self._ended >= 0:
            if not select.select([self._ended], [], [], limit)[0]:
                raise subprocess.TimeoutExpired("a forked program", limit or 0)
            os.close(self._ended)
            self._ended = -1
        return 0

    def terminate(self) -> None:
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        self._send(signal.SIGKILL)

    def _send(self, number: int) -> None:
        # The id of a process that has ended may belong to another one by now.
        if self._ended >= 0 and not select.select([self._ended], [], [], 0)[0]:
            os.kill(self.pid, number)


class _ForkedWorker(Popen2IO):
    """A worker, and the pipes to its standard input and output; takes the place of execnet's class for these."""

    def __init__(self, args: Sequence[str], execmodel: Any) -> None:
        assert list(args[-2:]) == ["-c", gateway_io.popen_bootstrapline], args
        self._process = _ForkedProgram(_WORKER, "b")
        super().__init__(self._process.stdin, self._process.stdout, execmodel)

    def wait(self) -> int | None:
        return self._process.wait()

    def kill(self) -> None:
        self._process.kill()


def _start_simulator(options: Sequence[str], variables: Mapping[str, str]) -> _ForkedProgram:
    return _ForkedProgram(_SIMULATOR, options=options, variables=variables)


def _serve(requests: socket.socket) -> None:
    """Forks a program for each request, until the other end is closed."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)  # Ctrl-C reaches all processes: what a run does then is what is tested
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the system removes the processes that have ended
    while True:
        request, streams, _, _ = socket.recv_fds(requests, _LONGEST_REQUEST, 4)
        if not request:
            os._exit(0)
        pid = os.fork()
        if pid == 0:
            requests.close()
            _run(streams, *json.loads(request))
        for stream in streams:
            os.close(stream)
        requests.send(str(pid).encode())


def _run(streams: Sequence[int], program: str, options: list[str], folder: str, variables: dict[str, str]) -> None:
    code = 1
    try:
        for number in _SIGNALS:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for target, stream in enumerate(streams[:3]):
            os.dup2(stream, target)
            os.close(stream)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(variables)
        sys.stdin = os.fdopen(0, "r", closefd=False)
        sys.stdout = os.fdopen(1, "w", closefd=False)
        sys.stderr = os.fdopen(2, "w", closefd=False)
        if program == _WORKER:
            exec(gateway_io.popen_bootstrapline, {"__name__": "__main__"})  # noqa: S102 - what the interpreter would execute
        else:
            import_module("runner.cli").main(["simulate", *options])
        code = 0
    except SystemExit as ending:
        code = ending.code if isinstance(ending.code, int) else 0
    except BaseException:  # noqa: BLE001 - the end of a process
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def fork_children() -> None:
    """Makes the runs of this process fork their workers and simulators, instead of starting interpreters."""
    gateway_io.Popen2IOMaster = _ForkedWorker  # type: ignore[misc,assignment]  # it has the same methods
    embedded_simulator.start = _start_simulator  # type: ignore[assignment]  # what it returns has the same methods
