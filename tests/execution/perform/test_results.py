"""The content of a result: the transcript, the route to the controller, and what fails a run."""

from __future__ import annotations

import json

import pytest

from runner.execution.case_result import CaseResult, Verdict
from runner.language.model import Level
from tests.execution.case_bench import KILL, Bench

# 2 to the 32 more is nobody's number, and the simulator takes it for the victim's all the same
NAMES_NOBODY = "steps:\n  - killer: ALTER SYSTEM KILL SESSION '${victim.id + 4294967296}'\n    reply: ok"


def test_the_transcript_has_everything_in_order_with_texts_to_type_by_hand(bench: Bench) -> None:
    result = bench.run(f"steps:\n  - killer: {KILL}\n    reply: ok\nends: [victim]")
    times = [event.at_ms for event in result.transcript]
    assert times == sorted(times)
    (said,) = [event for event in result.transcript if event.kind == "sends" and not event.setup]
    assert said.session == "killer"
    assert said.manual.startswith("ALTER SYSTEM KILL SESSION '<")
    assert "victim" in said.manual
    assert not any(char.isdigit() for char in said.manual)
    assert said.text.removeprefix("ALTER SYSTEM KILL SESSION '").removesuffix("'").isdigit()
    heard = [event for event in result.transcript if event.kind == "receives" and not event.setup]
    assert [(event.session, event.text) for event in heard] == [("killer", "OK, 0 rows affected")]
    assert heard[0].took_ms is not None
    assert [event.session for event in result.transcript if event.kind == "ends"] == ["victim", "victim"]


def test_the_transcript_has_the_end_of_a_session_that_should_not_have_ended(bench: Bench) -> None:
    result = bench.run(NAMES_NOBODY)
    assert result.verdict is Verdict.DEVIATES
    assert ("victim", "ends") in [(event.session, event.kind) for event in result.transcript]


ANY = [f"steps:\n  - killer: {KILL}\n    reply: ok\nends: [victim]", NAMES_NOBODY]


@pytest.mark.parametrize("body", ANY, ids=["conforms", "deviates"])
def test_a_result_is_the_same_after_conversion_to_json_and_back(bench: Bench, body: str) -> None:
    result = bench.run(body)
    assert CaseResult.from_dict(json.loads(json.dumps(result.as_dict()))) == result


BINDING = [
    (Verdict.CONFORMS, Level.MUST, False, False, False),
    (Verdict.DEVIATES, Level.MUST, False, True, True),
    (Verdict.INCONCLUSIVE, Level.MUST, False, True, True),
    (Verdict.DEVIATES, Level.SHOULD, False, False, True),
    (Verdict.INCONCLUSIVE, Level.SHOULD, False, False, True),
    (Verdict.DEVIATES, Level.SHOULD, True, True, True),
    (Verdict.DEVIATES, Level.OBSERVE, False, False, False),
    (Verdict.DEVIATES, Level.OBSERVE, True, True, True),
    (Verdict.INCONCLUSIVE, Level.OBSERVE, False, False, False),
    (Verdict.OBSERVED, Level.OBSERVE, False, False, False),
    (Verdict.NOT_APPLICABLE, Level.MUST, False, False, False),
]


@pytest.mark.parametrize(("verdict", "level", "safety", "fails", "strictly"), BINDING)
def test_level_verdict_and_safety_decide_whether_a_result_fails_the_run(
    verdict: Verdict, level: Level, safety: bool, fails: bool, strictly: bool
) -> None:
    result = CaseResult("n", "i", "PUR-1", level, "t", "p:1", verdict, safety=safety)
    assert (result.fails(strict=False), result.fails(strict=True)) == (fails, strictly)
