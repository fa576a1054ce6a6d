"""Cases that the tests write, in folders outside the checkout."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.support.paths import CASES
from tests.support.suite_run import elsewhere

SESSIONS = "{killer: {grants: [ALTER SYSTEM]}, victim: {user: killer}, stranger: {}}"


def arguments_of(folder: Path) -> list[str]:
    """The arguments that run the cases of another folder with the project's plugin."""
    return elsewhere(folder / "cases")


def write_case(folder: Path, body: str, requirement: str = "SYN-2", case_id: str = "the-case") -> Path:
    """Writes a file with one case beside a copy of the register; ``body`` says parameters, steps and ends."""
    cases = folder / "cases"
    cases.mkdir(exist_ok=True)
    shutil.copy(CASES / "requirements.yaml", cases)
    path = cases / f"{case_id}.yaml"
    lines = "".join(f"    {line}\n" for line in body.strip("\n").splitlines())
    path.write_text(
        f"format: 1\nsessions: {SESSIONS}\ncases:\n"
        f"  - id: {case_id}\n    requirement: {requirement}\n    title: the moon is made of cheese\n{lines}",
        encoding="utf-8",
    )
    return path
