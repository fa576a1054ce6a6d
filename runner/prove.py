"""Proves the suite on the simulator: every defect is caught for the requirement that it breaks, no variant is accused.

Each proof is a simulator with one defect or variant, and the suite against it, as processes. A defect meets the cases
of the requirement that it breaks; those that break PAR-1 (somebody else ends) meet all cases, and so does a variant.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.execution.verdict import CaseResult, Verdict
from runner.language.model import Level, Register

ROOT = Path(__file__).resolve().parents[1]
_START_LIMIT = 20.0  # seconds
_RUN_LIMIT = 600.0
_SLOW = {
    "slow-end",
    "slow-statements",
    "slow-login",
    "row-leaves-first",
    "closes-on-next-request",
    "error-on-next-request",
}
"""Variants that make the suite wait: idle time, which many workers share."""
_EVERYWHERE = {"unknown-id-ends-the-caller", "disconnects-who-lacks-the-privilege"}
"""Defects besides those of PAR-1 that show of cases which end nothing that they too can fail."""
_COLLATERAL = "PAR-1"
_WORKERS = "10"


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
    record = folder / f"{claim.name}.json"
    with subprocess.Popen(
        [
            sys.executable,
            "-m",
            "runner.simulator",
            "--port",
            "0",
            "--until-stdin-closes",
            f"--{claim.kind}",
            claim.name,
        ],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as simulator:
        try:
            assert simulator.stdout is not None  # noqa: S101 - a pipe was asked for
            ready, _, _ = select.select([simulator.stdout], [], [], _START_LIMIT)
            dsn = simulator.stdout.readline().strip() if ready else ""
            done = _suite(claim, register, dsn, record) if dsn else None
        finally:
            simulator.terminate()
    results = _read(record)
    screen = "the simulator did not start" if done is None else done.stdout + done.stderr
    return Proof(claim, -1 if done is None else done.returncode, results, round(time.monotonic() - start, 1), screen)


def _suite(claim: Claim, register: Register, dsn: str, record: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "cases", "-q", "--tb=no", "--dsn", dsn]
    # Hypothesis serves the tests, not the cases, and costs a second at the end of each run.
    command += ["-p", "no:cacheprovider", "-p", "no:hypothesispytest"]
    command += ["--report", str(record)]
    if claim.breaks:
        # A target that ends nothing, or answers nothing, is known for it after a second as well as after ten.
        command += ["--settle", "1", "--statement-limit", "2"]
        command += ["--strict"] if register.requirements[claim.breaks].level is Level.SHOULD else []
        everywhere = claim.breaks == _COLLATERAL or claim.name in _EVERYWHERE
        command += [] if everywhere else ["--requirement", claim.breaks]
    if claim.name in _SLOW:
        command += ["-n", _WORKERS]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=_RUN_LIMIT, check=False
    )


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
        ordered = sorted(wanted, key=lambda claim: (claim.name not in _SLOW, claim.breaks is not None))
        proofs = []
        for proof in pool.map(lambda claim: prove(claim, register, Path(folder)), ordered):
            said(proof)
            proofs.append(proof)
    return sorted(proofs, key=lambda proof: wanted.index(proof.claim))


def unkilled(proofs: Iterable[Proof], cases: Iterable[str]) -> list[str]:
    """The cases that no defect makes deviate: they can't fail, or nobody has shown that they can."""
    killed = frozenset[str]().union(*(proof.killed for proof in proofs if proof.claim.breaks))
    return [case for case in cases if case not in killed]


def score(proofs: Sequence[Proof], register: Register, killed: int, cases: int) -> str:
    """The proof in a sentence."""
    parts = []
    for level in (Level.MUST, Level.SHOULD):
        of_level = [
            proof for proof in proofs if proof.claim.breaks and register.requirements[proof.claim.breaks].level is level
        ]
        caught = sum(proof.holds(register) for proof in of_level)
        parts.append(f"{caught} of {len(of_level)} {level.value}-defects caught")
    variants = [proof for proof in proofs if proof.claim.breaks is None]
    parts.append(f"{sum(not proof.holds(register) for proof in variants)} of {len(variants)} lawful variants accused")
    return "; ".join([*parts, f"{killed} of {cases} cases shown to fail"])


def line(proof: Proof, register: Register) -> str:
    """A proof as a row of the matrix."""
    verdict = "holds " if proof.holds(register) else "FAILS "
    what = f"breaks {proof.claim.breaks:<6}" if proof.claim.breaks else "is lawful    "
    own = [result for result in proof.results if result.requirement == proof.claim.breaks]
    deviating = sum(result.verdict is Verdict.DEVIATES for result in own)
    score = f"{deviating}/{len(own)} cases" if proof.claim.breaks else f"{len(proof.killed)} accused"
    return f"{verdict} {proof.claim.name:<44} {what} {score:<12} exit {proof.code}  {proof.seconds:5.1f} s"


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
