"""How many cases run at a time: limits of the server and lost sessions reduce the number."""

from __future__ import annotations

from runner.plugin.pace import Pace


def run_cases(pace: Pace, number: int, *, cases_per_loss: int = 0, unusable: bool = False) -> int:
    """The number of cases at a time after so many cases, one of so many of which has lost a session."""
    for each in range(1, number + 1):
        pace.note_attempt(lost=cases_per_loss > 0 and each % cases_per_loss == 0, unusable=unusable)
        pace.adjust(rise=True)
    return pace.current


def test_more_than_eight_cases_run_at_a_time_while_they_wait_for_the_server() -> None:
    pace = Pace(20)
    assert pace.current == 8
    assert run_cases(pace, 3) == 11
    pace.adjust(rise=False)
    assert pace.current == 10
    assert run_cases(pace, 30) == 20


def test_few_lost_sessions_do_not_make_the_run_longer() -> None:
    assert run_cases(Pace(20), 7, cases_per_loss=1) > 1
    assert run_cases(Pace(20), 200, cases_per_loss=11) == 20


def test_one_case_at_a_time_is_run_if_one_in_ten_has_lost_a_session() -> None:
    assert run_cases(Pace(20), 80, cases_per_loss=10) == 1


def test_losses_by_the_statement_of_the_case_itself_are_not_counted() -> None:
    pace = Pace(20)
    assert run_cases(pace, 8, cases_per_loss=1) == 1
    pace.note_explained_loss()
    pace.adjust(rise=False)
    assert pace.current > 1


def test_one_case_at_a_time_is_run_once_the_target_was_unusable() -> None:
    pace = Pace(20)
    run_cases(pace, 1, unusable=True)
    assert run_cases(pace, 50) == 1


def test_a_login_refused_for_too_many_connections_halves_the_number_down_to_one() -> None:
    pace = Pace(20)
    assert pace.note_full(7)
    assert pace.connection_room == 4
    assert pace.note_full(3)
    assert pace.note_full(1)
    pace.adjust(rise=True)
    assert (pace.current, pace.note_full(0)) == (1, False)


def test_a_late_reply_halves_the_number() -> None:
    pace = Pace(20)
    pace.note_late_reply()
    pace.adjust(rise=True)
    assert pace.current == 4


def test_a_case_that_does_not_wait_for_the_server_does_not_raise_the_number() -> None:
    assert not Pace(20).can_rise(1.0, expected=1.0)
    assert not Pace(8).can_rise(9.0, expected=1.0)
