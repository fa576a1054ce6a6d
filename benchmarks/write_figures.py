"""Runs all benchmarks and writes figures.md: ratios to something that is measured in the same run.

    ./toxw -e benchmarks

Run it on a machine that does nothing else. See README.md.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from collecting import collecting_memory, collecting_time
from measuring import Figure, Missing
from serving import kills, speed
from whole_run_figures import (
    against_pymysql,
    against_the_longest_watch,
    kill_tests_of_mysql,
    proof,
    slow_end,
    slow_statements,
)

from tests.support.paths import ROOT

TABLE = ROOT / "benchmarks" / "figures.md"
FIGURES: dict[str, Callable[[], Iterator[Figure | Missing]]] = {
    "watch": against_the_longest_watch,
    "pymysql": against_pymysql,
    "slow-end": slow_end,
    "slow-statements": slow_statements,
    "mysql-test-run": kill_tests_of_mysql,
    "collecting": collecting_time,
    "memory": collecting_memory,
    "speed": speed,
    "kills": kills,
}
LONG = {"proof": proof}


def head(command: str) -> list[str]:
    """The lines above the table: when, where and of what it was made."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"],  # noqa: S607 - found on PATH, as a user's shell does
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    cpus = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    models = sorted({line.partition(": ")[2] for line in cpus if line.startswith("model name")})
    machine = f"{os.cpu_count()} CPUs ({', '.join(models) or platform.machine()})"
    return [
        "# Figures",
        "",
        f"- date: {dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M} UTC",
        f"- machine: {machine}, {platform.system()}, Python {platform.python_version()}",
        f"- commit: {commit or 'not known'}",
        f"- command: `{command}`",
        "",
        "Compare ratios, not times: both numbers of a line are from the same run, except a *limit*, which is fixed.",
        "",
        "| measured | compared with | measured | compared | ratio | target |",
        "|---|---|---|---|---|---|",
    ]


def main() -> int:
    """Measures, prints each line, and writes the table: 1 if a run failed of which a figure was wanted."""
    known = FIGURES | LONG
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="also measure what takes long: prove, about 10 minutes")
    parser.add_argument(
        "--only", nargs="+", choices=known, metavar="NAME", help=f"only print these: {', '.join(known)}"
    )
    options = parser.parse_args()
    lines = head(" ".join(["./toxw -e benchmarks", *(["--"] if sys.argv[1:] else []), *sys.argv[1:]]))
    failed: list[str] = []
    for name in options.only or (known if options.all else FIGURES):
        try:
            for figure in known[name]():
                print(figure.line, flush=True)
                lines.append(figure.line)
        except (RuntimeError, subprocess.TimeoutExpired) as error:  # the other figures are still worth having
            failed.append(name)
            lines.append(Missing.because(name, "", error, "").line)
    if options.only is None:
        TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
