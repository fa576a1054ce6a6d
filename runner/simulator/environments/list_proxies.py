"""Proxies with another result of SHOW PROCESSLIST: of another server, of both servers, or outdated."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

from runner.simulator.catalogue import environment
from runner.simulator.components import Components
from runner.simulator.connection import Connection
from runner.simulator.environments.balancer import LoadBalancer
from runner.simulator.environments.foreign_sessions_base import RouterWithForeignSessions
from runner.simulator.environments.two_servers import Node, ProxyAsHost, second_server
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.process_list import ProcessList
from runner.simulator.execute.server_state import Instance
from runner.simulator.odp import OdpGreetingIds, OdpListConnection, OdpListener
from runner.simulator.privilege_checks import Privileges
from runner.simulator.sessions import Session, SessionRegistry
from runner.simulator.settings import Settings
from runner.simulator.users_and_roles import User
from runner.simulator.values import Value
from runner.simulator.variants.ids import SmallIds, SmallIdsReused

CACHED_SECONDS = 1.5
REUSE_SECONDS = 20.0  # longer than a case: IMP-7 forbids that a case sees an id twice


class _BothRegistries(SessionRegistry):
    """The sessions of two servers."""

    def __init__(self, *registries: SessionRegistry) -> None:
        super().__init__()
        self._registries = registries

    def __iter__(self) -> Iterator[Session]:
        return (session for registry in self._registries for session in registry)


class _ListOfBoth(LoadBalancer):
    def __init__(self, instance: Instance, engine: Engine, connection: type[Connection]) -> None:
        super().__init__(instance, engine, connection)
        both = _BothRegistries(*(node.instance.registry for node in self.nodes))
        shown = type(instance.process_list)(both, instance.privileges, instance.settings)
        changed = [replace(node.instance, process_list=shown) for node in self.nodes]
        self.nodes = tuple(Node(one, type(engine)(one)) for one in changed)


class _ListOfTheFirst(LoadBalancer):
    def second_server(self, instance: Instance) -> Instance:
        return replace(second_server(instance), process_list=instance.process_list)


class _Cached(ProcessList):
    def __init__(self, registry: SessionRegistry, privileges: Privileges, settings: Settings) -> None:
        super().__init__(registry, privileges, settings)
        self._answers: dict[tuple[User, bool], tuple[float, list[tuple[Value, ...]]]] = {}

    def rows(self, viewer: Session, *, full: bool) -> list[tuple[Value, ...]]:
        now = time.monotonic()
        since, rows = self._answers.get((viewer.user, full), (now - CACHED_SECONDS, []))
        if now - since >= CACHED_SECONDS:
            since, rows = now, super().rows(viewer, full=full)
            self._answers[viewer.user, full] = since, rows
        return rows


class _ReusedLater(SmallIdsReused):
    reuse_after = REUSE_SECONDS


@environment
def list_of_both_nodes(components: Components) -> Components:
    """A load balancer in front of two servers whose process lists show the sessions of both."""
    return components.with_overrides(_ListOfBoth, SmallIds, ProxyAsHost)


@environment
def list_of_the_first_node(components: Components) -> Components:
    """A load balancer in front of two servers; the second one shows the process list of the first."""
    return components.with_overrides(_ListOfTheFirst, SmallIds, ProxyAsHost)


@environment
def cached_list(components: Components) -> Components:
    """A proxy that caches SHOW PROCESSLIST for 1.5 seconds; ids of killed sessions are reused."""
    return components.with_overrides(RouterWithForeignSessions, _Cached, _ReusedLater)


@environment
def odp_with_default_settings(components: Components) -> Components:
    """Behind ODP with client_session_id_version=1: SHOW PROCESSLIST shows ODP's numbers, which no server knows."""
    return components.with_overrides(OdpListener, OdpListConnection, OdpGreetingIds, ProxyAsHost)
