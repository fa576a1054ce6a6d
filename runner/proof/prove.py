"""Proves the suite on the simulator: every defect is caught for the requirement that it breaks, no variant is accused.

Each proof is a simulator with one defect or variant, and the suite against it, as processes. A defect meets the cases
of the requirement that it breaks; a few meet all cases, and so does every variant.
"""

from __future__ import annotations

import json
import multiprocessing
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

import pytest

from runner.execution.verdict import CaseResult, Verdict
from runner.language.model import Level, Register
from runner.plugin.embedded import EmbeddedSimulator

ROOT = Path(__file__).resolve().parents[2]
_START_LIMIT = 20.0  # seconds
_RUN_LIMIT = 600.0
_WORKERS = {
    "slow-end": 10,
    "slow-statements": 10,
    "slow-login": 3,
    "row-leaves-first": 3,
    "closes-on-next-request": 3,
    "error-on-next-request": 3,
    "behind-proxy-until-next-request": 3,
}
"""Variants that make the suite wait: idle time, which several workers share."""
_EVERYWHERE = {"ends-everyone", "unknown-id-ends-the-caller", "disconnects-who-lacks-the-privilege"}
"""Defects that show that also those cases can fail which end nothing, or only observe."""
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["runner.proof.warm"])


@dataclass(frozen=True)
class Claim:
    """A defect, which breaks a requirement, or a variant, which breaks none."""

    name: str
    says: str
    breaks: str | None

    @property
    def kind(self) -> str:
        """The simulator's option for it."""
        return "defect" if self.breaks else "variant"


@dataclass(frozen=True)
class Proof:
    """What came of a claim: the run's exit code and the cases that deviated."""

    claim: Claim
    code: int
    results: tuple[CaseResult, ...]
    seconds: float
    screen: str

    @property
    def killed(self) -> frozenset[str]:
        """The cases that deviated."""
        return frozenset(result.name for result in self.results if result.verdict is Verdict.DEVIATES)

    def holds(self, register: Register) -> bool:
        """Whether the suite did what it is for: caught the defect for its requirement, or left the variant alone."""
        if self.claim.breaks is None:
            return self.code == 0
        level = register.requirements[self.claim.breaks].level
        caught = any(
            result.verdict is Verdict.DEVIATES and result.requirement == self.claim.breaks for result in self.results
        )
        return caught and (self.code == 1 or level is Level.OBSERVE)


def claims() -> list[Claim]:
    """All defects and variants that the simulator knows."""
    return [
        Claim(row["name"], row["says"], row.get("breaks"))
        for kind in ("defects", "variants")
        for row in json.loads(_simulator(f"--list-{kind}", "--json"))
    ]


def prove(claim: Claim, register: Register, folder: Path) -> Proof:
    """Runs the suite against a simulator with the claim's defect or variant; its record goes to ``folder``."""
    start = time.monotonic()
    record, screen = folder / f"{claim.name}.json", folder / f"{claim.name}.txt"
    try:
        simulator = EmbeddedSimulator(f"--{claim.kind}", claim.name)
    except RuntimeError as error:
        return Proof(claim, -1, (), 0.0, str(error))
    try:
        suite = _FORKS.Process(target=_suite, args=(_options(claim, register, simulator.dsn, record), screen))
        suite.start()
        suite.join(_RUN_LIMIT)
        suite.kill()
        suite.join()
    finally:
        simulator.stop()
    seconds = round(time.monotonic() - start, 1)
    code = -1 if suite.exitcode is None else suite.exitcode
    return Proof(claim, code, _read(record), seconds, screen.read_text(encoding="utf-8", errors="replace"))


def _suite(options: Sequence[str], screen: Path) -> None:
    """``python -m pytest``, in a process that is forked from one that has imported it: a third of a second less."""
    os.chdir(ROOT)
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):
        os.environ.pop(name, None)  # a defect that is caught is no news for a job
    output = os.open(screen, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.exit(pytest.main(["cases", *options]))


def _options(claim: Claim, register: Register, dsn: str, record: Path) -> list[str]:
    # Hypothesis serves the tests, not the cases, and costs a second at the end of each run.
    options = ["-q", "--tb=no", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:unraisableexception"]
    options += ["--dsn", dsn, "--report", str(record)]
    if claim.breaks:
        # A target that ends nothing, or answers nothing, is known for it after a second as well as after ten.
        options += ["--settle", "1", "--statement-limit", "2"]
        options += ["--strict"] if register.requirements[claim.breaks].level is Level.SHOULD else []
        options += [] if claim.name in _EVERYWHERE else ["--requirement", claim.breaks]
    return [*options, "-n", str(_WORKERS[claim.name])] if claim.name in _WORKERS else options


def _read(record: Path) -> tuple[CaseResult, ...]:
    if not record.exists():
        return ()
    data: dict[str, Any] = json.loads(record.read_text(encoding="utf-8"))
    return tuple(CaseResult.from_dict(row) for row in data["results"])


def prove_all(
    wanted: Sequence[Claim], register: Register, jobs: int, said: Callable[[Proof], None] = lambda _: None
) -> list[Proof]:
    """Proves claims, ``jobs`` at a time; ``said`` hears of each as it is done."""
    with tempfile.TemporaryDirectory(prefix="ksc-proof-") as folder, ThreadPoolExecutor(jobs) as pool:
        # The long ones first, so that none is left alone at the end.
        ordered = sorted(wanted, key=lambda claim: (-_WORKERS.get(claim.name, 0), claim.breaks is not None))
        proofs = []
        for proof in pool.map(lambda claim: prove(claim, register, Path(folder)), ordered):
            said(proof)
            proofs.append(proof)
    return sorted(proofs, key=lambda proof: wanted.index(proof.claim))


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
