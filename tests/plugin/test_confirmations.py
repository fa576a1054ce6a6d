"""Verdicts of cases that ran among others are confirmed, and the same text not more often than needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.database.naming import Names
from runner.database.profile import load_profile
from runner.database.target import Target
from runner.execution.case_result import CaseResult, Verdict
from runner.execution.case_runner import CaseRunner, ResultAmongOthers
from runner.language.model import Case
from runner.language.suite import own_suite
from runner.plugin.cases_in_flight import CasesInFlight
from tests.execution.case_bench import LIMITS, Bench, simulator


def test_a_text_that_was_confirmed_three_times_is_accepted_for_cases_that_already_wait_for_a_confirmation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = {case.name: case for case in own_suite().cases if case.name.startswith("unknown-id[")}
    assert len(cases) > 4
    alone: list[str] = []
    run = CaseRunner.run

    def counted(self: CaseRunner, case: Case, before: ResultAmongOthers | None = None) -> CaseResult:
        alone.append(case.name)
        return run(self, case, before)

    monkeypatch.setattr(CaseRunner, "run", counted)
    with simulator("--defect", "unknown-id-is-answered-ok") as dsn:
        target = Target(Bench(tmp_path, dsn).dsn, load_profile("oceanbase-oracle"), LIMITS, Names())
        in_flight = CasesInFlight(CaseRunner(target), len(cases))
        in_flight.add(cases.items())
        results = [in_flight.result(name) for name in cases]
        in_flight.end()
        target.close()
    assert {result.verdict for result in results} == {Verdict.DEVIATES}
    assert len({result.actual for result in results}) == 1
    assert len(alone) == 3
