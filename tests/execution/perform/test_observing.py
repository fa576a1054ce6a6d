"""Single cases on a real server: what is observed, under which name, and what binds all the same."""

from __future__ import annotations

import dataclasses

import pytest
from case_bench import KILL, Bench

from runner.execution.verdict import Verdict
from runner.language.model import Level

OBSERVED = {
    "the first outcome that fits": (
        "observe:\n  an error: {reply: error, ends: []}\n  it ends: {reply: ok, ends: [victim]}\n  all: {}",
        "it ends",
    ),
    "an outcome that says less": ("observe:\n  nothing: {ends: []}\n  all: {ends: [victim]}", "all"),
    "how the connection ends": (
        "observe:\n  reset: {ends: [victim], connection: reset}\n  closed: {ends: [victim], connection: closed}",
        "closed",
    ),
    "an answer that is not listed": (
        "observe:\n  an error: {reply: error, ends: [victim]}",
        "other: OK, 0 rows affected; victim ended",
    ),
    "an end that is not listed with the answer": (
        "observe:\n  nothing ends: {reply: ok, ends: []}\n  an error: {reply: error, ends: [victim]}",
        "other: OK, 0 rows affected; victim ended",
    ),
}


@pytest.mark.parametrize(("observe", "name"), OBSERVED.values(), ids=list(OBSERVED))
def test_what_came_is_observed_under_its_name(bench: Bench, observe: str, name: str) -> None:
    result = bench.settling_within(0.3).run(f"steps:\n  - killer: {KILL}\n    reply: any\n{observe}", "OBS-1")
    assert (result.verdict, result.observed) == (Verdict.OBSERVED, {name: 1})


def test_an_observation_is_repeated_and_counted(bench: Bench) -> None:
    body = f"repeat: 3\nsteps:\n  - killer: {KILL}\n    reply: any\nobserve:\n  it ends: {{reply: ok, ends: [victim]}}"
    result = bench.run(body, "OBS-1")
    assert (result.verdict, result.observed) == (Verdict.OBSERVED, {"it ends": 3})
    assert [ending.session for ending in result.endings] == ["victim"] * 3


def test_an_observation_in_which_another_session_ends_deviates_and_binds_like_a_must(bench: Bench) -> None:
    body = """\
steps:
  - killer: ALTER SYSTEM KILL SESSION '${victim.id + 4294967296}'
    reply: any
observe:
  it does nothing: {reply: ok, ends: []}"""
    result = bench.run(body, "OBS-1")
    assert (result.verdict, result.safety, result.level) == (Verdict.DEVIATES, True, Level.OBSERVE)
    assert result.binding is Level.MUST
    assert result.fails(strict=False)


def test_an_observation_without_an_answer_says_so(bench: Bench) -> None:
    slow = dataclasses.replace(bench, limits=dataclasses.replace(bench.limits, statement=0.3))
    result = slow.run("steps:\n  - killer: ${sleep}\n    reply: any\nobserve:\n  answered: {reply: rows}", "OBS-1")
    assert (result.verdict, result.observed) == (Verdict.OBSERVED, {"no reply within 0.3 s": 1})
