"""Environments in which some cases can't be decided, to see whether a test blames the server for them."""

from runner.simulator.catalogue import ENVIRONMENTS
from runner.simulator.environments import (
    balancer,
    grammar,
    listing,
    lists,
    moving,
    odp,
    passwords,
    restarting,
    roles,
    routing,
    sharing,
    splitter,
    trouble,
)

__all__ = [
    "ENVIRONMENTS",
    "balancer",
    "grammar",
    "listing",
    "lists",
    "moving",
    "odp",
    "passwords",
    "restarting",
    "roles",
    "routing",
    "sharing",
    "splitter",
    "trouble",
]
