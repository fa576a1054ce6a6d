"""Signals that end a run: each ends it like one Ctrl-C, so that what was made is removed first."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_ENDING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
_CLEARING = 20.0  # seconds after the first one in which another one would only cut the clearing up short


def end_like_ctrl_c() -> None:
    """Makes the signals of CI systems (SIGTERM) and of closed terminals (SIGHUP) interrupt as Ctrl-C does, once."""
    last = -math.inf

    def interrupt(_: int, __: FrameType | None) -> None:
        nonlocal last
        if time.monotonic() - last >= _CLEARING:
            last = time.monotonic()
            raise KeyboardInterrupt

    for number in _ENDING:
        # Who ignores one of them (nohup), or handles it, has a reason.
        if _in_charge() and signal.getsignal(number) in {signal.SIG_DFL, signal.default_int_handler}:
            signal.signal(number, interrupt)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Lets none of them cut short what has to be done and takes seconds at most; they are not heard."""
    numbers = _ENDING if _in_charge() else []
    before = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _in_charge() -> bool:
    return threading.current_thread() is threading.main_thread()
