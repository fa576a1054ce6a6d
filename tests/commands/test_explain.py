"""``explain``: requirements and cases in words, and hints for names that are not known."""

from __future__ import annotations

import pytest

from runner.cli import main


def explained(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = main(["explain", *arguments])
    captured = capsys.readouterr()
    return code, captured.out + captured.err


def test_a_login_shows_the_session_whose_id_it_must_not_have(capsys: pytest.CaptureFixture[str]) -> None:
    code, screen = explained(capsys, "user-logs-in-after-twenty-ends")
    assert (code, "again connects, with another id than victims_4  -- ok" in screen) == (0, True), screen


def test_steps_that_depend_on_a_reply_are_below_the_condition(capsys: pytest.CaptureFixture[str]) -> None:
    code, screen = explained(capsys, "commit-at-the-moment-of-the-kill")
    read = "- other> SELECT id, val FROM ${table} ORDER BY id  -- rows ([['1', '1'], ['2', '1']])"
    below = f"- if the last reply of victim is ok:\n       {read}\n       otherwise:\n       {read} or rows"
    assert (code, below in screen) == (0, True), screen


def test_a_pause_is_shown_with_its_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    code, screen = explained(capsys, "long-running-session-ends")
    assert (code, "  3. pause for 2 s\n" in screen) == (0, True), screen


def test_a_kept_value_is_shown_with_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    code, screen = explained(capsys, "change-at-the-moment-of-the-kill")
    assert (code, "other> SELECT val FROM ${table} WHERE id = 1 (kept as before)\n" in screen) == (0, True), screen


def test_a_quoted_user_name_is_shown_with_the_user_whose_name_it_resembles(capsys: pytest.CaptureFixture[str]) -> None:
    code, screen = explained(capsys, "quoted-name-like-a-holders")
    named = "session small of a new user, whose name is that of holder's user in small letters, in quotes\n"
    assert (code, named in screen) == (0, True), screen


def test_an_unknown_name_is_refused_with_the_closest_one_and_the_option_for_other_cases(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, screen = explained(capsys, "own-sesion")
    assert code == 4
    assert "no requirement or case in cases has the name 'own-sesion': did you mean 'own-session'?" in screen
    assert "to search other cases, add --cases FOLDER" in screen


def test_a_name_of_the_other_statement_is_refused_with_its_folder(capsys: pytest.CaptureFixture[str]) -> None:
    code, screen = explained(capsys, "QUERY-1")
    assert (code, "--cases kill/cases has this name" in screen) == (4, True), screen
    assert explained(capsys, "QUERY-1", "--cases", "kill")[0] == 0
