"""The growth of memory, descriptors and threads while one process opens and kills many sessions on one simulator.

    python benchmarks/endurance.py [--sessions 50000]

Runs one case again and again, as the suite runs cases: each time a session kills ten others. Prints what this process
and the simulator use after each tenth of the sessions. Exit code 1 if a case does not conform, or if the second half
adds more than GROWTH of memory, or more than SLACK descriptors or threads.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from measuring import simulator

from runner.database.dsn import Dsn
from runner.database.profile import load_profile
from runner.database.target import Target
from runner.database.time_limits import Limits
from runner.execution.case_result import Verdict
from runner.execution.case_runner import CaseRunner
from runner.language.case_files import load_cases
from runner.language.model import Case
from tests.support.paths import ROOT

VICTIMS = 10
GROWTH = 0.05  # of the memory at half the sessions: allocators keep some of what they were given back
SLACK = 5  # descriptors or threads: some connections are just being closed; a leak of one in 1,000 sessions is 25
_PARTS = 10


@dataclass(frozen=True)
class Usage:
    """What a process uses at a moment: resident memory in KiB, descriptors, threads."""

    memory: int
    descriptors: int
    threads: int

    @classmethod
    def of(cls, process: int) -> Usage:
        """Reads it from /proc."""
        folder = Path(f"/proc/{process}")
        status = dict(line.split(":", 1) for line in (folder / "status").read_text(encoding="utf-8").splitlines())
        descriptors = len(list((folder / "fd").iterdir()))
        return cls(int(status["VmRSS"].split()[0]), descriptors, int(status["Threads"]))

    def grew(self, before: Usage) -> bool:
        """Whether this is more than it was before, by more than chance."""
        more = self.descriptors > before.descriptors + SLACK or self.threads > before.threads + SLACK
        return more or self.memory > (1 + GROWTH) * before.memory

    def __str__(self) -> str:
        return f"{self.memory / 1024:.1f} MiB, {self.descriptors} descriptors, {self.threads} threads"


def the_case(folder: Path) -> Case:
    """The case: a session kills ten others."""
    shutil.copy(ROOT / "cases" / "requirements.yaml", folder)
    names = [f"v{number}" for number in range(VICTIMS)]
    victims = ", ".join(f"{name}: {{user: killer}}" for name in names)
    steps = "".join(
        f"      - killer: ALTER SYSTEM KILL SESSION '${{{name}.id}}'\n        reply: ok\n" for name in names
    )
    (folder / "endurance.yaml").write_text(
        "format: 1\ncases:\n  - id: ten-sessions\n    requirement: SYN-2\n    title: a session kills ten others\n"
        f"    sessions: {{killer: {{grants: [ALTER SYSTEM]}}, {victims}}}\n    steps:\n{steps}"
        f"    ends: [{', '.join(names)}]\n",
        encoding="utf-8",
    )
    (case,) = load_cases(folder / "endurance.yaml")
    return case


def usages(sessions: int) -> list[tuple[Usage, Usage]]:
    """What this process and the simulator use after each tenth of the sessions.

    Raises:
        RuntimeError: a case does not conform.
    """
    found = []
    with tempfile.TemporaryDirectory() as folder, simulator() as dsn:
        case = the_case(Path(folder))
        # The simulator is the only process that this one has started.
        (server,) = Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="utf-8").split()
        target = Target(Dsn.parse(dsn), load_profile("oceanbase-oracle"), Limits())
        case_runner = CaseRunner(target)
        try:
            runs = max(_PARTS, sessions // VICTIMS)
            for number in range(1, runs + 1):
                result = case_runner.run(case)
                if result.verdict is not Verdict.CONFORMS:
                    raise RuntimeError(f"run {number}: {result.verdict.value}: {result.reason or result.actual}")
                if number * _PARTS // runs > (number - 1) * _PARTS // runs:
                    found.append((Usage.of(os.getpid()), Usage.of(int(server))))
                    print(f"{number * VICTIMS} killed: runner {found[-1][0]}; simulator {found[-1][1]}", flush=True)
        finally:
            case_runner.remove_kept()
            case_runner.close()
    return found


def main() -> int:
    """Runs it, and compares the end with the middle."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=50_000, help="to open and kill (default %(default)s)")
    found = usages(parser.parse_args().sessions)
    middle, end = found[_PARTS // 2 - 1], found[-1]
    grown = [
        what for what, after, before in zip(("runner", "simulator"), end, middle, strict=True) if after.grew(before)
    ]
    print(f"grew in the second half: {', '.join(grown) or 'nothing'}")
    return int(bool(grown))


if __name__ == "__main__":
    sys.exit(main())
