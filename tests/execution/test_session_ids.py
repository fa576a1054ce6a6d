"""A session's own row is found where HOST, thread id and the number of rows mislead."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.execution.case_result import Verdict
from tests.execution.case_bench import Bench, simulator

ENDS_ONE = "steps:\n  - killer: ALTER SYSTEM KILL SESSION '${victim.id}'\n    reply: ok\nends: [victim]"

MISLEADING = {
    "HOST and thread id are a proxy's": ["--variant", "behind-plain-proxy"],
    "the thread id is another session's id": ["--variant", "behind-plain-proxy-with-like-ids"],
    "HOST is another client's address": ["--variant", "host-of-another"],
    "sessions of clients that have left are still there": ["--variant", "keeps-sessions-of-the-departed"],
    "so they are behind a proxy": ["--variant", "behind-plain-proxy", "--variant", "keeps-sessions-of-the-departed"],
}


@pytest.mark.parametrize("options", MISLEADING.values(), ids=list(MISLEADING))
def test_ids_are_found_although_host_thread_id_or_rows_are_misleading(tmp_path: Path, options: list[str]) -> None:
    with simulator(*options) as dsn:
        result = Bench(tmp_path, dsn).settling_within(2).run(ENDS_ONE)
    assert result.verdict is Verdict.CONFORMS, (result.actual, result.reason)
