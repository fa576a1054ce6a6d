"""What a statement answers when it is not refused."""

from __future__ import annotations

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
    """A result set."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]


Result = Done | Rows


def cell(value: Value) -> Cell:
    """A value as it goes over the wire; Oracle mode has no empty text."""
    if value is None or value == "":
        return None
    return to_bytes(as_text(value))
