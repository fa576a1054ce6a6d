"""ODP with its default settings: it replies to SHOW PROCESSLIST itself."""

from __future__ import annotations

from runner.simulator.catalogue import environment
from runner.simulator.components import Components
from runner.simulator.environments.two_servers import ProxyAsHost
from runner.simulator.odp import OdpGreetingIds, OdpListConnection, OdpListener


@environment
def odp_with_default_settings(components: Components) -> Components:
    """Behind ODP with client_session_id_version=1: SHOW PROCESSLIST shows ODP's numbers, which no server knows."""
    return components.with_overrides(OdpListener, OdpListConnection, OdpGreetingIds, ProxyAsHost)
