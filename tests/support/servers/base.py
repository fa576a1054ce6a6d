"""The common part of the servers: a fresh directory, a keeper process, and a bounded wait for the first login."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path

import pymysql

START_SECONDS = 60.0  # it takes 1 to 3; a loaded machine is no failure, a hanging test run is
STOP_SECONDS = 15.0  # more than the keeper's own limit
POLL_SECONDS = 0.02
LOG_BYTES = 4000


class ServerError(RuntimeError):
    """A server could not be started; the message ends with what the server itself logged."""


@contextlib.contextmanager
def fresh_directory() -> Generator[Path]:
    """Make a directory with a short name, and remove it.

    A Unix socket's path has 107 bytes at most, and pytest's `tmp_path` or a user's TMPDIR can use them up. So: /tmp.
    """
    directory = Path(tempfile.mkdtemp(prefix="srv", dir="/tmp"))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def running(
    directory: Path, command: Sequence[str], login: Callable[[], object], logs: Sequence[Path] = ()
) -> Generator[subprocess.Popen[bytes]]:
    """Run `command` under a keeper, from the first `login` that does not fail to the end of the block.

    Args:
        directory: where the server keeps its files; the keeper removes it.
        command: the keeper's command, see `keeper.py`.
        login: tries a real login; `pymysql.Error` or `OSError` mean "not yet".
        logs: files whose ends belong in the error where no login worked, besides the keeper's own output.

    Yields:
        The keeper's process, which leads the process group that the server is in.

    Raises:
        ServerError: the server ended, or no login worked in time.
    """
    output = directory / "output"
    with output.open("wb") as stream:
        keeper = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("keeper.py")), str(directory), *command],
            stdin=subprocess.PIPE,
            stdout=stream,
            stderr=stream,
            env=os.environ | {"TELEMETRY_ENABLED": "false"},
            start_new_session=True,  # a Ctrl-C is for the tests, which then end the server
        )
    try:
        _wait_for_login(keeper, login, [output, *logs])
        yield keeper
    finally:
        _stop(keeper)


def _wait_for_login(keeper: subprocess.Popen[bytes], login: Callable[[], object], logs: Sequence[Path]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            login()
        except (pymysql.Error, OSError) as error:
            if keeper.poll() is not None:
                raise ServerError(f"the server ended before a login worked\n{_tails(logs)}") from error
            if time.monotonic() > deadline:
                raise ServerError(f"no login worked within {START_SECONDS:g} s: {error}\n{_tails(logs)}") from error
        else:
            return
        time.sleep(POLL_SECONDS)


def _tails(logs: Sequence[Path]) -> str:
    """Show the end of every log that there is."""
    parts = []
    for log in logs:
        with contextlib.suppress(OSError):
            text = log.read_bytes()[-LOG_BYTES:].decode(errors="replace")
            parts.append(f"--- {log.name}\n{text.rstrip()}")
    return "\n".join(parts)


def _stop(keeper: subprocess.Popen[bytes]) -> None:
    """End the keeper's standard input, which ends the server; by force where that does not help."""
    if keeper.stdin is not None:
        keeper.stdin.close()
    try:
        keeper.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(keeper.pid, signal.SIGKILL)  # not yet reaped, so the number is still this group's
        keeper.wait()
