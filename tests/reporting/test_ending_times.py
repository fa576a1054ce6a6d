"""Percentiles of known numbers, and of the ends of sessions."""

from __future__ import annotations

import pytest

from runner.execution.case_result import Ending
from runner.reporting.ending_times import Distribution, EndingTimes, percentile

HUNDRED = [float(number) for number in range(1, 101)]
PERCENTILES = [
    (HUNDRED, 1, 1.0),
    (HUNDRED, 50, 50.0),
    (HUNDRED, 99, 99.0),
    (HUNDRED, 100, 100.0),
    ([*HUNDRED, 101.0], 50, 51.0),
    ([*HUNDRED, 101.0], 99, 100.0),
    ([15.0, 20.0, 35.0, 40.0, 50.0], 29, 20.0),
    ([15.0, 20.0, 35.0, 40.0, 50.0], 50, 35.0),
    ([15.0, 20.0, 35.0, 40.0, 50.0], 99, 50.0),
    ([7.0], 1, 7.0),
]


@pytest.mark.parametrize(("ordered", "percent", "value"), PERCENTILES)
def test_a_percentile_is_the_least_value_that_so_many_do_not_exceed(
    ordered: list[float], percent: int, value: float
) -> None:
    assert percentile(ordered, percent) == value


def test_durations_need_no_order() -> None:
    assert Distribution.of(HUNDRED[::-1]) == Distribution(100, 50.0, 99.0, 100.0)
    assert Distribution.of([3.0, 1.0, 2.0]) == Distribution(3, 2.0, 3.0, 3.0)
    assert Distribution.of([]) is None


def test_an_end_without_a_known_duration_is_left_out() -> None:
    ends = [
        Ending("victim", "closed", None, 4.0),
        Ending("victim", "closed", 0.5, 2.0),
        Ending("victim", "closed", None),
    ]
    assert EndingTimes.of(ends) == EndingTimes(Distribution(1, 0.5, 0.5, 0.5), Distribution(2, 2.0, 4.0, 4.0))
