"""Proves the suite on the simulator.

Every defect deviates for the requirement that it breaks, no variant fails the run or has an inconclusive case, and in
an environment in which cases can't be decided some are inconclusive and none deviates.

Each proof is a simulator with one of these, and the suite against it, as processes. A defect meets the cases of the
requirement that it breaks; a few meet all cases, and so does every variant and environment.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.execution.applicability import SEND_WITHHELD
from runner.execution.verdict import CaseResult, Verdict
from runner.language.model import Level, Register
from runner.proof.forks import ROOT, ForkedSimulator, ForkedSuite

JOBS = 5 * (os.cpu_count() or 1)
"""Proofs at a time: each has a few cases in flight, and still waits for most of its time."""

_MORE = 2  # times as many proofs at a time where only the cases of a requirement are run
_FOREIGN_KILLED = 3
"""A simulator's exit code if a session was killed that its environment keeps."""
_START_LIMIT = 20.0  # seconds
_RUN_LIMIT = 600.0
_NOT_PROVED = {
    "closes-idle-sessions": "on a busy machine sessions are idle for longer than its timeout, which is inconclusive",
    "restarts-every-four-seconds": "on a busy machine a case takes so long that two restarts affect it in the same way",
    "cached-list": "all cases are decided, but take minutes: each step waits until the proxy reads a new list",
    "list-of-both-nodes": "a process list with ids that the statement rejects deviates (PAR-2), whatever the reason",
}
"""Variants and environments that are served, but without a guaranteed result on every machine, and why."""
# Hypothesis serves the tests, not the cases, and costs a second at the end of each run.
_OPTIONS = ["-q", "--tb=no", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:unraisableexception"]
_EVERYWHERE = {"ends-everyone", "unknown-id-ends-the-caller", "disconnects-who-lacks-the-privilege"}
"""Defects that show that also those cases can fail which end nothing, or only observe."""


@dataclass(frozen=True)
class Claim:
    """A ``defect``, which breaks a requirement, a ``variant``, which breaks none, or an ``environment``.

    Attributes:
        kind: which of these; the simulator's option for it has that name.
    """

    name: str
    text: str
    kind: str
    breaks: str | None = None


@dataclass(frozen=True)
class Proof:
    """What came of a claim: the run's exit code and the cases that deviated.

    Attributes:
        harmless: whether no session was killed that the environment keeps, somebody else's.
    """

    claim: Claim
    code: int
    results: tuple[CaseResult, ...]
    seconds: float
    screen: str
    harmless: bool = True

    @property
    def killed(self) -> frozenset[str]:
        """The cases that deviated."""
        return frozenset(result.name for result in self.results if result.verdict is Verdict.DEVIATES)

    @property
    def undecided(self) -> frozenset[str]:
        """The cases that were inconclusive; also of a should, which the exit code does not tell."""
        return frozenset(result.name for result in self.results if result.verdict is Verdict.INCONCLUSIVE)

    def holds(self, register: Register) -> bool:
        """Whether the suite did what it is for: the defect deviates for its requirement, or the variant conforms.

        An inconclusive case of a variant is a failure too: a conforming server lacks nothing. In an environment in
        which cases can't be decided, a run that decides them all fails, and so does one that killed a session of
        another client.
        """
        if self.claim.kind == "environment":
            return self.harmless and not self.killed and bool(self.undecided) and self.code in {0, 1}
        if self.claim.breaks is None:
            return self.code == 0 and not self.undecided
        level = register.requirements[self.claim.breaks].level
        caught = any(
            result.verdict is Verdict.DEVIATES and result.requirement == self.claim.breaks for result in self.results
        )
        return caught and (self.code == 1 or level is Level.OBSERVE)


def claims() -> list[Claim]:
    """All defects, variants and environments that the simulator knows."""
    return [
        Claim(row["name"], row["text"], kind, row.get("breaks"))
        for kind in ("defect", "variant", "environment")
        for row in json.loads(_simulator(f"--list-{kind}s", "--json"))
        if row["name"] not in _NOT_PROVED
    ]


def prove(claim: Claim, register: Register, folder: Path) -> Proof:
    """Runs the suite against a simulator with the claim's defect or variant; its records go to ``folder``."""
    start = time.monotonic()
    try:
        simulator = ForkedSimulator(f"--{claim.kind}", claim.name)
    except RuntimeError as error:
        return Proof(claim, -1, (), 0.0, str(error))
    try:
        options = [*_OPTIONS, "--dsn", simulator.dsn, SEND_WITHHELD, *_options(claim, register), *_in_flight(claim)]
        record, screen = folder / f"{claim.name}.json", folder / f"{claim.name}.txt"
        code = ForkedSuite([*options, "--record", str(record)], screen).exit_code(_RUN_LIMIT)
    finally:
        stopped = simulator.stop()
    return Proof(
        claim,
        code=code,
        results=_read(record),
        seconds=round(time.monotonic() - start, 1),
        screen=screen.read_text(encoding="utf-8", errors="replace"),
        harmless=stopped != _FOREIGN_KILLED,
    )


def _options(claim: Claim, register: Register) -> list[str]:
    if claim.kind == "environment":
        # A run stops where ODP makes up the list; what a list does not show after 4 s, it does not show later either.
        return ["--anyway", "--settle", "4"]
    if not claim.breaks:
        return []
    # A target that ends nothing, or answers nothing, is known for it after a second as well as after ten.
    options = ["--settle", "1", "--statement-limit", "2"]
    options += ["--strict"] if register.requirements[claim.breaks].level is Level.SHOULD else []
    return options if _meets_all_cases(claim) else [*options, "--requirement", claim.breaks]


def _in_flight(claim: Claim) -> list[str]:
    """Few cases at a time where all are run: more of them cost more processor time than more proofs at a time.

    One where only those of a requirement are run: most deviate, and each would be run again alone.
    """
    return ["--in-flight", "4" if _meets_all_cases(claim) else "1"]


def _read(record: Path) -> tuple[CaseResult, ...]:
    if not record.exists():
        return ()
    data: dict[str, Any] = json.loads(record.read_text(encoding="utf-8"))
    return tuple(CaseResult.from_dict(row) for row in data["results"])


def prove_all(
    wanted: Sequence[Claim], register: Register, jobs: int, said: Callable[[Proof], None] = lambda _: None
) -> list[Proof]:
    """Proves claims, ``jobs`` at a time; ``said`` receives each proof as it is done.

    More at a time where only the cases of a requirement are run, which mostly wait.
    """
    proofs = []
    with tempfile.TemporaryDirectory(prefix="ksc-proof-") as folder:
        for whole in (True, False):
            chosen = [claim for claim in wanted if _meets_all_cases(claim) is whole]
            with ThreadPoolExecutor(jobs if whole else jobs * _MORE) as pool:
                for proof in pool.map(lambda claim: prove(claim, register, Path(folder)), chosen):
                    said(proof)
                    proofs.append(proof)
    return sorted(proofs, key=lambda proof: wanted.index(proof.claim))


def _meets_all_cases(claim: Claim) -> bool:
    return claim.breaks is None or claim.name in _EVERYWHERE


def _simulator(*options: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "runner.simulator", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=_START_LIMIT,
        check=True,
    )
    return done.stdout
