"""Makes the example: the suite on four targets, and the report of their records.

    ./toxw -e example                           # records and pages in build/example
    ./toxw -e example -- --keep                 # and what is kept of them in docs/example
    ./toxw -e example -- --requirement SYN-2    # of some cases: options of run

Each command is printed as it runs, to be typed by hand as well.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.support.browser import browser, look
from tests.support.paths import ROOT
from tests.support.servers import start_mariadb, start_seekdb

FOLDER = ROOT / "build" / "example"
KEPT = ROOT / "docs" / "example"
SMALL = "record.json"
"""The record of a few requirements that is kept."""
DEFECTS = ("falls-back-on-the-serial", "own-session-needs-no-privilege", "leaves-the-locks")
_FEW = ("SYN-2", "PAR-2", "IMP-9")
_RUN_SECONDS = 600.0
_REPORT_SECONDS = 60.0
_ALL = ("--send-withheld",)  # a simulator has nothing that it may harm
_DEVIATES = 1
_PAGE_LINK = re.compile(r"\[((?:[^\]\\]|\\.)+)\]\([^)\s]+\.html[^)\s]*\)")


def make(folder: Path, options: Sequence[str]) -> None:
    """Runs the suite on all targets and writes ``records/`` and ``site/`` in ``folder``.

    Raises:
        RuntimeError: a run or the report could not be made.
    """
    with contextlib.ExitStack() as stack:
        simulator = stack.enter_context(_simulator())
        _run(folder, "simulator", simulator, "--target-name", "Simulator", *_ALL, *options)
        _run_with_defects(folder / "records" / "simulator-with-defects.json", "-n", "4", *options)
        seekdb = stack.enter_context(start_seekdb())
        _run(folder, "seekdb", seekdb.dsn(), "--profile", "seekdb", *options)
        mariadb = stack.enter_context(start_mariadb())
        _run(folder, "mariadb", mariadb.dsn(), "--profile", "mariadb", *options)
    shutil.rmtree(folder / "site", ignore_errors=True)  # a page of a version that is gone would stay
    records = sorted(str(path) for path in (folder / "records").glob("*.json"))
    _command(["report", *records, "--out", str(folder / "site")], _REPORT_SECONDS, allowed={0})


def make_small(record: Path) -> None:
    """Writes the small record: a few requirements, on the simulator with defects.

    Raises:
        RuntimeError: the run could not be made.
    """
    _run_with_defects(record, *(word for name in _FEW for word in ("--requirement", name)))


def keep(folder: Path) -> None:
    """Writes what the repository keeps: summary, badges and a picture of a whole example, and the small record."""
    for path in KEPT.glob("*.svg"):
        path.unlink()  # a badge of a version that is gone would stay
    for path in (folder / "site").glob("*.svg"):
        shutil.copy(path, KEPT)
    summary = (folder / "site" / "report.md").read_text(encoding="utf-8")
    # The pages are not kept: they have megabytes.
    (KEPT / "report.md").write_text(_PAGE_LINK.sub(r"\1", summary), encoding="utf-8")
    with browser() as running:
        look(running, (folder / "site" / "index.html").as_uri())
        running.save_screenshot(str(KEPT / "matrix.png"))
    make_small(KEPT / SMALL)


@contextlib.contextmanager
def _simulator(*options: str) -> Iterator[str]:
    print("$ kill-session-conformance", shlex.join(["simulate", *options]), "&", flush=True)
    arguments = ["-m", "runner", "simulate", *options]
    with subprocess.Popen([sys.executable, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def _run_with_defects(record: Path, *options: str) -> None:
    defects = [option for name in DEFECTS for option in ("--defect", name)]
    with _simulator(*defects) as dsn:
        _run_into(record, dsn, "--target-name", "Simulator with three defects", *_ALL, *options)


def _run(folder: Path, name: str, dsn: str, *options: str) -> None:
    _run_into(folder / "records" / f"{name}.json", dsn, "-n", "4", *options)


def _run_into(record: Path, dsn: str, *options: str) -> None:
    record.parent.mkdir(parents=True, exist_ok=True)
    arguments = ["run", "-q", "--tb=no", "-p", "no:cacheprovider", "--dsn", dsn, *options, "--record", str(record)]
    _command(arguments, _RUN_SECONDS, allowed={0, _DEVIATES}, hidden=dsn)


def _command(arguments: Sequence[str], limit: float, *, allowed: set[int], hidden: str = "") -> None:
    shown = ("DSN" if word == hidden else shlex.quote(word) for word in arguments)
    print("$ kill-session-conformance", *shown, flush=True)
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("GITHUB_", "KSC_"))}
    command = [sys.executable, "-m", "runner", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=mine, timeout=limit, check=False)
    if done.returncode not in allowed:
        raise RuntimeError(f"the command ended with exit code {done.returncode}")


def main() -> None:
    """Makes the example in the folder that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=FOLDER, metavar="FOLDER", help="where to (default: build/example)")
    parser.add_argument("--keep", action="store_true", help="write docs/example, too, from all cases")
    chosen, options = parser.parse_known_args()
    make(chosen.out.resolve(), options)
    if chosen.keep:
        keep(chosen.out.resolve())


if __name__ == "__main__":
    main()
