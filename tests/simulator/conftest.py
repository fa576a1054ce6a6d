"""Fixtures: simulators."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.support.simulator_clients import Simulator, start_simulator, stop_simulator


@pytest.fixture(scope="session")
def server() -> Iterator[Simulator]:
    simulator = start_simulator()
    yield simulator
    assert stop_simulator(simulator) == ""


@pytest.fixture
def sim(server: Simulator) -> Iterator[Simulator]:
    """The shared simulator; the clients of a test are disconnected after it."""
    with ExitStack() as server.stack:
        yield server


@pytest.fixture
def start() -> Iterator[Callable[..., Simulator]]:
    """Starts simulators with other options."""
    with ExitStack() as stack:

        def start_with(*options: str) -> Simulator:
            simulator = start_simulator(*options)
            stack.callback(simulator.process.stop)
            stack.enter_context(simulator.stack)
            return simulator

        yield start_with
