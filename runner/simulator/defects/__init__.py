"""Servers that are wrong in one way each, to see whether a test notices."""

from runner.simulator.catalogue import DEFECTS
from runner.simulator.defects import (
    aftermath,
    answers,
    collateral,
    effect,
    example,
    ids,
    immediate,
    liveness,
    privilege,
    revoke,
    serial,
    states,
    syntax,
    unknown,
)

__all__ = [
    "DEFECTS",
    "aftermath",
    "answers",
    "collateral",
    "effect",
    "example",
    "ids",
    "immediate",
    "liveness",
    "privilege",
    "revoke",
    "serial",
    "states",
    "syntax",
    "unknown",
]
