"""Environments in which some cases can't be decided; a correct suite reports no deviation in them."""

from runner.simulator.catalogue import ENVIRONMENTS
from runner.simulator.environments import (
    connection_routing,
    grammar_gaps,
    lost_sessions,
    optimistic,
    process_lists,
    servers_in_trouble,
    stale_table_reads,
    statement_routing,
    tenant_rules,
)

__all__ = [
    "ENVIRONMENTS",
    "connection_routing",
    "grammar_gaps",
    "lost_sessions",
    "optimistic",
    "process_lists",
    "servers_in_trouble",
    "stale_table_reads",
    "statement_routing",
    "tenant_rules",
]
