"""Control runs: when they are made, how long they are, and what they decide."""

from __future__ import annotations

from collections.abc import Callable

from runner.execution.control_runs import ControlRuns

QUICK, SLOW = 0.1, 3.0  # seconds of the run that lost a session


def control(*losses: bool) -> tuple[list[float], Callable[[float], bool]]:
    """The durations of the control runs that are made, and a control run that loses a session or not, in turns."""
    seconds: list[float] = []
    answers = iter(losses)

    def run(duration: float) -> bool:
        seconds.append(duration)
        return next(answers)

    return seconds, run


def test_a_session_lost_in_two_control_runs_is_lost_without_the_statement() -> None:
    seconds, run = control(True, True)
    assert ControlRuns().also_lose_sessions(QUICK, run)
    assert seconds == [5.0, 5.0]


def test_one_lost_session_may_be_a_late_effect_of_an_earlier_statement() -> None:
    _, run = control(True, False)
    assert not ControlRuns().also_lose_sessions(QUICK, run)


def test_the_first_control_run_is_long_and_later_ones_are_twice_as_long_as_the_case() -> None:
    seconds, run = control(False, False, False)
    controls = ControlRuns()
    for run_seconds in (QUICK, QUICK, SLOW):
        assert not controls.also_lose_sessions(run_seconds, run)
    assert seconds == [5.0, 1.0, 6.0]


def test_after_three_control_runs_without_a_loss_only_slow_cases_have_their_own() -> None:
    seconds, run = control(False, False, False, True, True)
    controls = ControlRuns()
    for _ in range(5):
        assert not controls.also_lose_sessions(QUICK, run)
    assert len(seconds) == 3
    assert controls.also_lose_sessions(SLOW, run)
