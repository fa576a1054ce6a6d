"""Doing a thing later, for defects and variants that take their time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_LOOK_EVERY = 0.02


def later(seconds: float, action: Callable[..., object], *arguments: object) -> None:
    """Does something after a while; with 0 right after what is being done now."""
    asyncio.get_running_loop().call_later(seconds, action, *arguments)


def once(condition: Callable[[], bool], action: Callable[..., object], *arguments: object) -> None:
    """Does something as soon as a condition holds."""
    if condition():
        action(*arguments)
    else:
        later(_LOOK_EVERY, once, condition, action, *arguments)
