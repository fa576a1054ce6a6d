"""The switch with which a component crashes and restarts the server."""

from __future__ import annotations

from collections.abc import Callable


class CrashSwitch:
    """Lets a component crash the whole server; the server sets ``on_crash``."""

    def __init__(self) -> None:
        self.on_crash: Callable[[float], None] | None = None

    def crash(self, seconds: float) -> None:
        """Closes all connections; clients can connect again after ``seconds``. Committed data stays."""
        if self.on_crash is not None:
            self.on_crash(seconds)
