"""Verdicts that differ from run to run: many whole runs on each target, compared with the first one.

    python benchmarks/verdict_stability.py FOLDER [--target NAME ...] [--runs N] [--in-flight N ...]

Writes a line for each run to FOLDER/log.jsonl, and continues from there: a run that is in the log is not repeated. The
record of each target's first run is kept, and those of all runs that differ from it. Exit code 1 if one did.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from measuring import run_suite
from whole_run_figures import target

TARGETS = ("simulator", "simulator-busy", "slow-statements", "foreign-traffic", "mariadb", "seekdb")
"""The targets to compare; simulator-busy is the simulator while a process on each of two cores only computes."""
IN_FLIGHT = ("1", "default", "64")
_BUSY = 2  # processes
_ANY_CODE = (0, 1)
_LIMIT = 3600.0  # seconds: one case at a time on slow-statements takes long


@dataclass(frozen=True)
class Entry:
    """A line of the log.

    Attributes:
        target, in_flight, number: which run it is.
        seconds: from the command to the verdict.
        reference: whether it is the target's first run.
        differences: the cases with another verdict than in the first run, with the reason; or why there is no record.
    """

    target: str
    in_flight: str
    number: int
    seconds: float
    reference: bool
    differences: tuple[str, ...]

    @property
    def key(self) -> tuple[str, str, int]:
        """What no other run of the log has."""
        return self.target, self.in_flight, self.number


def read_log(log: Path) -> list[Entry]:
    """The runs of the log; a last line that was cut off is ignored, and its run repeated."""
    entries = []
    for line in log.read_text(encoding="utf-8").splitlines() if log.exists() else []:
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            continue
        entries.append(Entry(**row | {"differences": tuple(row["differences"])}))
    return entries


def differences(first: dict[str, Any], other: dict[str, Any]) -> Iterator[str]:
    """The cases of which two records have different verdicts, each with what the second record says about it."""
    before, after = ({row["name"]: row for row in record["results"]} for record in (first, other))
    for name in before | after:
        old, new = before.get(name), after.get(name)
        if old is None or new is None:
            yield f"{name}: only in the {'later' if old is None else 'first'} run"
        elif old["verdict"] != new["verdict"]:
            reasons = [row["reason"] or row["actual"] or "no reason" for row in (old, new)]
            yield f"{name}: {old['verdict']} ({reasons[0]}), now {new['verdict']} ({reasons[1]})"


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """Processes that compute until the end of the block."""
    started = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def one_run(folder: Path, name: str, in_flight: str, number: int) -> Entry:
    """Runs the suite on a new server of this target, and compares its verdicts with those of the target's first run."""
    first = folder / f"{name}-first.json"
    record = folder / f"{name}-{in_flight}-{number}.json"
    record.unlink(missing_ok=True)
    options = () if in_flight == "default" else ("--in-flight", in_flight)
    seconds, found = 0.0, []
    try:
        with busy(_BUSY if name.endswith("-busy") else 0), target(name.removesuffix("-busy")) as where:
            seconds = run_suite(record, *where, *options, codes=_ANY_CODE, limit=_LIMIT)
    except (RuntimeError, subprocess.TimeoutExpired) as error:  # an answer, too: this run differs
        found = [f"no result: {str(error)[-1000:]}"]
        return Entry(name, in_flight, number, seconds, reference=False, differences=tuple(found))
    result = json.loads(record.read_text(encoding="utf-8"))
    if not first.exists():
        record.rename(first)
        return Entry(name, in_flight, number, seconds, reference=True, differences=())
    found = list(differences(json.loads(first.read_text(encoding="utf-8")), result))
    if not found:
        record.unlink()
    return Entry(name, in_flight, number, seconds, reference=False, differences=tuple(found))


def main() -> int:
    """Runs what the log lacks, prints each run and a summary."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="for the log and the records")
    parser.add_argument("--target", nargs="+", choices=TARGETS, default=TARGETS, help="default: all")
    parser.add_argument(
        "--runs", type=int, default=10, help="of each target with each --in-flight (default %(default)s)"
    )
    parser.add_argument(
        "--in-flight", nargs="+", default=IN_FLIGHT, metavar="N", help=f"default: {', '.join(IN_FLIGHT)}"
    )
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    log = options.folder / "log.jsonl"
    done = {entry.key for entry in read_log(log)}
    wanted = [(t, n, r) for t in options.target for r in range(1, options.runs + 1) for n in options.in_flight]
    for name, in_flight, number in wanted:
        if (name, in_flight, number) in done:
            continue
        entry = one_run(options.folder, name, in_flight, number)
        with log.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(asdict(entry)) + "\n")
        print(f"{name} --in-flight {in_flight} run {number}: {entry.seconds:.1f} s", flush=True)
        for difference in entry.differences:
            print(f"  {difference}", flush=True)
    entries = read_log(log)
    print("\ntarget, in flight: runs, of which differ")
    for (name, in_flight), runs in Counter((entry.target, entry.in_flight) for entry in entries).items():
        differ = [e for e in entries if (e.target, e.in_flight) == (name, in_flight) and e.differences]
        print(f"{name}, {in_flight}: {runs}, {len(differ)}")
    return int(any(entry.differences for entry in entries))


if __name__ == "__main__":
    sys.exit(main())
