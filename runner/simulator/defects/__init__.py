"""Servers that are wrong in one way each, to see whether a test notices."""

from runner.simulator.catalogue import DEFECTS
from runner.simulator.defects import (
    accumulation,
    aftermath,
    answers,
    collateral,
    effect,
    example,
    ids,
    immediate,
    liveness,
    logins,
    privilege,
    revoke,
    roles,
    serial,
    several,
    syntax,
    unknown,
)

__all__ = [
    "DEFECTS",
    "accumulation",
    "aftermath",
    "answers",
    "collateral",
    "effect",
    "example",
    "ids",
    "immediate",
    "liveness",
    "logins",
    "privilege",
    "revoke",
    "roles",
    "serial",
    "several",
    "syntax",
    "unknown",
]
