"""What a statement answers when it is not refused."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from runner.simulator.values import Value, as_text
from runner.simulator.wire import Cell, Column, to_bytes


@dataclass(frozen=True, slots=True)
class Done:
    """OK, how many rows the statement changed, and how many warnings it gave."""

    affected: int = 0
    warnings: int = 0


@dataclass(frozen=True, slots=True)
class Rows:
    """A result set.

    Attributes:
        rows: all of them, or what makes them one after the other.
        large: whether there are so many that the next ones are made only when the client has read those before.
    """

    columns: tuple[Column, ...]
    rows: Iterable[tuple[Cell, ...]]
    large: bool = False


Result = Done | Rows


def cell(value: Value) -> Cell:
    """A value as it goes over the wire; Oracle mode has no empty text."""
    if value is None or value == "":
        return None
    return to_bytes(as_text(value))
