"""Conforming variants: differences from the default that a correct suite reports no deviation for."""

from runner.simulator.catalogue import VARIANTS
from runner.simulator.variants import (
    disconnected_clients,
    ending_of_sessions,
    idle_timeout,
    ids,
    kill_statement,
    list_contents,
    other_clients,
    other_statements,
    prepared_statements,
    proxies,
    wire_format,
)

__all__ = [
    "VARIANTS",
    "disconnected_clients",
    "ending_of_sessions",
    "idle_timeout",
    "ids",
    "kill_statement",
    "list_contents",
    "other_clients",
    "other_statements",
    "prepared_statements",
    "proxies",
    "wire_format",
]
