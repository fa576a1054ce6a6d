"""Runs of a few cases that come to every verdict, and commands, as processes."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from tests.support.paths import ROOT
from tests.support.suite_run import SuiteRun, run_pytest

_KILL = "ALTER SYSTEM KILL SESSION '${victim.id}'"
_ENDS = f"- killer: {_KILL}\n        reply: ok\n    ends: [victim]"
_GOOD = f"steps:\n      {_ENDS}"
_WRONG = _GOOD.replace("reply: ok", "reply: privilege")
_UNDECIDED = f"steps:\n      - victim: SELECT x FROM nowhere\n      {_ENDS}"  # noqa: S608 - a case
_HARMFUL = "steps:\n      - killer: ALTER SYSTEM KILL SESSION '${victim.id + 4294967296}'\n        reply: ok"
_SEEN = (
    f"steps:\n      - killer: {_KILL}\n        reply: observed\n"
    "    observe:\n      an error: {reply: error, ends: [victim]}"
)

CASES = {
    "must-conforms": ("PUR-1", _GOOD),
    "must-deviates": ("SYN-2", _WRONG),
    "must-undecided": ("SYN-3", _UNDECIDED),
    "should-deviates": ("EXA-6", _WRONG + "\n    parameters: {how: [one, two]}\n    note: ${how}"),
    "should-undecided": ("IMP-2", _UNDECIDED),
    "should-harms": ("IMP-1", _HARMFUL),
    "seen": ("OBS-1", _SEEN),
}
"""Case ids, their requirements, and what they do: on the simulator each comes to what its id says."""


@dataclass(frozen=True)
class FewCasesRun(SuiteRun):
    """A run, and its JUnit XML: the outcome, properties and message of each case."""

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


def run_cases(folder: Path, dsn: str, *options: str, **variables: str) -> FewCasesRun:
    """``pytest cases`` in a folder with cases of its own."""
    xml = folder / "junit.xml"
    own = ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(folder), "-p", "runner.plugin.hooks"]
    own += [] if any(option.startswith("cases") for option in options) else ["cases"]
    fast = ["--settle", "0.5", f"--junitxml={xml}"]
    done = run_pytest(*own, *fast, "--dsn", dsn, *options, folder=folder, variables=variables)
    cases = {}
    for case in ET.parse(xml).getroot().iter("testcase") if xml.exists() else ():  # noqa: S314 - written by the run
        properties = {str(entry.get("name")): str(entry.get("value")) for entry in case.iter("property")}
        child = next((child for child in case if child.tag in {"failure", "skipped", "error"}), None)
        told = "" if child is None else f"{child.get('message')}\n{child.text}"
        outcome = "passed" if child is None else child.tag
        cases[str(case.get("name"))] = {**properties, "outcome": outcome, "told": told}
    xml.unlink(missing_ok=True)
    return FewCasesRun(done.code, done.out, done.err, cases=cases)


def read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document
