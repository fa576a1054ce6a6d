"""Runs the witnesses of a defect in a forked process, without pytest: its start takes longer than a few cases.

The case runner is that of each run, and the cases fail the run by the same rule. A witness that does not deviate here
is run again by pytest.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.database.administrator_session import TargetError
from runner.database.dsn import Dsn
from runner.database.naming import Names, new_run_mark
from runner.database.profile import DEFAULT_PROFILE, load_profile
from runner.database.target import Target
from runner.database.time_limits import Limits
from runner.doctor.case_prerequisites import Prerequisites
from runner.doctor.examination import Examination
from runner.execution.case_result import CaseResult
from runner.execution.case_runner import CaseRunner
from runner.execution.fixture_pool import FixturePool
from runner.language.case_files import cached_cases
from runner.language.model import Case

_FAILS, _TARGET_UNUSABLE = 1, 4  # exit codes, as of a run by pytest
_PROFILE = load_profile(DEFAULT_PROFILE).sending_all()  # read once, before the processes are forked


@dataclass(frozen=True)
class WitnessRun:
    """A run of a few cases, one after another.

    Attributes:
        dsn: the target.
        cases: the cases, each as ``file::name``.
        settle, statement: time limits in seconds.
        strict: whether a failed case of level should fails the run.
        results: the file for the results.
    """

    dsn: str
    cases: tuple[str, ...]
    settle: float
    statement: float
    strict: bool
    results: str

    @property
    def arguments(self) -> list[str]:
        """The run as command-line arguments."""
        return [json.dumps(vars(self))]


def main(arguments: Sequence[str]) -> int:
    """Makes a run, and writes its results.

    Args:
        arguments: ``WitnessRun.arguments``.

    Returns:
        The exit code: 0, 1 if a case fails the run, 4 if the target can't be used.
    """
    run = WitnessRun(**json.loads(arguments[0]))
    limits = Limits(settle=run.settle, statement=run.statement)
    target = Target(Dsn.parse(run.dsn), _PROFILE, limits, Names(new_run_mark()))
    cases = [case for name in run.cases for case in _cases_named(name)]
    try:
        results = _results(target, cases)
    except TargetError as error:
        print(error, file=sys.stderr)  # noqa: T201 - this is a program
        return _TARGET_UNUSABLE
    finally:
        target.close()
    document = {"results": [result.as_dict() for result in results]}
    Path(run.results).write_text(json.dumps(document), encoding="utf-8")
    return _FAILS if any(result.fails(strict=run.strict) for result in results) else 0


def _cases_named(node: str) -> list[Case]:
    path, _, name = node.partition("::")
    return [case for case in cached_cases(Path(path)) if case.name == name]


def _results(target: Target, cases: Sequence[Case]) -> list[CaseResult]:
    target.check(anyway=False)
    findings = Examination(target, Prerequisites.on(_PROFILE, cases), creates=True).examine()
    target.facts.sees_others = findings.sees_others is True
    case_runner = CaseRunner(target, FixturePool())
    results = [case_runner.run(case) for case in cases]
    case_runner.close()
    return results
