"""The server's process, which can crash and be started again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Process:
    """What a part of the server uses to crash all of it; the server sets ``on_crash`` when it serves."""

    def __init__(self) -> None:
        self.on_crash: Callable[[float], None] | None = None

    def crash(self, seconds: float) -> None:
        """Breaks all connections; clients can connect again after so many seconds. What was committed stays."""
        if self.on_crash is not None:
            self.on_crash(seconds)
