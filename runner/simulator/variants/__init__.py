"""Servers that differ from this one and are right all the same, to see whether a test accuses them."""

from runner.simulator.catalogue import VARIANTS
from runner.simulator.variants import (
    ending,
    idle,
    ids,
    listing,
    others,
    prepared,
    proxy,
    statement,
    states,
    tenant,
    wire,
)

__all__ = [
    "VARIANTS",
    "ending",
    "idle",
    "ids",
    "listing",
    "others",
    "prepared",
    "proxy",
    "statement",
    "states",
    "tenant",
    "wire",
]
