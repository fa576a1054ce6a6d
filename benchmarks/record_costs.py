"""The time that ``--record`` adds to a run on the embedded simulator.

    python benchmarks/record_costs.py

Runs with and without it in turn. The limit that users were promised: 5 % of the run.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.support.paths import ROOT

RUNS = 5


def seconds(*options: str) -> tuple[float, float]:
    """A run's time, and the processor's part of it."""
    before, start = os.times(), time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "pytest", "cases", "-q", "-p", "no:cacheprovider", *options],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    after = os.times()
    busy = after.children_user + after.children_system - before.children_user - before.children_system
    return time.monotonic() - start, busy


def main() -> None:
    """Prints the figures."""
    without, recorded = [], []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(RUNS):
            without.append(seconds())
            recorded.append(seconds("--record", str(Path(folder) / "record.json")))
    for place, what in enumerate(("wall clock", "processor")):
        bare, full = (statistics.median(run[place] for run in runs) for runs in (without, recorded))
        print(f"{what}: {bare:.2f} s, with --record {full:.2f} s: {100 * (full - bare) / bare:+.1f} %")


if __name__ == "__main__":
    main()
