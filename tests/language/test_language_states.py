"""States as lists of steps, and parameters that are combined pairwise."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from language_files import load_one, one_case, write

from runner.language.combining import combinations
from runner.language.load import load_cases
from runner.language.model import Leave, Say, Wait
from runner.language.problems import SourceError

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


def test_a_state_is_put_where_do_names_it(tmp_path: Path) -> None:
    found = load(tmp_path, STATES)
    assert list(found) == ["the-first-idle", "the-first-busy", "the-second-idle", "the-second-busy"]
    assert [type(step) for step in found["the-second-idle"]] == [Say, Leave]
    first, sleep, wait, leave = found["the-second-busy"]
    assert isinstance(first, Say)
    assert isinstance(sleep, Say)
    assert isinstance(wait, Wait)
    assert isinstance(leave, Leave)
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


def test_combine_takes_fewer_combinations(tmp_path: Path) -> None:
    assert list(load(tmp_path, STATES + "combine: values\n")) == ["the-first-idle", "the-second-busy"]


def test_a_case_reads_unread_replies_and_clients_that_leave(tmp_path: Path) -> None:
    body = "requirement: MUS-1\nsteps:\n  - victim: SELECT 1\n    reply: unread\n  - disconnect: killer\n"
    said, left = load_one(tmp_path, body).steps
    assert isinstance(said, Say)
    assert isinstance(left, Leave)
    assert (said.unread, said.later, said.reply, left.how) == (True, False, (), "disconnect")


BROKEN = {
    "do names no parameter": (STATES.replace("do: ${state}", "do: ${stat}"), "has no other key"),
    "do names a text": (STATES.replace("do: ${state}", "do: ${who}"), "names a parameter whose values are lists"),
    "do with a reply": (STATES.replace("do: ${state}", "do: ${state}\n    reply: ok"), "has no other key"),
    "do in a state": (STATES.replace('wait: {"${who}": running}', "do: ${state}"), "a state contains a state"),
    "a state in a text": (STATES.replace("SELECT 1", "SELECT ${state}"), "'state' is a parameter of steps"),
    "a text among states": (STATES.replace("idle: []", "idle: x"), "the values of 'state' are partly texts"),
    "states without labels": (
        STATES.replace("{the-first: killer, the-second: victim}", "[[]]"),
        "lists of steps need labels",
    ),
    "combine alone": ("requirement: MUS-1\ncombine: pairs\nsteps: [{killer: x}]", "combine needs two parameters"),
    "combine what": (STATES + "combine: triples\n", "expected pairs or values"),
    "unread in a list": (
        "requirement: MUS-1\nsteps: [{killer: x, reply: [unread]}]",
        "the reply 'unread' is not allowed here",
    ),
    "unread under test": (
        "requirement: MUS-1\nsteps: [{killer: \"KILL '${victim.id}'\", reply: unread}]",
        "the reply to a guarded statement must be read",
    ),
    "disconnect with a reply": (
        "requirement: MUS-1\nsteps: [{disconnect: killer, reply: ok}]",
        "'reply' can't be combined with 'disconnect'",
    ),
    "nobody aborts": ("requirement: MUS-1\nsteps: [{abort: nobody}]", "unknown session 'nobody'"),
}


@pytest.mark.parametrize(("body", "what"), BROKEN.values(), ids=list(BROKEN))
def test_what_is_wrong_about_states_is_refused_with_its_place(tmp_path: Path, body: str, what: str) -> None:
    with pytest.raises(SourceError) as caught:
        load(tmp_path, body)
    assert what in caught.value.what
    assert caught.value.place.line > 1
    assert caught.value.hint
