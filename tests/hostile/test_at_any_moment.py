"""Trouble at any moment of a case, for good or for a third of a second, makes no case deviate."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from runner.database.dsn import Dsn
from runner.database.profile import load_profile
from runner.database.target import Target
from runner.database.time_limits import Limits
from runner.execution.case_result import CaseResult, Verdict
from runner.execution.case_runner import CaseRunner
from tests.support.faulty_proxy import FAULTS, INFINITE, FaultyProxy
from tests.support.own_cases import case_named
from tests.support.simulator_process import SimulatorProcess

SHORT = Limits(connect=1, statement=1, settle=1, cleanup=1, outage=2)
LONGEST_CASE = 60.0  # seconds for one case; what it waits for comes to a quarter of that
MOMENTS = range(2, 80, 6)  # pieces that the server sends before; a case has 40 to 70


@pytest.fixture(scope="module")
def simulator() -> Iterator[Dsn]:
    simulator = SimulatorProcess()
    yield Dsn.parse(simulator.dsn)
    simulator.stop()


@pytest.mark.long
@pytest.mark.parametrize("case", ["user-logs-in-again[plain]", "running-session-ends"])
@pytest.mark.parametrize("lasts", [0.3, INFINITE], ids=["a moment", "for good"])
@pytest.mark.parametrize(
    "fault", ["sends no more data", "cuts all connections", "replies with invalid data", "hangs in mid-packet"]
)
def test_no_case_deviates_because_of_a_fault_of_the_target(simulator: Dsn, fault: str, lasts: float, case: str) -> None:
    def perform(moment: int) -> tuple[CaseResult, float]:
        start = time.monotonic()
        with FaultyProxy(simulator, FAULTS[fault], answers=moment, lasts=lasts).standing() as proxy:
            target = Target(Dsn.parse(proxy.dsn), load_profile("oceanbase-oracle"), SHORT)
            result = CaseRunner(target).run(case_named(case))
            target.close()
            return result, time.monotonic() - start

    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(perform, MOMENTS))
    assert {result.verdict for result, _ in done} == {Verdict.CONFORMS, Verdict.INCONCLUSIVE}
    for result, seconds in done:
        assert "error in the suite" not in result.reason
        assert seconds < LONGEST_CASE
