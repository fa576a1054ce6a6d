"""Single cases on a real server: how an end is seen, and what ends a session besides the statement."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.database.time_limits import Limits
from runner.execution.case_result import CaseResult, Verdict
from tests.execution.case_bench import KILL, Bench, sent, simulator
from tests.support.eventually import PATIENCE

ENDS = f"steps:\n  - killer: {KILL}\n    reply: [ok, connection-lost]\nends: [victim]"
KEEPS = "steps:\n  - killer: ALTER SYSTEM KILL SESSION 'abc'\n    reply: error\nwatch: 3"


def run(folder: Path, body: str, *options: str, limits: Limits | None = None) -> CaseResult:
    """One case on a simulator with these options, which must have no user of the suite afterwards."""
    with simulator(*options) as dsn:
        bench = Bench(folder, dsn) if limits is None else Bench(folder, dsn, limits)
        result = bench.run(body)
        assert (bench.users(), result.warnings) == ((), ())
    return result


def settling_within(seconds: float) -> Limits:
    return Limits(connect=PATIENCE, statement=PATIENCE, settle=seconds, cleanup=PATIENCE)


def test_a_session_that_ends_only_at_its_next_statement_deviates(tmp_path: Path) -> None:
    defect = ("--defect", "ends-idle-sessions-at-their-next-statement")
    result = run(tmp_path, ENDS, *defect, limits=settling_within(0.5))
    assert result.verdict is Verdict.DEVIATES
    assert result.expected == "the connection of victim is gone within 0.5 s"
    state = "COMMAND Sleep, STATE SESSION_KILLED"
    assert result.actual.startswith(
        f"victim is connected and listed until a statement is sent on its connection ({state}"
    )
    assert result.endings == ()


def test_a_killed_session_that_stays_connected_and_refuses_statements_deviates(tmp_path: Path) -> None:
    defect = ("--defect", "refuses-statements-of-killed-idle-sessions")
    result = run(tmp_path, ENDS, *defect, limits=settling_within(0.5))
    assert result.verdict is Verdict.DEVIATES
    assert "victim is connected" in result.actual


@pytest.mark.parametrize("variant", ["closes-on-next-request", "error-on-next-request"])
def test_a_close_that_is_detected_only_after_a_statement_has_no_duration(tmp_path: Path, variant: str) -> None:
    result = run(tmp_path, ENDS, "--variant", variant)
    assert result.verdict is Verdict.CONFORMS, result.actual
    (ending,) = result.endings
    assert ending.connection_ms is None
    assert ending.row_ms is not None
    assert ending.manner.endswith(", at its next statement")


def test_a_crash_after_each_statement_deviates_and_leaves_nothing(tmp_path: Path) -> None:
    result = run(tmp_path, ENDS, "--defect", "crashes-at-every-kill-for-three-seconds")
    assert (result.verdict, result.safety) == (Verdict.DEVIATES, True), result.reason
    assert result.expected == "the server stays usable after the statement"
    assert "right after the statement the target was unusable" in result.actual


def test_a_crash_that_does_not_happen_again_is_inconclusive(tmp_path: Path) -> None:
    result = run(tmp_path, ENDS, "--environment", "crashes-at-the-first-kill")
    assert (result.verdict, result.safety) == (Verdict.INCONCLUSIVE, False), result.actual
    assert "but not when the case was repeated (conforms" in result.reason


def test_a_session_that_an_idle_timeout_ends_is_inconclusive(tmp_path: Path) -> None:
    result = run(tmp_path, ENDS, "--defect", "ignores-the-kill-and-closes-idle-sessions")
    assert result.verdict is Verdict.INCONCLUSIVE, result.actual
    assert "an idle timeout" in result.reason
    assert len(sent(result)) == 1


def test_sessions_that_have_to_stay_connected_are_kept_active(tmp_path: Path) -> None:
    result = run(tmp_path, KEEPS, "--variant", "closes-idle-sessions")
    assert result.verdict is Verdict.CONFORMS, (result.actual, result.reason)


REFUSED = "steps:\n  - killer: ALTER SYSTEM KILL SESSION '${unused 1}'\n    reply: error"


@pytest.mark.parametrize(("requirement", "verdict"), [("IMP-10", Verdict.CONFORMS), ("IMP-8", Verdict.DEVIATES)])
def test_only_cases_of_the_right_level_judge_a_session_that_is_closed_after_its_refused_statement(
    tmp_path: Path, requirement: str, verdict: Verdict
) -> None:
    with simulator("--defect", "disconnects-who-was-refused") as dsn:
        result = Bench(tmp_path, dsn).run(REFUSED, requirement)
    assert result.verdict is verdict, result.actual or result.reason
    assert not result.safety  # it is no unrelated session


def test_a_case_that_needs_a_session_closed_after_its_refused_statement_is_inconclusive(tmp_path: Path) -> None:
    again = f"{REFUSED}\n  - killer: COMMIT\n    reply: ok"
    with simulator("--defect", "disconnects-who-was-refused") as dsn:
        result = Bench(tmp_path, dsn).run(again, "IMP-10")
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "this case still needs: IMP-8 tests whether such a session stays usable" in result.reason


def test_a_session_closed_after_its_refused_statement_logs_in_again_for_its_next_one(tmp_path: Path) -> None:
    again = f"{REFUSED}\n  - killer: ALTER SYSTEM KILL SESSION '${{unused 2}}'\n    reply: error"
    with simulator("--defect", "disconnects-who-was-refused") as dsn:
        result = Bench(tmp_path, dsn).run(again, "IMP-10")
    assert result.verdict is Verdict.CONFORMS, result.actual or result.reason
    assert any("the session logs in again" in event.text for event in result.transcript)


def test_a_session_with_a_state_of_its_own_does_not_log_in_again(tmp_path: Path) -> None:
    again = REFUSED.replace("steps:", "steps:\n  - killer: COMMIT")
    again += "\n  - killer: ALTER SYSTEM KILL SESSION '${unused 2}'\n    reply: error"
    with simulator("--defect", "disconnects-who-was-refused") as dsn:
        result = Bench(tmp_path, dsn).run(again, "IMP-10")
    assert result.verdict is Verdict.INCONCLUSIVE, result.actual
