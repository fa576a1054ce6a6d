"""Environments in which some cases can't be decided; a correct suite reports no deviation in them."""

from runner.simulator.catalogue import ENVIRONMENTS
from runner.simulator.environments import (
    balancer,
    grammar_gaps,
    lagging_reads,
    limits,
    list_extra_rows,
    list_proxies,
    moving_clients,
    odp_settings,
    other_clients,
    public_privileges,
    restarts,
    roles_missing,
    routing_by_user,
    rules_for_users,
    shared_sessions,
    splitter,
    unrelated_errors,
)

__all__ = [
    "ENVIRONMENTS",
    "balancer",
    "grammar_gaps",
    "lagging_reads",
    "limits",
    "list_extra_rows",
    "list_proxies",
    "moving_clients",
    "odp_settings",
    "other_clients",
    "password_rules",
    "public_privileges",
    "restarts",
    "roles_missing",
    "routing_by_user",
    "shared_sessions",
    "splitter",
    "unrelated_errors",
]
