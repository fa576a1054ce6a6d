from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from case_bench import PATIENCE, Bench, simulator

from runner.database.dsn import Dsn


@pytest.fixture(scope="package")
def dsn() -> Iterator[Dsn]:
    with simulator("--lock-wait", str(2 * PATIENCE)) as dsn:
        yield dsn


@pytest.fixture
def bench(tmp_path: Path, dsn: Dsn) -> Iterator[Bench]:
    """A bench that no case leaves a user on."""
    bench = Bench(tmp_path, dsn)
    yield bench
    assert bench.users() == ()
