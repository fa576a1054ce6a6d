"""Verdicts of cases that ran among others are confirmed, and the same failure not more often than needed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
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


@dataclass(frozen=True)
class Confirmed:
    """The results of cases in flight, and the names of those that were run alone."""

    results: list[CaseResult]
    alone: list[str]


Run = Callable[[str, list[Case], int], Confirmed]


@pytest.fixture
def run_in_flight(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs cases on a simulator with a defect, so many at a time."""
    alone: list[str] = []
    run = CaseRunner.run

    def counted(self: CaseRunner, case: Case, before: ResultAmongOthers | None = None) -> CaseResult:
        alone.append(case.name)
        return run(self, case, before)

    def confirmed(defect: str, cases: list[Case], at_a_time: int) -> Confirmed:
        with simulator("--defect", defect) as dsn:
            target = Target(
                Bench(tmp_path, dsn).dsn, load_profile("oceanbase-oracle"), replace(LIMITS, settle=1.0), Names()
            )
            in_flight = CasesInFlight(CaseRunner(target), at_a_time)
            in_flight.add((case.name, case) for case in cases)
            results = [in_flight.result(case.name) for case in cases]
            in_flight.end()
            target.close()
        return Confirmed(results, alone)

    monkeypatch.setattr(CaseRunner, "run", counted)
    return confirmed


def cases_named(*starts: str) -> list[Case]:
    return [case for case in own_suite().cases if case.name.startswith(starts)]


def test_a_text_that_was_confirmed_three_times_is_accepted_for_cases_that_already_wait_for_a_confirmation(
    run_in_flight: Run,
) -> None:
    cases = cases_named("unknown-id[")
    assert len(cases) > 4
    done = run_in_flight("unknown-id-is-answered-ok", cases, len(cases))
    assert {result.verdict for result in done.results} == {Verdict.DEVIATES}
    assert len({result.actual for result in done.results}) == 1
    assert len(done.alone) == 3


def test_an_error_of_a_statement_that_kills_is_known_after_three_confirmations(run_in_flight: Run) -> None:
    cases = cases_named("any-state-ends[")[:8]
    assert len(cases) == 8
    done = run_in_flight("ends-with-an-error", cases, 4)
    assert {result.verdict for result in done.results} == {Verdict.DEVIATES}
    assert len(done.alone) == 4, "those in flight at the same time: another one may have killed their sessions"


def test_a_kill_that_cases_presume_is_known_to_fail_after_three_confirmations(run_in_flight: Run) -> None:
    cases = cases_named("answers-in-any-state[")[:3] + cases_named("transaction-of-a-busy-session-is-rolled-back[")[:3]
    assert len(cases) == 6
    done = run_in_flight("does-nothing", cases, 6)
    assert {result.verdict for result in done.results} == {Verdict.INCONCLUSIVE}
    assert len({result.reason for result in done.results}) > 1
    assert len(done.alone) == 3
