"""Servers for the tests."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from .clients import Simulator, started, stopped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(scope="session")
def server() -> Iterator[Simulator]:
    simulator = started()
    yield simulator
    assert stopped(simulator) == ""


@pytest.fixture
def sim(server: Simulator) -> Iterator[Simulator]:
    """The shared server; the test's clients are gone after the test."""
    with ExitStack() as server.stack:
        yield server


@pytest.fixture
def start() -> Iterator[Callable[..., Simulator]]:
    """Starts servers with options of their own."""
    with ExitStack() as stack:

        def begin(*options: str) -> Simulator:
            simulator = started(*options)
            stack.enter_context(simulator.process)
            stack.callback(simulator.process.kill)
            stack.enter_context(simulator.stack)
            return simulator

        yield begin
