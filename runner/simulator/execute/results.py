"""The results of statements that succeed: OK or rows. Errors are exceptions (``runner.simulator.errors``)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from runner.simulator.values import Value, as_text
from runner.simulator.wire import Cell, Column, to_bytes


@dataclass(frozen=True, slots=True)
class Done:
    """OK, with the number of affected rows and of warnings."""

    affected: int = 0
    warnings: int = 0


@dataclass(frozen=True, slots=True)
class Rows:
    """A result set.

    Attributes:
        rows: the rows, or an iterator that creates them one by one.
        large: whether rows are created only as fast as the client reads them.
    """

    columns: tuple[Column, ...]
    rows: Iterable[tuple[Cell, ...]]
    large: bool = False


Result = Done | Rows


@lru_cache(maxsize=1024, typed=True)
def cell(value: Value) -> Cell:
    """A value as it is sent; in Oracle mode the empty text is NULL."""
    if value is None or value == "":
        return None
    return to_bytes(as_text(value))
