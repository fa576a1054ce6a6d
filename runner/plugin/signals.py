"""Signals that end a run: they interrupt it like Ctrl-C, so that the cleanup still takes place."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
_CLEANUP = 20.0  # seconds after the first signal in which further ones are ignored, because of the cleanup


def end_like_ctrl_c() -> None:
    """Handles SIGTERM (sent by CI systems) and SIGHUP (closed terminal) like Ctrl-C; repeated signals are ignored."""
    last = -math.inf

    def interrupt(_: int, __: FrameType | None) -> None:
        nonlocal last
        if time.monotonic() - last >= _CLEANUP:
            last = time.monotonic()
            raise KeyboardInterrupt

    for number in _SIGNALS:
        # A signal that is ignored (nohup) or handled already is left unchanged.
        if _in_main_thread() and signal.getsignal(number) in {signal.SIG_DFL, signal.default_int_handler}:
            signal.signal(number, interrupt)


@contextmanager
def signals_ignored() -> Iterator[None]:
    """Ignores these signals during a block that takes seconds at most."""
    numbers = _SIGNALS if _in_main_thread() else []
    before = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
