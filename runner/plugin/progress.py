"""How far a long run is, now and then: on a slow server, pytest's dots don't tell how long the rest takes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from _pytest.terminal import TerminalReporter

EVERY = 30.0
"""Seconds between two lines; a run that is over sooner has none."""

_MINUTE = 60
_LONG = 120.0  # seconds that are told in minutes


class Progress:
    """A plugin of the process that reports."""

    def __init__(self, reporter: TerminalReporter) -> None:
        self._reporter = reporter
        self._total = 0
        self._done = 0
        self._began = self._told = time.monotonic()

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """The cases of a run without workers are known."""
        self._begin(session.items)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: Sequence[str]) -> None:  # noqa: ARG002 - as xdist calls it
        """Those of a worker, which are the same for all."""
        self._begin(ids)

    def _begin(self, cases: Sequence[object]) -> None:
        self._total = len(cases)
        self._began = self._told = time.monotonic()

    def pytest_runtest_logfinish(self) -> None:
        """A case is over."""
        self._done += 1
        now = time.monotonic()
        if now - self._told >= EVERY and self._done < self._total:
            self._told = now
            self._reporter.ensure_newline()
            begun = self._reporter._tw.width_of_current_line > 0  # noqa: SLF001 - xdist's dots are on no line that pytest knows of
            self._reporter.write_line(("\n" if begun else "") + self._line(now - self._began))

    def _line(self, seconds: float) -> str:
        left = seconds / self._done * (self._total - self._done)
        return f"{self._done} of {self._total} cases in {_span(seconds)}, about {_span(left)} left"


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < _LONG else f"{seconds / _MINUTE:.0f} min"
