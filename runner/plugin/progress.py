"""Progress of long runs: at intervals, a line with the number of finished cases and the remaining time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import pytest

EVERY = 30.0
"""The seconds between two lines; shorter runs have none."""

_MINUTE = 60
_LONG = 120.0  # seconds from which times are shown in minutes
_ENOUGH = 0.2  # of the cases: before, the time left is unknown, as the first cases wait for the longest ones


class Progress:
    """A pytest plugin that writes the lines, in the process that reports."""

    def __init__(self, reporter: pytest.TerminalReporter) -> None:
        self._reporter = reporter
        self._total = 0
        self._done = 0
        self._finished = 0
        self._started = self._shown = time.monotonic()

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Counts the cases of a run without workers."""
        self._begin(session.items)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: Sequence[str]) -> None:  # noqa: ARG002 - as xdist calls it
        """Counts the cases of a worker, which are the same for all workers."""
        self._begin(ids)

    def _begin(self, cases: Sequence[object]) -> None:
        self._total = len(cases)
        self._started = self._shown = time.monotonic()

    def pytest_runtest_logfinish(self) -> None:
        """Counts a case that is reported."""
        self._done += 1
        self.note_finished(self._done)

    def note_finished(self, cases: int) -> None:
        """Notes the number of finished cases, and writes a line if the last one was long ago.

        pytest reports cases in order: while it waits for one, later ones may have finished.
        """
        self._finished = max(self._finished, cases)
        now = time.monotonic()
        if now - self._shown >= EVERY and self._done < self._total:
            self._shown = now
            self._reporter.ensure_newline()
            unfinished = self._reporter._tw.width_of_current_line > 0  # noqa: SLF001 - pytest does not count xdist's dots
            self._reporter.write_line(("\n" if unfinished else "") + self._line(now - self._started))

    def _line(self, seconds: float) -> str:
        done = f"{self._finished} of {self._total} cases in {_span(seconds)}"
        if self._finished < _ENOUGH * self._total:
            return done
        return f"{done}, about {_span(seconds / self._finished * (self._total - self._finished))} left"


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < _LONG else f"{seconds / _MINUTE:.0f} min"
