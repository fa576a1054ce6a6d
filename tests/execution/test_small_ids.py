"""Runs on a server with small ids can be compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from runner.execution.case_result import CaseResult, Verdict
from runner.reporting.placeholders import with_placeholders
from tests.execution.case_bench import Bench, simulator


def test_two_runs_with_small_ids_have_the_same_texts(tmp_path: Path) -> None:
    body = (
        "steps:\n  - killer: ALTER SYSTEM KILL SESSION '${unused victim.id + 1000}'\n    reply: error\n"
        "  - killer: ALTER SYSTEM KILL SESSION '${victim.id + 4294967296}' NOW\n    reply: syntax\n"
        "  - killer: ALTER SYSTEM KILL SESSION '100000${victim.id}'\n    reply: ok"
    )

    def texts(result: CaseResult) -> list[Any]:
        named = with_placeholders(result)
        return [named.actual, named.expected, *((event.kind, event.text, event.manual) for event in named.transcript)]

    with simulator("--variant", "small-ids") as dsn:
        first, second = (Bench(tmp_path, dsn).run(body) for _ in range(2))
    assert first.verdict is Verdict.DEVIATES
    assert first.identifiers["id of victim"] != second.identifiers["id of victim"]
    assert texts(first) == texts(second)
