"""Makes docs/example anew: the suite on four targets, and the report of the records.

    ./toxw -e example

Each command is printed as it runs, to be typed by hand as well.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from servers import start_mariadb, start_seekdb
from suite import ROOT

FOLDER = ROOT / "docs" / "example"
DEFECTS = ("falls-back-on-the-serial", "own-session-needs-no-privilege", "leaves-the-locks")
_RUN_SECONDS = 600.0
_REPORT_SECONDS = 60.0
_DEVIATES = 1


def make(folder: Path) -> None:
    """Runs the suite on all targets and writes ``records/`` and ``site/`` in ``folder``.

    Raises:
        RuntimeError: a run or the report could not be made.
    """
    with contextlib.ExitStack() as stack:
        simulator = stack.enter_context(_simulator())
        _run(folder, "simulator", simulator, "--target-name", "Simulator")
        defects = [option for name in DEFECTS for option in ("--defect", name)]
        wrong = stack.enter_context(_simulator(*defects))
        _run(folder, "simulator-with-defects", wrong, "--target-name", "Simulator with three defects")
        seekdb = stack.enter_context(start_seekdb())
        _run(folder, "seekdb", seekdb.dsn(), "--profile", "seekdb")
        mariadb = stack.enter_context(start_mariadb())
        _run(folder, "mariadb", mariadb.dsn(), "--profile", "mariadb")
    shutil.rmtree(folder / "site", ignore_errors=True)  # a page of a version that is gone would stay
    records = sorted(str(path) for path in (folder / "records").glob("*.json"))
    _command(["-m", "runner", "report", *records, "--out", str(folder / "site")], _REPORT_SECONDS, allowed={0})


@contextlib.contextmanager
def _simulator(*options: str) -> Iterator[str]:
    arguments = ["-m", "runner", "simulate", "--port", "0", *options]
    print("$ python", shlex.join(arguments), "&", flush=True)
    with subprocess.Popen([sys.executable, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def _run(folder: Path, name: str, dsn: str, *options: str) -> None:
    record = folder / "records" / f"{name}.json"
    record.parent.mkdir(parents=True, exist_ok=True)
    arguments = ["-m", "pytest", "cases", "-q", "--tb=no", "-n", "4", "-p", "no:cacheprovider"]
    _command(
        [*arguments, "--dsn", dsn, *options, "--record", str(record)], _RUN_SECONDS, allowed={0, _DEVIATES}, hidden=dsn
    )


def _command(arguments: Sequence[str], limit: float, *, allowed: set[int], hidden: str = "") -> None:
    print("$ python", " ".join("DSN" if word == hidden else shlex.quote(word) for word in arguments), flush=True)
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("GITHUB_", "KSC_"))}
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, env=mine, timeout=limit, check=False)
    if done.returncode not in allowed:
        raise RuntimeError(f"the command ended with exit code {done.returncode}")


if __name__ == "__main__":
    make(Path(sys.argv[1]).resolve() if sys.argv[1:] else FOLDER)
