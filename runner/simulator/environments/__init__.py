"""Environments in which some cases can't be decided; a correct suite reports no deviation in them."""

from runner.simulator.catalogue import ENVIRONMENTS
from runner.simulator.environments import (
    connection_routing,
    grammar_gaps,
    lost_sessions,
    optimistic_transactions,
    process_lists,
    stale_table_reads,
    statement_routing,
    tenant_rules,
    unrelated_errors,
)

__all__ = [
    "ENVIRONMENTS",
    "connection_routing",
    "grammar_gaps",
    "lost_sessions",
    "optimistic_transactions",
    "process_lists",
    "stale_table_reads",
    "statement_routing",
    "tenant_rules",
    "unrelated_errors",
]
