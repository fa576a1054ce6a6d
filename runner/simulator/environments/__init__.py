"""Environments in which some cases can't be decided, to see whether a test blames the server for them."""

from runner.simulator.catalogue import ENVIRONMENTS
from runner.simulator.environments import balancer, listing, lists, moving, roles, routing, sharing, splitter

__all__ = ["ENVIRONMENTS", "balancer", "listing", "lists", "moving", "roles", "routing", "sharing", "splitter"]
