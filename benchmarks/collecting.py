"""Collecting many cases: time against a collector without checks, and memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from measuring import Figure, median_seconds, run_process

from tests.support.paths import ROOT

PER_FILE = 20
FEW, MANY = 10_000, 100_000  # cases
COLLECT = ["-m", "runner", "run", "--collect-only", "-qq", "-p", "no:cacheprovider"]

COLLECTOR = """
import sys
from pathlib import Path

import pytest
import yaml


class File(pytest.File):
    def collect(self):
        for case in yaml.load(self.path.read_bytes(), yaml.CSafeLoader).get("cases", ()):
            yield Item.from_parent(self, name=case["id"])


class Item(pytest.Item):
    def runtest(self):
        pass


class Plugin:
    def pytest_collect_file(self, file_path, parent):
        return File.from_parent(parent, path=file_path) if file_path.suffix == ".yaml" else None


options = ["--collect-only", "-qq", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-c", "/dev/null"]
sys.exit(pytest.main([sys.argv[1], "--rootdir", sys.argv[1], *options], plugins=[Plugin()]))
"""
"""The collector to compare with: pytest, PyYAML's C loader, and no checks."""

PEAK = """
import resource, subprocess, sys
subprocess.run([sys.executable, *sys.argv[1:]], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
"""

CASE = """  - id: case-{number}
    requirement: SYN-2
    title: the form with an id alone ends the session ({number})
    sessions: {{killer: {{grants: [ALTER SYSTEM]}}, victim: {{user: killer}}}}
    steps:
      - killer: ALTER SYSTEM KILL SESSION '${{victim.id}}'
        reply: ok
    ends: [victim]
"""


@contextmanager
def many_cases(count: int) -> Iterator[Path]:
    """A folder with this many cases, 20 in each file."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "cases"
        folder.mkdir()
        (folder / "requirements.yaml").write_bytes((ROOT / "cases" / "requirements.yaml").read_bytes())
        for first in range(0, count, PER_FILE):
            cases = "".join(CASE.format(number=number) for number in range(first, first + PER_FILE))
            (folder / f"many-{first}.yaml").write_text(f"format: 1\ncases:\n{cases}", encoding="utf-8")
        yield folder


def collecting_time() -> Iterator[Figure]:
    """Collecting 10,000 cases in 500 files, checks included, against a collector without any."""
    with many_cases(FEW) as folder:
        ours = median_seconds(lambda: run_process([*COLLECT, str(folder)]))
        theirs = median_seconds(lambda: run_process(["-c", COLLECTOR, str(folder)]))
    what = f"collecting {FEW:,} cases in {FEW // PER_FILE} files"
    yield Figure(what, ours, "a collector on PyYAML's C loader, without checks", theirs, "s", "1.5")


def collecting_memory() -> Iterator[Figure]:
    """The memory per case with 100,000 cases against 10,000: it is linear if that is the same."""
    none, few, many = (peak_memory(count) for count in (PER_FILE, FEW, MANY))
    what = f"memory per case of collecting {MANY:,} cases (peak {many:,.0f} MiB)"
    than = f"the same of {FEW:,} cases"
    yield Figure(what, 1024 * (many - none) / MANY, than, 1024 * (few - none) / FEW, "KiB", "about 1")


def peak_memory(count: int) -> float:
    """The peak memory, in MiB, of collecting this many cases."""
    with many_cases(count) as folder:
        return float(run_process(["-c", PEAK, *COLLECT, str(folder)], limit=1800).splitlines()[-1])
