"""Environments in which some cases can't be decided, to see whether a test blames the server for them."""

from runner.simulator.catalogue import ENVIRONMENTS
from runner.simulator.environments import grammar, trouble

__all__ = ["ENVIRONMENTS", "grammar", "trouble"]
