"""Runs of a few cases that come to every verdict, and commands, as processes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

ROOT = Path(__file__).resolve().parents[2]

_KILL = "ALTER SYSTEM KILL SESSION '${victim.id}'"
_ENDS = f"- killer: {_KILL}\n        reply: ok\n    ends: [victim]"
_GOOD = f"steps:\n      {_ENDS}"
_WRONG = _GOOD.replace("reply: ok", "reply: privilege")
_UNDECIDED = f"steps:\n      - victim: SELECT x FROM nowhere\n      {_ENDS}"  # noqa: S608 - a case
_HARMFUL = "steps:\n      - killer: ALTER SYSTEM KILL SESSION '${victim.id + 4294967296}'\n        reply: ok"
_SEEN = (
    f"steps:\n      - killer: {_KILL}\n        reply: any\n"
    "    observe:\n      an error: {reply: error, ends: [victim]}"
)

CASES = {
    "must-conforms": ("PUR-1", _GOOD),
    "must-deviates": ("SYN-2", _WRONG),
    "must-undecided": ("SYN-3", _UNDECIDED),
    "should-deviates": ("EXA-6", _WRONG + "\n    parameters: {how: [one, two]}"),
    "should-undecided": ("IMP-2", _UNDECIDED),
    "should-harms": ("IMP-1", _HARMFUL),
    "seen": ("OBS-1", _SEEN),
}
"""Case ids, their requirements, and what they do: on the simulator each comes to what its id says."""


@dataclass(frozen=True)
class Done:
    """What a process came to, and what its JUnit XML says of each case."""

    code: int
    screen: str
    cases: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def outcomes(self) -> dict[str, str]:
        return {name: case["outcome"] for name, case in self.cases.items()}


def write_cases(folder: Path, *names: str) -> None:
    cases = folder / "cases"
    cases.mkdir(parents=True)
    shutil.copy(ROOT / "cases" / "requirements.yaml", cases)
    sessions = "{killer: {grants: [ALTER SYSTEM]}, victim: {user: killer}, stranger: {}}"
    rows = "".join(
        f"  - id: {name}\n    requirement: {requirement}\n    title: the moon is made of cheese\n    {body}\n"
        for name, (requirement, body) in CASES.items()
        if name in names or not names
    )
    (cases / "few.yaml").write_text(f"format: 1\nsessions: {sessions}\ncases:\n{rows}", encoding="utf-8")


def write_list(folder: Path, *entries: str) -> Path:
    path = folder / "known.yaml"
    rows = "".join(f"  - {{{entry}}}\n" for entry in entries)
    path.write_text("format: 1\ndeviations:\n" + rows if entries else "format: 1\ndeviations: []\n", encoding="utf-8")
    return path


def _environment(more: dict[str, str]) -> dict[str, str]:
    hidden = {"KSC_DSN", "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_WORKSPACE"}
    own = {name: value for name, value in os.environ.items() if name not in hidden}
    return own | {"COLUMNS": "160", "PYTHONPATH": str(ROOT), "PY_COLORS": "0"} | more


def _process(folder: Path, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env=_environment(more),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def run_cases(folder: Path, dsn: str, *options: str, **environment: str) -> Done:
    """``pytest cases`` in a folder with cases of its own."""
    xml = folder / "junit.xml"
    own = ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(folder), "-p", "runner.plugin.hooks"]
    own += [] if any(option.startswith("cases") for option in options) else ["cases"]
    fast = ["-p", "no:cacheprovider", "-p", "no:hypothesispytest", "--settle", "0.5", f"--junitxml={xml}"]
    done = _process(folder, "pytest", *own, *fast, "--dsn", dsn, *options, **environment)
    cases = {}
    for case in ET.parse(xml).getroot().iter("testcase") if xml.exists() else ():  # noqa: S314 - written by the run
        properties = {str(entry.get("name")): str(entry.get("value")) for entry in case.iter("property")}
        child = next((child for child in case if child.tag in {"failure", "skipped", "error"}), None)
        told = "" if child is None else f"{child.get('message')}\n{child.text}"
        outcome = "passed" if child is None else child.tag
        cases[str(case.get("name"))] = {**properties, "outcome": outcome, "told": told}
    xml.unlink(missing_ok=True)
    return Done(done.returncode, done.stdout + done.stderr, cases)


def run_command(folder: Path, *command: str) -> Done:
    """``python -m runner COMMAND`` in a folder."""
    done = _process(folder, "runner", *command)
    return Done(done.returncode, done.stdout + done.stderr)


def read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document
