"""The end of a run on one screen: its conclusion in a sentence, and one line for each cause."""

from __future__ import annotations

import pytest

from runner.execution.verdict import CaseResult, Verdict
from runner.language.model import Level
from runner.reporting.summary import conclusion, findings


def result(number: int, level: Level, verdict: Verdict, text: str = "") -> CaseResult:
    actual, reason = (text, "") if verdict is Verdict.DEVIATES else ("", text)
    place = f"cases/a.yaml:{number}"
    return CaseResult(f"c{number}", f"c{number}", "PUR-1", level, "t", place, verdict, actual=actual, reason=reason)


CONCLUSIONS = {
    "shoulds that fail, and nothing else": (
        [(Level.SHOULD, Verdict.DEVIATES)] * 24,
        "no required case was decided; 24 should cases failed",
    ),
    "observations alone": ([(Level.OBSERVE, Verdict.OBSERVED)], "no case was decided"),
    "a must that fails": (
        [(Level.MUST, Verdict.DEVIATES), (Level.MUST, Verdict.CONFORMS)],
        "does not conform: 1 required case failed",
    ),
    "a should that fails": (
        [(Level.SHOULD, Verdict.DEVIATES), (Level.MUST, Verdict.CONFORMS)],
        "conforms (2 cases decided); 1 should case failed",
    ),
    "a must that is undecided": (
        [(Level.MUST, Verdict.INCONCLUSIVE)],
        "undecided: 1 required case could not be decided",
    ),
}


@pytest.mark.parametrize("name", CONCLUSIONS)
def test_the_conclusion_says_what_failed(name: str) -> None:
    cases, sentence = CONCLUSIONS[name]
    results = [result(number, level, verdict) for number, (level, verdict) in enumerate(cases)]
    assert conclusion(results, strict=False) == sentence


NEAR = "error 1064 (42000): You have an error in your SQL syntax near {} at line 1"


@pytest.mark.parametrize("quotes", ["'{}'", '"{}"', "`{}`", "'{}'''"])
def test_causes_that_differ_in_a_quoted_text_alone_share_a_line(quotes: str) -> None:
    texts = [NEAR.format(quotes.format(f"SYSTEM KILL 'x{word}'")) for word in ("abc", "def", "ghi")]
    results = [result(number, Level.MUST, Verdict.DEVIATES, text) for number, text in enumerate(texts)]
    (line,) = findings(results, 200)
    assert line == f"DEVIATES PUR-1 (must) c0 and 2 more cases: {NEAR.format(chr(39) + '…' + chr(39))}"


def test_a_quoted_text_that_is_the_same_in_all_stays() -> None:
    results = [result(number, Level.MUST, Verdict.DEVIATES, NEAR.format("'KILL'")) for number in range(2)]
    (line,) = findings(results, 200)
    assert NEAR.format("'KILL'") in line


def test_apostrophes_quote_nothing() -> None:
    texts = [f"the user's list {word} the others' sessions" for word in ("hides", "shows")]
    results = [result(number, Level.MUST, Verdict.DEVIATES, text) for number, text in enumerate(texts)]
    assert len(list(findings(results, 200))) == 2
