"""Delayed calls, for defects and variants."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

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
