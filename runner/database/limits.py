"""Every time limit of a run, in seconds. None of them is a sleep: each bounds a wait for something."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """How long the runner waits.

    Attributes:
        connect: for a login, from the socket to the last packet.
        statement: for the answer to a statement.
        settle: for an ended session's connection and row to go (PUR-1).
        cleanup: for each statement that clears up after a case.
        retry: in which a statement of the runner's own is tried again that others were in the way of.
        outage: for a target that can't be used at all to come back; for all such times of a worker's run together.
    """

    connect: float = 10.0
    statement: float = 10.0
    settle: float = 5.0
    cleanup: float = 10.0
    retry: float = 3.0
    outage: float = 30.0
