"""The suite as its users start it: ``pytest cases`` in a process of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

from suite import PLUGINS_LEFT_OUT, ROOT, run_pytest

PATIENCE = 120.0  # seconds: no slow machine needs them, and no test waits them out

SESSIONS = "{killer: {grants: [ALTER SYSTEM]}, victim: {user: killer}, stranger: {}}"


@dataclass(frozen=True)
class Done:
    """What a run came to."""

    code: int
    screen: str

    def shows_no_internals(self) -> bool:
        """Whether people see sentences, and no stack of the suite's own."""
        return not any(word in self.screen for word in ("Traceback", "INTERNALERROR", ".py:", "Error(", 'File "'))


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "pytest", *PLUGINS_LEFT_OUT, *arguments]


def environment() -> dict[str, str]:
    """This process's, but for a target that the developer may have named."""
    own = {name: value for name, value in os.environ.items() if name != "KSC_DSN"}
    return own | {"COLUMNS": "160", "PYTHONPATH": str(ROOT), "PY_COLORS": "0"}


def run(*arguments: str, folder: Path = ROOT) -> Done:
    """Runs pytest in the project's folder, or another one."""
    with NamedTemporaryFile(prefix="ksc-screen-") as file:
        words = [*PLUGINS_LEFT_OUT, *arguments]
        return Done(*run_pytest(words, Path(file.name), environment(), PATIENCE, folder))


def runner(*arguments: str) -> Done:
    """Runs the command line beside pytest's."""
    return _done([sys.executable, "-m", "runner", *arguments], ROOT)


def _done(words: list[str], folder: Path) -> Done:
    done = subprocess.run(
        words, cwd=folder, env=environment(), capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    return Done(done.returncode, done.stdout + done.stderr)


def own(folder: Path) -> list[str]:
    """The arguments that run the cases of another folder with the project's plugin."""
    settings = ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT)]
    return [*settings, "-p", "runner.plugin.hooks", str(folder / "cases")]


def write_case(folder: Path, body: str, requirement: str = "SYN-2", case_id: str = "the-case") -> Path:
    """Writes a file with one case beside a copy of the register; ``body`` says parameters, steps and ends."""
    cases = folder / "cases"
    cases.mkdir(exist_ok=True)
    shutil.copy(ROOT / "cases" / "requirements.yaml", cases)
    path = cases / f"{case_id}.yaml"
    lines = "".join(f"    {line}\n" for line in body.strip("\n").splitlines())
    path.write_text(
        f"format: 1\nsessions: {SESSIONS}\ncases:\n"
        f"  - id: {case_id}\n    requirement: {requirement}\n    title: the moon is made of cheese\n{lines}",
        encoding="utf-8",
    )
    return path
