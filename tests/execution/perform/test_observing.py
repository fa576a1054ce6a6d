"""Single cases on a real server: what is observed, under which name, and what binds all the same."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from runner.execution.case_result import Verdict
from runner.language.model import Level
from tests.execution.case_bench import KILL, Bench, simulator
from tests.support.eventually import PATIENCE
from tests.support.suite_run import run_suite


def test_an_observation_is_repeated_and_counted(bench: Bench) -> None:
    steps = f"steps:\n  - killer: {KILL}\n    reply: observed\n"
    body = f"repeat: 3\n{steps}observe:\n  it ends: {{reply: ok, ends: [victim]}}"
    result = bench.run(body, "OBS-1")
    assert (result.verdict, result.observed) == (Verdict.OBSERVED, {"it ends": 3})
    assert [ending.session for ending in result.endings] == ["victim"] * 3


REPEATED = f"repeat: 9\nsteps:\n  - killer: {KILL}\nobserve:\n  it ends: {{ends: [victim]}}"


def repeating_for(seconds: float, bench: Bench) -> Bench:
    return dataclasses.replace(bench, limits=dataclasses.replace(bench.limits, repeat=seconds))


def test_an_observation_is_not_repeated_again_when_its_time_is_over(bench: Bench) -> None:
    assert repeating_for(PATIENCE, bench).run(REPEATED, "OBS-4").observed == {"it ends": 9}
    hurried = repeating_for(0.001, bench).run(REPEATED, "OBS-4")
    assert (hurried.observed, len(hurried.endings)) == ({"it ends": 3}, 3), "three times in any case"


def test_a_case_with_fewer_than_three_repetitions_is_not_repeated_more_often(bench: Bench) -> None:
    result = repeating_for(0.001, bench).run(REPEATED.replace("9", "2"), "OBS-4")
    assert result.observed == {"it ends": 2}


@pytest.mark.long
def test_a_server_that_needs_seconds_to_end_a_session_is_measured_three_times(tmp_path: Path) -> None:
    with simulator("--variant", "slow-end") as dsn:
        result = repeating_for(4, Bench(tmp_path, dsn)).run(REPEATED.replace("9", "100"), "OBS-4")
    assert result.observed == {"it ends": 3}, "each takes three seconds, and the time is over in the second"
    assert all(end.row_ms is not None and end.row_ms > 2900 for end in result.endings)


def test_an_observation_in_which_another_session_ends_deviates_and_fails_the_run_like_a_must(bench: Bench) -> None:
    body = """\
steps:
  - killer: ALTER SYSTEM KILL SESSION '${victim.id + 4294967296}'
    reply: observed
observe:
  it does nothing: {reply: ok, ends: []}"""
    result = bench.run(body, "OBS-1")
    assert (result.verdict, result.safety, result.level) == (Verdict.DEVIATES, True, Level.OBSERVE)
    assert result.effective_level is Level.MUST
    assert result.fails(strict=False)


def test_an_observation_without_a_reply_is_recorded_as_such(bench: Bench) -> None:
    slow = dataclasses.replace(bench, limits=dataclasses.replace(bench.limits, statement=0.3))
    result = slow.run("steps:\n  - killer: ${sleep}\n    reply: observed\nobserve:\n  answered: {reply: rows}", "OBS-1")
    assert (result.verdict, result.observed) == (Verdict.OBSERVED, {"no reply within 0.3 s": 1})


OTHERWISE = {
    "": ("the privilege is missing", "it is executed", "the same ids"),
    "prepared-with-the-privilege": ("it is executed", "it is executed", "the same ids"),
    "takes-no-prepared-kill": (
        "it can't be prepared, or another error",
        "it can't be prepared, or another error",
        "the same ids",
    ),
    "view-with-ids-of-its-own": ("the privilege is missing", "it is executed", "other ids, or not all of them"),
    "no-view-of-sessions": ("the privilege is missing", "it is executed", "no such view"),
}


@pytest.mark.parametrize("variant", OTHERWISE)
def test_statements_prepared_beforehand_and_the_view_of_sessions_are_recorded(variant: str, tmp_path: Path) -> None:
    with simulator(*(["--variant", variant] if variant else [])) as dsn:
        shown = f"oceanbase://{dsn.user}:{dsn.password}@{dsn.host}:{dsn.port}/"
        options = ["--requirement", "OBS-6", "--requirement", "OBS-10", "--dsn", shown]
        run = run_suite(tmp_path / "record.json", *options)
    assert run.code == 0, run.screen
    names = ("prepared-before-revoke", "prepared-before-grant", "ids-in-the-view-of-sessions")
    assert tuple(next(iter(run.result(name)["observed"])) for name in names) == OTHERWISE[variant]
