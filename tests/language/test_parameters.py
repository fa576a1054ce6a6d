"""States as lists of steps, and parameters that are combined pairwise."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.language.case_files import load_cases
from runner.language.model import Disconnect, Send, Wait
from runner.language.parameters import combinations
from runner.language.problems import SourceError
from tests.language.case_texts import load_one, one_case, write

STATES = """\
requirement: MUS-1
title: ${state} of ${who}
parameters:
  who: {the-first: killer, the-second: victim}
  state:
    idle: []
    busy:
      - ${who}: ${sleep}
        reply: later
      - wait: {"${who}": running}
steps:
  - killer: SELECT 1
  - do: ${state}
  - abort: ${who}
"""


def load(folder: Path, body: str) -> dict[str, list[object]]:
    text = one_case(body).replace("    title: something holds\n", "" if "title:" in body else "    title: x\n")
    return {case.label: list(case.steps) for case in load_cases(write(folder, text))}


@given(sizes=st.lists(st.integers(1, 5), min_size=2, max_size=4))
def test_pairs_cover_every_pair_of_values_with_no_combination_twice(sizes: list[int]) -> None:
    chosen = combinations(sizes, "pairs")
    assert len(set(chosen)) == len(chosen)
    assert set(chosen) <= set(itertools.product(*map(range, sizes)))
    for one, other in itertools.combinations(range(len(sizes)), 2):
        wanted = set(itertools.product(range(sizes[one]), range(sizes[other])))
        assert {(row[one], row[other]) for row in chosen} == wanted


@given(sizes=st.lists(st.integers(1, 5), min_size=2, max_size=4))
def test_values_cover_every_value_with_as_many_combinations_as_the_longest_parameter_has(sizes: list[int]) -> None:
    chosen = combinations(sizes, "values")
    assert len(chosen) == max(sizes)
    assert all({row[at] for row in chosen} == set(range(size)) for at, size in enumerate(sizes))


def test_pairs_are_the_same_every_time_and_fewer_than_the_product() -> None:
    assert combinations([2, 2, 2], "pairs") == [(0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 0)]
    assert combinations([2, 2, 2], None) == list(itertools.product(range(2), repeat=3))
    assert len(combinations([7, 5, 2], "pairs")) == 35


def test_the_steps_of_a_state_are_inserted_where_do_names_the_state(tmp_path: Path) -> None:
    found = load(tmp_path, STATES)
    assert list(found) == ["the-first-idle", "the-first-busy", "the-second-idle", "the-second-busy"]
    assert [type(step) for step in found["the-second-idle"]] == [Send, Disconnect]
    first, sleep, wait, leave = found["the-second-busy"]
    assert isinstance(first, Send)
    assert isinstance(sleep, Send)
    assert isinstance(wait, Wait)
    assert isinstance(leave, Disconnect)
    assert (first.sets_state, sleep.sets_state, wait.sets_state) == (False, True, True)
    assert (sleep.session, sleep.later, wait.session, leave.session, leave.how) == (
        "victim",
        True,
        "victim",
        "victim",
        "abort",
    )


def test_a_step_of_a_state_has_the_place_where_the_state_is_written(tmp_path: Path) -> None:
    with pytest.raises(SourceError) as caught:
        load(tmp_path, STATES.replace('wait: {"${who}": running}', "wait: {nobody: running}"))
    assert caught.value.what == "unknown session 'nobody'"
    assert "wait: {nobody" in caught.value.place.path.read_text("utf-8").splitlines()[caught.value.place.line - 1]


def test_combine_reduces_the_combinations(tmp_path: Path) -> None:
    assert list(load(tmp_path, STATES + "combine: values\n")) == ["the-first-idle", "the-second-busy"]


def test_a_case_can_have_unread_replies_and_clients_that_disconnect(tmp_path: Path) -> None:
    body = "requirement: MUS-1\nsteps:\n  - victim: SELECT 1\n    reply: unread\n  - disconnect: killer\n"
    said, left = load_one(tmp_path, body).steps
    assert isinstance(said, Send)
    assert isinstance(left, Disconnect)
    assert (said.unread, said.later, said.reply, left.how) == (True, False, (), "disconnect")
