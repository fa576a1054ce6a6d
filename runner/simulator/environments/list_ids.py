"""Ids in the process list that are no decimal numbers, which no statement of the suite can name."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

from runner.simulator.catalogue import environment
from runner.simulator.execute.process_list import ProcessList
from runner.simulator.sessions import Session
from runner.simulator.values import Value


@environment
class HexadecimalIds(ProcessList):
    """The process list shows ids as hexadecimal texts of 32 digits, as some clusters do."""

    def id(self, session: Session) -> Value:
        return f"{session.number:032x}-c"
