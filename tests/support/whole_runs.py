"""Runs of all cases on a simulator that conforms, each of which tests of several files share.

With pytest-xdist, one worker of this test run makes such a run, and those that need it as well wait for it.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from runner.simulator.components import Components
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.results import Result
from runner.simulator.sessions import Session
from tests.support.simulator_threads import threaded_server
from tests.support.suite_run import run_suite

HONEST = "Honest <1>"
"""The name of the target in the record of the run by one process."""
_LIMIT = 600.0  # seconds
_DEFINITIONS = {"CREATE", "DROP", "GRANT", "REVOKE"}


@dataclass(frozen=True)
class WholeRun:
    """A run of all cases.

    Attributes:
        code: its exit code.
        screen: its output.
        definitions: the number of statements that create, grant, revoke or drop something; 0 if they weren't counted.
    """

    code: int
    screen: str
    definitions: int = 0


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that ``make`` fills, in one of pytest's workers; the others wait for it."""
    base = factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, done = shared / f"shared-{name}", shared / f"shared-{name}.done"
    try:
        folder.mkdir()
    except FileExistsError:
        until = time.monotonic() + _LIMIT
        while not done.exists():
            assert time.monotonic() < until, f"{folder} was not made"
            time.sleep(0.2)
        return folder
    try:
        make(folder)
    finally:
        done.mkdir()
    return folder


def by_one_process(factory: pytest.TempPathFactory) -> tuple[WholeRun, Path]:
    """A run by one process, with its statements counted, and its record."""
    return _shared(factory, "one-process", lambda record: counted(record, "--send-withheld", "--target-name", HONEST))


def by_workers(factory: pytest.TempPathFactory) -> tuple[WholeRun, Path]:
    """A run with two workers on the embedded simulator, and its record."""

    def run(record: Path) -> WholeRun:
        done = run_suite(record, "-n", "2", limit=_LIMIT)
        return WholeRun(done.code, done.screen)

    return _shared(factory, "workers", run)


def counted(record: Path, *options: str) -> WholeRun:
    """A run with these options whose statements are counted."""
    Counting.counted.clear()
    with threaded_server(Components().with_overrides(Counting)) as server:
        dsn = f"oceanbase://SYS%40oracle:{server.password}@127.0.0.1:{server.port}/"
        run = run_suite(record, "--dsn", dsn, *options, limit=_LIMIT)
    return WholeRun(run.code, run.screen, sum(Counting.counted[word] for word in _DEFINITIONS))


class Counting(Engine):
    """Counts the statements of all clients by their first words."""

    counted: ClassVar[Counter[str]] = Counter()
    lock = threading.Lock()

    async def execute(self, session: Session, text: str) -> Result:
        with self.lock:
            self.counted[text.split(None, 1)[0].upper()] += 1
        return await super().execute(session, text)


def _shared(factory: pytest.TempPathFactory, name: str, run: Callable[[Path], WholeRun]) -> tuple[WholeRun, Path]:
    def make(folder: Path) -> None:
        done = run(folder / "record.json")
        (folder / "run.json").write_text(json.dumps(asdict(done)), encoding="utf-8")

    folder = made_once(factory, name, make)
    return WholeRun(**json.loads((folder / "run.json").read_text(encoding="utf-8"))), folder / "record.json"
