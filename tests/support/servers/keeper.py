"""The process between the tests and a server: it ends the server and removes its files, however the tests end.

Run as a script, so that it needs nothing from this package:

    python keeper.py DIRECTORY seekdb                   seekdb, in DIRECTORY/db
    python keeper.py DIRECTORY PROGRAM ARGUMENT...      any server program that stays in the foreground

Its standard input is a pipe whose other end only the test process holds. The kernel closes that end when the test
process is gone, SIGKILL included, where no `finally` and no `atexit` would run. Then the keeper stops the server,
removes DIRECTORY and exits. Where the server ends first, the keeper exits and leaves DIRECTORY, with the log in it,
to the test process. Where the keeper itself is killed, the kernel kills the server (PR_SET_PDEATHSIG, or seekdb's own
watch on its parent).
"""

import contextlib
import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

STOP_SECONDS = 10.0
PR_SET_PDEATHSIG = 1


def keep_seekdb(directory: Path) -> None:
    """Hold a seekdb until standard input ends."""
    import pylibseekdb  # type: ignore[import-untyped,import-not-found,unused-ignore]  # noqa: PLC0415 - MariaDB needs none of it

    pylibseekdb.open(str(directory / "db"))
    server = int((directory / "db" / "run" / "seekdb.pid").read_text())
    sys.stdin.buffer.read()
    pylibseekdb.close()
    deadline = time.monotonic() + STOP_SECONDS
    with contextlib.suppress(ChildProcessError):  # reaped already
        while os.waitpid(server, os.WNOHANG)[0] == 0:  # close() does not wait for it
            if time.monotonic() > deadline:
                os.kill(server, signal.SIGKILL)
            time.sleep(0.005)


def keep_program(command: list[str]) -> int | None:
    """Run `command` until standard input ends (answer None) or until it ends by itself (answer its exit code)."""
    keeper = os.getpid()
    libc = ctypes.CDLL(None)

    def die_with_keeper() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != keeper:  # it was gone before the line above
            os._exit(1)

    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        preexec_fn=die_with_keeper,  # noqa: PLW1509 - unsafe with threads only, and there are none
    )
    ended = os.pidfd_open(process.pid)
    readable, _, _ = select.select([sys.stdin, ended], [], [])
    if sys.stdin not in readable:
        return process.wait()
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    return None


def main() -> int:
    """Keep the server that the command line names."""
    directory, *command = sys.argv[1:]
    if command == ["seekdb"]:
        keep_seekdb(Path(directory))
    elif (code := keep_program(command)) is not None:
        sys.stderr.write(f"{command[0]} ended by itself, exit code {code}\n")
        return 1
    shutil.rmtree(directory, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
