"""Conforming variants: differences from the default for which a correct suite reports no deviation."""

from runner.simulator.catalogue import VARIANTS
from runner.simulator.variants import (
    ending_of_sessions,
    errors_and_delays,
    ids,
    kill_statement,
    other_statements,
    prepared_statements_and_views,
    process_list_contents,
    routes,
)

__all__ = [
    "VARIANTS",
    "ending_of_sessions",
    "errors_and_delays",
    "ids",
    "kill_statement",
    "other_statements",
    "prepared_statements_and_views",
    "process_list_contents",
    "routes",
]
