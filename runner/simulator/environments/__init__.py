"""Environments in which some cases can't be decided; a correct suite reports no deviation in them."""

from runner.simulator.catalogue import ENVIRONMENTS
from runner.simulator.environments import (
    balancer,
    grammar_gaps,
    list_proxies,
    lost_sessions,
    moving_clients,
    optimistic,
    process_lists,
    restarts,
    routing_by_user,
    servers_in_trouble,
    shared_sessions,
    silent_firewall,
    splitter,
    stale_table_reads,
    tenant_rules,
)

__all__ = [
    "ENVIRONMENTS",
    "balancer",
    "grammar_gaps",
    "list_proxies",
    "lost_sessions",
    "moving_clients",
    "optimistic",
    "process_lists",
    "restarts",
    "routing_by_user",
    "servers_in_trouble",
    "shared_sessions",
    "silent_firewall",
    "splitter",
    "stale_table_reads",
    "tenant_rules",
]
