"""Runs the suite as its users do: a process, a command line, an exit code, a record."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.language.load import case_files, load_cases
from runner.language.model import Level
from runner.language.register import read_register
from runner.plugin.embedded import EmbeddedSimulator
from runner.proof.forks import ForkedSuite

ROOT = Path(__file__).resolve().parents[1]
_CASES = [case for path in case_files(ROOT / "cases") for case in load_cases(path)]
ALL_CASES = len(_CASES)
REQUIREMENTS = len(read_register(ROOT / "cases" / "requirements.yaml").requirements)
PLUGINS_LEFT_OUT = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest")
BINDING_CASES = sum(case.requirement.level is not Level.OBSERVE for case in _CASES)
"""Those that can conform or deviate."""


@dataclass(frozen=True)
class SuiteRun:
    """What a run printed, and its record."""

    code: int
    screen: str
    record: dict[str, Any]

    def results(self, **wanted: str) -> list[dict[str, Any]]:
        """The results with these values."""
        return [row for row in self.record["results"] if all(row[key] == value for key, value in wanted.items())]

    def result(self, name: str) -> dict[str, Any]:
        """The one result of a case."""
        (found,) = self.results(name=name)
        return found


def run_suite(record: Path, *options: str, limit: float = 300) -> SuiteRun:
    """Runs ``pytest cases`` with these options; ``record`` is where its record goes."""
    words = ["cases", *PLUGINS_LEFT_OUT, "--record", str(record), *options]
    variables = {name: value for name, value in os.environ.items() if name != "KSC_DSN"} | {"COLUMNS": "200"}
    code, screen = run_pytest(words, record.with_suffix(".screen"), variables, limit)
    written = json.loads(record.read_text(encoding="utf-8")) if record.exists() else {"results": []}
    return SuiteRun(code, screen, written)


def run_pytest(
    words: Sequence[str], screen: Path, environment: Mapping[str, str], limit: float, folder: Path = ROOT
) -> tuple[int, str]:
    """Runs pytest in a process that is forked, as a start would take longer than most runs.

    Args:
        words: its arguments.
        screen: the file for what it prints.
        environment: its environment variables.
        limit: the seconds after which it is killed, and the test fails.
        folder: where it runs.

    Returns:
        Its exit code, and what it printed.
    """
    code = ForkedSuite(words, screen, as_pytest=True, folder=folder, environment=environment).exit_code(limit)
    printed = screen.read_text(encoding="utf-8", errors="replace")
    assert code >= 0, f"killed after {limit} s, or by a signal:\n{printed}"
    return code, printed


@contextmanager
def simulator(*options: str) -> Iterator[str]:
    """The DSN of a simulator with these options, which ends with the block."""
    started = EmbeddedSimulator(*options)
    try:
        yield started.dsn
    finally:
        started.stop()


def withheld(row: dict[str, Any]) -> bool:
    """Whether the guard kept an unusually written id back, because somebody has the number it could be read as.

    That is chance where ids are small: '0001180' is 9 in octal up to its 8, maybe another worker's administrator.
    """
    return (row["requirement"], row["reason"].partition(", ")[2]) == ("OBS-1", "which is not a session of this case")


def differing(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """The cases of which two records have different verdicts, but for ids that were withheld in one of them."""
    rows = [{row["name"]: row for row in record["results"]} for record in (one, other)]
    names = list(dict.fromkeys([*rows[0], *rows[1]]))
    pairs = {name: [each[name] for each in rows if name in each] for name in names}
    return [
        name
        for name, pair in pairs.items()
        if (len(pair) == 1 or pair[0]["verdict"] != pair[1]["verdict"]) and not any(map(withheld, pair))
    ]
