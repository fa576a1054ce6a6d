"""How many statements a run sends: docs/your-own-database.md says it, for servers on which they take their time."""

from __future__ import annotations

import re
import threading
from collections import Counter
from pathlib import Path
from typing import ClassVar

import pytest
from simulator.threads import served
from suite import ROOT, run_suite

from runner.simulator.execute.engine import Engine
from runner.simulator.execute.results import Result
from runner.simulator.parts import Parts, altered
from runner.simulator.sessions import Session

TOLERANCES = {(): 0.3, ("--in-flight", "1"): 0.05}
"""By options: how many users cases need at the same time differs from run to run, unless one case runs at a time."""
_DEFINITIONS = {"CREATE", "DROP", "GRANT", "REVOKE"}


class Counting(Engine):
    """Counts the statements of all clients by their first words."""

    counted: ClassVar[Counter[str]] = Counter()
    lock = threading.Lock()

    async def execute(self, session: Session, text: str) -> Result:
        with self.lock:
            self.counted[text.split(None, 1)[0].upper()] += 1
        return await super().execute(session, text)


@pytest.mark.parametrize("options", TOLERANCES, ids=["in flight", "one at a time"])
def test_the_page_says_how_many_statements_create_grant_revoke_and_drop(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    page = (ROOT / "docs" / "your-own-database.md").read_text(encoding="utf-8")
    said = re.search(r"sends about ([0-9]+) of them, and about ([0-9]+) of them with `--in-flight 1`", page)
    assert said is not None
    Counting.counted.clear()
    with served(altered(Parts(), Counting)) as server:
        dsn = f"oceanbase://SYS%40oracle:{server.password}@127.0.0.1:{server.port}/"
        run = run_suite(tmp_path / "record.json", "--dsn", dsn, *options, limit=600)
    assert run.code == 0, run.screen
    sent = sum(number for word, number in Counting.counted.items() if word in _DEFINITIONS)
    written = int(said[2 if options else 1])
    assert abs(sent / written - 1) < TOLERANCES[options], f"a run sends {sent}: write that number there"
