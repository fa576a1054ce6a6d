"""Waiting in tests: no sleep is long enough on a busy machine, so what should come is looked for until it does."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE = 30.0
"""Seconds: no slow machine needs them, and no test waits them out."""
_PAUSE = 0.005  # seconds


def eventually(holds: Callable[[], object], seconds: float = 60.0) -> bool:
    """Whether something comes true in time; who waits in vain waits that long."""
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(_PAUSE)
    return True
