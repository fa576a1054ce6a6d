"""What the proofs say together: the matrix, its score, and the cases that nothing makes fail."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from runner.execution.verdict import Verdict
from runner.language.model import Level, Register
from runner.proof.prove import Proof

_KINDS = {"variant": "conforms     ", "environment": "undecidable  "}


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
        parts.append(f"{caught} of {len(of_level)} {level.value} defects detected")
    for kind, what in (
        ("variant", "conforming variants with false positives"),
        ("environment", "environments with false positives"),
    ):
        of_kind = [proof for proof in proofs if proof.claim.kind == kind]
        parts.append(f"{sum(not proof.holds(register) for proof in of_kind)} of {len(of_kind)} {what}")
    return "; ".join([*parts, f"{killed} of {cases} cases shown to fail"])


def line(proof: Proof, register: Register) -> str:
    """A proof as a row of the matrix."""
    verdict = "holds " if proof.holds(register) else "FAILS "
    what = f"breaks {proof.claim.breaks:<6}" if proof.claim.breaks else _KINDS[proof.claim.kind]
    own = [result for result in proof.results if result.requirement == proof.claim.breaks]
    deviating = sum(result.verdict is Verdict.DEVIATES for result in own)
    score = f"{deviating}/{len(own)} cases" if proof.claim.breaks else f"{len(proof.killed | proof.undecided)} wrong"
    if proof.claim.kind == "environment":
        score = f"{len(proof.killed)} wrong" if proof.harmless else "harmed"
    return f"{verdict} {proof.claim.name:<44} {what} {score:<12} exit {proof.code}  {proof.seconds:5.1f} s"
