"""Signals that end a run: each ends it like Ctrl-C, so that what was made is removed first."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_ENDING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


def end_like_ctrl_c() -> None:
    """Makes the signals of CI systems (SIGTERM) and of closed terminals (SIGHUP) interrupt as Ctrl-C does."""
    for number in _ENDING:
        # Who ignores one of them (nohup), or handles it, has a reason.
        if _in_charge() and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)


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
