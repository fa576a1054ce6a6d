from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.database.dsn import Dsn
from tests.execution.case_bench import Bench, simulator
from tests.support.eventually import PATIENCE


@pytest.fixture(scope="session")
def dsn() -> Iterator[Dsn]:
    with simulator("--lock-wait", str(2 * PATIENCE)) as dsn:
        yield dsn


@pytest.fixture
def bench(tmp_path: Path, dsn: Dsn) -> Iterator[Bench]:
    """A bench that no case leaves a user on."""
    bench = Bench(tmp_path, dsn)
    yield bench
    assert bench.users() == ()
