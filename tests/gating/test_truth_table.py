"""The exit code for every verdict, level and entry of known deviations, with --strict and without."""

from __future__ import annotations

import datetime as dt
import itertools
from pathlib import Path

import pytest

from runner.execution.case_result import CaseResult, ListedEntry, Standing, Verdict, fails
from runner.gating.known_deviations import read_known_deviations, with_listing
from runner.language.model import Level
from runner.reporting.record import read_record
from tests.gating.few_cases import run_cases, write_list

TABLE = """
                 must should observe
unlisted
  conforms       .    .      .
  deviates       1    s      .
  inconclusive   1    s      .
  observed       .    .      .
  not_applicable .    .      .
known
  conforms       .    .      .
  deviates       .    .      .
  inconclusive   .    .      .
  observed       .    .      .
  not_applicable .    .      .
different
  conforms       1    1      1
  deviates       1    1      1
  inconclusive   1    1      1
  observed       1    1      1
  not_applicable 1    1      1
gone
  conforms       1    1      1
  deviates       1    1      1
  inconclusive   1    1      1
  observed       1    1      1
  not_applicable 1    1      1
expired
  conforms       1    1      1
  deviates       1    1      1
  inconclusive   1    1      1
  observed       1    1      1
  not_applicable 1    1      1
"""
"""``1`` fails, ``s`` fails with --strict, ``.`` never fails."""


def table() -> dict[tuple[str, str, str], str]:
    cells, standing = {}, ""
    for line in TABLE.strip().splitlines()[1:]:
        first, *rest = line.split()
        if not rest:
            standing = first
        for level, cell in zip(("must", "should", "observe"), rest, strict=bool(rest)):
            cells[standing, first.replace("_", " "), level] = cell
    return cells


EVERY = list(itertools.product(Standing, Verdict, Level, (False, True), (False, True)))


@pytest.mark.parametrize(("standing", "verdict", "level", "safety", "strict"), EVERY)
def test_every_combination_fails_as_the_table_states(
    standing: Standing, verdict: Verdict, level: Level, safety: bool, strict: bool
) -> None:
    binding = Level.MUST if safety else level
    expected = {"1": True, "s": strict, ".": False}[table()[standing.value, verdict.value, binding.value]]
    assert fails(verdict, binding, standing, strict=strict) is expected
    listing = None if standing is Standing.UNLISTED else ListedEntry(standing, "known.yaml:3:5", "for a reason")
    result = CaseResult("c", "c", "R", level, "t", "f:1", verdict, safety=safety, listing=listing)
    assert result.fails(strict=strict) is expected


def test_the_table_is_complete() -> None:
    assert len(table()) == len(Standing) * len(Verdict) * len(Level)


CAME = "actual: 'OK, 0 rows affected', reason: r"
KNOWN = {
    "must-deviates": f"case: must-deviates, {CAME}",
    "must-undecided": "case: must-undecided, verdict: inconclusive, reason: r",
    "should-deviates": f"case: should-deviates, {CAME}",
    "should-undecided": "case: should-undecided, verdict: inconclusive, reason: r",
    "should-harms": "case: should-harms, safety: true, actual: 'lost:', reason: r",
}
NAMES = ["must-conforms", "must-deviates", "must-undecided", "should-deviates[one]", "should-deviates[two]"]
NAMES += ["should-undecided", "should-harms", "seen"]

RUNS = {
    "nothing listed": ({}, False, {"must-deviates", "must-undecided", "should-harms"}),
    "nothing listed, strictly": ({}, True, {*NAMES} - {"must-conforms", "seen"}),
    "all listed": (KNOWN, False, set()),
    "all listed, strictly": (KNOWN, True, set()),
    "harm not allowed": (
        {**KNOWN, "should-harms": "case: should-harms, actual: 'lost:', reason: r"},
        False,
        {"should-harms"},
    ),
    "harm allowed that doesn't come": (
        {**KNOWN, "must-deviates": f"case: must-deviates, safety: true, {CAME}"},
        False,
        {"must-deviates"},
    ),
    "something else listed": (
        {**KNOWN, "should-deviates": "case: should-deviates, actual: an error, reason: r"},
        False,
        {"should-deviates[one]", "should-deviates[two]"},
    ),
    "listed, but conforms": ({**KNOWN, "x": f"case: must-conforms, {CAME}"}, False, {"must-conforms"}),
    "listed, but observed": ({**KNOWN, "x": f"case: seen, {CAME}"}, False, {"seen"}),
    "listed as deviating, but undecided": (
        {
            **KNOWN,
            "must-undecided": f"case: must-undecided, {CAME}",
            "should-undecided": f"case: should-undecided, {CAME}",
        },
        False,
        {"must-undecided"},
    ),
    "listed as undecided, but deviates": (
        {**KNOWN, "should-deviates": "case: 'should-deviates[one]', verdict: inconclusive, reason: r"},
        False,
        {"should-deviates[one]"},
    ),
    "expired": (
        {**KNOWN, "should-deviates": f"case: 'should-deviates[one]', expires: 2001-01-01, {CAME}"},
        False,
        {"should-deviates[one]"},
    ),
}


@pytest.mark.parametrize(("entries", "strict", "failing"), RUNS.values(), ids=list(RUNS))
def test_results_fail_as_the_table_states(
    all_verdicts: Path, tmp_path: Path, entries: dict[str, str], strict: bool, failing: set[str]
) -> None:
    known = read_known_deviations(write_list(tmp_path, *entries.values())).in_force("5.7.25")
    today = dt.datetime.now(dt.UTC).date()
    results = [with_listing(result, known, today) for result in read_record(all_verdicts).results]
    assert sorted(result.name for result in results) == sorted(NAMES)
    assert {result.name for result in results if result.fails(strict=strict)} == failing


PROCESSES = {
    "nothing listed": RUNS["nothing listed"],
    "all listed, strictly": RUNS["all listed, strictly"],
    "a list that is not true": (
        {**RUNS["expired"][0], "x": f"case: seen, {CAME}"},
        False,
        {"should-deviates[one]", "seen"},
    ),
}


@pytest.mark.long
@pytest.mark.parametrize(("entries", "strict", "failing"), PROCESSES.values(), ids=list(PROCESSES))
def test_runs_fail_as_the_table_states(
    few: Path, dsn: str, entries: dict[str, str], strict: bool, failing: set[str]
) -> None:
    known = write_list(few, *entries.values())
    done = run_cases(few, dsn, "--known-deviations", str(known), *(["--strict"] if strict else []))
    assert sorted(done.outcomes) == sorted(NAMES), done.screen
    assert {name for name, outcome in done.outcomes.items() if outcome == "failure"} == failing, done.screen
    assert done.code == (1 if failing else 0)
