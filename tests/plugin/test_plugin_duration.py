"""How many statements a run sends: docs/your-own-database.md says it, for servers on which they take their time."""

from __future__ import annotations

import re
import threading
from collections import Counter
from pathlib import Path
from typing import ClassVar

from simulator.threads import served
from suite import ROOT, run_suite

from runner.simulator.execute.engine import Engine
from runner.simulator.execute.results import Result
from runner.simulator.parts import Parts, altered
from runner.simulator.sessions import Session

TOLERANCE = 0.3  # how many cases are in flight at the same moment differs from run to run
_DEFINITIONS = {"CREATE", "DROP", "GRANT", "REVOKE"}


class Counting(Engine):
    """Counts the statements of all clients by their first words."""

    counted: ClassVar[Counter[str]] = Counter()
    lock = threading.Lock()

    async def execute(self, session: Session, text: str) -> Result:
        with self.lock:
            self.counted[text.split(None, 1)[0].upper()] += 1
        return await super().execute(session, text)


def test_the_page_says_how_many_statements_create_grant_revoke_and_drop(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "your-own-database.md").read_text(encoding="utf-8")
    said = re.search(r"sends\s+about\s+([0-9,]+)\s+of\s+them", page)
    assert said is not None
    with served(altered(Parts(), Counting)) as server:
        dsn = f"oceanbase://SYS%40oracle:{server.password}@127.0.0.1:{server.port}/"
        run = run_suite(tmp_path / "record.json", "--dsn", dsn, limit=600)
    assert run.code == 0, run.screen
    sent = sum(number for word, number in Counting.counted.items() if word in _DEFINITIONS)
    assert abs(sent / int(said[1].replace(",", "")) - 1) < TOLERANCE, f"a run sends {sent}: write that number there"
