"""The times that killed sessions took to be gone: percentiles, from the reply to the end of connection and row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from runner.execution.case_result import Ending


def percentile(ordered: Sequence[float], percent: int) -> float:
    """The nearest-rank percentile: the least value that at least ``percent`` percent of the values don't exceed.

    It is always one of the values. Of fewer than 100 values, the 99th percentile is the greatest.

    Args:
        ordered: the values, in ascending order; at least one.
        percent: from 1 to 100.
    """
    return ordered[-(-percent * len(ordered) // 100) - 1]


@dataclass(frozen=True)
class Distribution:
    """The distribution of durations, in their unit."""

    number: int
    p50: float
    p99: float
    longest: float

    @classmethod
    def of(cls, durations: Sequence[float]) -> Distribution | None:
        """The distribution of these durations; None if there are none."""
        if not durations:
            return None
        ordered = sorted(durations)
        return cls(len(ordered), percentile(ordered, 50), percentile(ordered, 99), ordered[-1])


@dataclass(frozen=True)
class EndingTimes:
    """The milliseconds from the reply to the statement until connections and rows were gone; None: not known."""

    connection: Distribution | None
    row: Distribution | None

    @classmethod
    def of(cls, endings: Iterable[Ending]) -> EndingTimes:
        """The distributions for these ended sessions."""
        known = list(endings)
        return cls(
            connection=Distribution.of([end.connection_ms for end in known if end.connection_ms is not None]),
            row=Distribution.of([end.row_ms for end in known if end.row_ms is not None]),
        )
