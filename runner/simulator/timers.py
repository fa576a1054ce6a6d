"""Delayed calls and background tasks of a server, for defects, variants and environments."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from runner.simulator.execute.server_instance import Instance

_INTERVAL = 0.02


def call_later(seconds: float, action: Callable[..., object], *arguments: object) -> None:
    """Calls a function after ``seconds``; 0 means right after the present step of the event loop."""
    asyncio.get_running_loop().call_later(seconds, action, *arguments)


def call_when(condition: Callable[[], bool], action: Callable[..., object], *arguments: object) -> None:
    """Calls a function as soon as a condition is true."""
    if condition():
        action(*arguments)
    else:
        call_later(_INTERVAL, call_when, condition, action, *arguments)


class BackgroundTask:
    """The default: the server does nothing but execute statements."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance

    async def run(self) -> None:
        """Runs until the server stops, which cancels it."""
