"""The end of a run on one screen: its conclusion in a sentence, and one line for each cause."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from runner.execution.case_result import CaseResult, Ending, ListedEntry, Standing, Verdict
from runner.language.model import Level
from runner.reporting.conclusion import RunResults
from runner.reporting.terminal_summary import finding_lines, observation_lines


def result(number: int, level: Level, verdict: Verdict, text: str = "") -> CaseResult:
    actual, reason = (text, "") if verdict is Verdict.DEVIATES else ("", text)
    place = f"cases/a.yaml:{number}"
    return CaseResult(f"c{number}", f"c{number}", "PUR-1", level, "t", place, verdict, actual=actual, reason=reason)


@dataclass(frozen=True)
class Run:
    """Results of a run: level, verdict, and the standing of a listed one; and what is said of them."""

    cases: tuple[tuple[Level, Verdict, Standing], ...]
    sentence: str
    badge: tuple[Verdict, str]
    stale: int = 0


MUST, SHOULD = Level.MUST, Level.SHOULD
UNLISTED, DEVIATES, CONFORMS, UNDECIDED = Standing.UNLISTED, Verdict.DEVIATES, Verdict.CONFORMS, Verdict.INCONCLUSIVE
RUNS = {
    "shoulds that fail, and nothing else": Run(
        ((SHOULD, DEVIATES, UNLISTED),) * 24,
        "no required case was decided; 24 should cases deviate",
        (UNDECIDED, "24 should deviate, no must decided"),
    ),
    "observations alone": Run(
        ((Level.OBSERVE, Verdict.OBSERVED, UNLISTED),), "no case was decided", (UNDECIDED, "no case decided")
    ),
    "a must that fails": Run(
        ((MUST, DEVIATES, UNLISTED), (MUST, CONFORMS, UNLISTED)),
        "does not conform: 1 required case failed",
        (DEVIATES, "1 must deviates"),
    ),
    "a should that fails": Run(
        ((SHOULD, DEVIATES, UNLISTED), (MUST, CONFORMS, UNLISTED)),
        "conforms (2 cases decided); 1 should case deviates",
        (CONFORMS, "conforms, 1 should deviates"),
    ),
    "an observation that fails": Run(
        ((Level.OBSERVE, DEVIATES, UNLISTED), (MUST, CONFORMS, UNLISTED)),
        "conforms (1 case decided); 1 observe case deviates",
        (CONFORMS, "conforms, 1 observe deviates"),
    ),
    "a must that is undecided": Run(
        ((MUST, UNDECIDED, UNLISTED),), "undecided: 1 required case could not be decided", (UNDECIDED, "undecided")
    ),
    "a known deviation": Run(
        ((MUST, DEVIATES, Standing.KNOWN), (MUST, CONFORMS, UNLISTED)),
        "does not conform, known deviations only (1 case listed, 1 conform)",
        (DEVIATES, "1 must deviates, known"),
    ),
    "a known deviation of a should": Run(
        ((SHOULD, DEVIATES, Standing.KNOWN), (MUST, CONFORMS, UNLISTED)),
        "conforms (2 cases decided); 1 case known",
        (CONFORMS, "conforms, 1 should deviates"),
    ),
    "an inconclusive case that is known": Run(
        ((MUST, UNDECIDED, Standing.KNOWN), (MUST, CONFORMS, UNLISTED)),
        "undecided, known (1 case listed, 1 conform)",
        (UNDECIDED, "undecided, known"),
    ),
    "an entry for a case that conforms": Run(
        ((MUST, CONFORMS, Standing.GONE),),
        "the list of known deviations has 1 stale entry",
        (UNDECIDED, "stale known deviations"),
    ),
    "entries for no case": Run(
        ((MUST, CONFORMS, UNLISTED),),
        "the list of known deviations has 2 stale entries",
        (UNDECIDED, "stale known deviations"),
        stale=2,
    ),
}


@pytest.mark.parametrize("name", RUNS)
def test_sentence_and_badge_agree(name: str) -> None:
    run = RUNS[name]
    results = [
        replace(
            result(number, level, verdict),
            listing=None if standing is UNLISTED else ListedEntry(standing, "known.yaml:3:5", "why"),
        )
        for number, (level, verdict, standing) in enumerate(run.cases)
    ]
    whole = RunResults(results, strict=False, stale_entries=run.stale)
    assert whole.sentence == run.sentence
    assert (whole.headline.verdict, whole.headline.text) == run.badge


NEAR = "error 1064 (42000): You have an error in your SQL syntax near {} at line 1"


@pytest.mark.parametrize("quotes", ["'{}'", '"{}"', "`{}`", "'{}'''"])
def test_causes_that_differ_in_a_quoted_text_alone_share_a_line(quotes: str) -> None:
    texts = [NEAR.format(quotes.format(f"SYSTEM KILL 'x{word}'")) for word in ("abc", "def", "ghi")]
    results = [result(number, Level.MUST, Verdict.DEVIATES, text) for number, text in enumerate(texts)]
    (line,) = finding_lines(results, 200)
    assert line == f"DEVIATES PUR-1 (must) c0 and 2 more cases: {NEAR.format(chr(39) + '…' + chr(39))}"


def test_a_quoted_text_that_is_the_same_in_all_stays() -> None:
    results = [result(number, Level.MUST, Verdict.DEVIATES, NEAR.format("'KILL'")) for number in range(2)]
    (line,) = finding_lines(results, 200)
    assert NEAR.format("'KILL'") in line


def test_apostrophes_are_no_quotes() -> None:
    texts = [f"the user's list {word} the others' sessions" for word in ("hides", "shows")]
    results = [result(number, Level.MUST, Verdict.DEVIATES, text) for number, text in enumerate(texts)]
    assert len(list(finding_lines(results, 200))) == 2


def test_a_line_names_the_requirements_of_all_its_cases() -> None:
    first = [result(number, Level.MUST, Verdict.INCONCLUSIVE, "the server is busy") for number in range(6)]
    results = [replace(case, requirement=f"IMP-{number // 2 + 1}") for number, case in enumerate(first)]
    (line,) = finding_lines(results, 200)
    assert line == "INCONCLUSIVE IMP-1, IMP-2, IMP-3 (must) c0 and 5 more cases: the server is busy"


def test_an_observation_shows_how_long_the_sessions_took_to_be_gone() -> None:
    once = replace(result(1, Level.OBSERVE, Verdict.OBSERVED), observed={"it ends": 1})
    ends = tuple(Ending("victim", "closed", number / 10, float(number)) for number in range(100, 0, -1))
    unknown = Ending("victim", "closed, at its next statement", None, 7.0)
    lines = observation_lines(
        [
            replace(once, endings=ends[:1]),
            replace(once, observed={"it ends": 100}, endings=ends),
            replace(once, observed={"it ends": 2}, endings=(unknown, unknown)),
        ]
    )
    which = " (p50 / p99 / max)"
    assert list(lines) == [
        "PUR-1 c1: it ends",
        f"PUR-1 c1: it ends (100x); connection closed after 5 / 9.9 / 10 ms, row gone after 50 / 99 / 100 ms{which}",
        f"PUR-1 c1: it ends (2x); row gone after 7 / 7 / 7 ms{which}",
    ]


def test_the_reason_of_a_case_that_was_not_run_is_shown_in_full() -> None:
    reason = f"not run: {'the process lists differ ' * 20}"
    not_run = replace(result(0, Level.MUST, Verdict.INCONCLUSIVE), reason=reason, actual="")
    (line,) = finding_lines([not_run], 80)
    assert line == f"INCONCLUSIVE PUR-1 (must) c0: {reason}"
