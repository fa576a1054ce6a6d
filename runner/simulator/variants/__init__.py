"""Conforming variants: differences from the default that a correct suite reports no deviation for."""

from runner.simulator.catalogue import VARIANTS
from runner.simulator.variants import (
    ending_of_sessions,
    idle_timeout,
    ids,
    kill_statement,
    list_contents,
    other_clients,
    other_statements,
    prepared_statements,
    proxies,
    states_of_sessions,
    wire_format,
)

__all__ = [
    "VARIANTS",
    "ending_of_sessions",
    "idle_timeout",
    "ids",
    "kill_statement",
    "list_contents",
    "other_clients",
    "other_statements",
    "prepared_statements",
    "proxies",
    "states_of_sessions",
    "wire_format",
]
