"""Proxies that answer SHOW PROCESSLIST in their own way."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from runner.simulator.catalogue import undecidable
from runner.simulator.environments.balancer import InTurn
from runner.simulator.environments.cluster import HostOfTheProxy, Node, sibling
from runner.simulator.environments.foreign import WithForeignSessions
from runner.simulator.execute.processlist import ProcessList
from runner.simulator.parts import Parts, altered
from runner.simulator.sessions import Registry
from runner.simulator.variants.ids import SmallIds, SmallIdsReused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.simulator.accounts import User
    from runner.simulator.connection import Connection
    from runner.simulator.execute.engine import Engine
    from runner.simulator.execute.instance import Instance
    from runner.simulator.privileges import Privileges
    from runner.simulator.sessions import Session
    from runner.simulator.settings import Settings
    from runner.simulator.values import Value

CACHED_SECONDS = 1.5
REST_SECONDS = 20.0  # longer than a case takes, where it waits for the list: IMP-7 forbids that a case sees an id twice


class _Both(Registry):
    """The sessions of two servers."""

    def __init__(self, *registries: Registry) -> None:
        super().__init__()
        self._registries = registries

    def __iter__(self) -> Iterator[Session]:
        return (session for registry in self._registries for session in registry)


class _ListOfBoth(InTurn):
    def __init__(self, instance: Instance, engine: Engine, connection: type[Connection]) -> None:
        super().__init__(instance, engine, connection)
        both = _Both(*(node.instance.registry for node in self.nodes))
        shown = type(instance.process_list)(both, instance.privileges, instance.settings)
        changed = [replace(node.instance, process_list=shown) for node in self.nodes]
        self.nodes = tuple(Node(one, type(engine)(one)) for one in changed)


class _ListOfTheFirst(InTurn):
    def sibling(self, instance: Instance) -> Instance:
        return replace(sibling(instance), process_list=instance.process_list)


class _Cached(ProcessList):
    def __init__(self, registry: Registry, privileges: Privileges, settings: Settings) -> None:
        super().__init__(registry, privileges, settings)
        self._answers: dict[tuple[User, bool], tuple[float, list[tuple[Value, ...]]]] = {}

    def rows(self, asker: Session, *, full: bool) -> list[tuple[Value, ...]]:
        now = time.monotonic()
        since, rows = self._answers.get((asker.user, full), (now - CACHED_SECONDS, []))
        if now - since >= CACHED_SECONDS:
            since, rows = now, super().rows(asker, full=full)
            self._answers[asker.user, full] = since, rows
        return rows


class _ReusedLater(SmallIdsReused):
    rest = REST_SECONDS


@undecidable
def list_of_both_nodes(parts: Parts) -> Parts:
    """A load balancer in front of two servers whose process lists show the sessions of both."""
    return altered(parts, _ListOfBoth, SmallIds, HostOfTheProxy)


@undecidable
def list_of_the_first_node(parts: Parts) -> Parts:
    """A load balancer in front of two servers; the second one shows the process list of the first."""
    return altered(parts, _ListOfTheFirst, SmallIds, HostOfTheProxy)


@undecidable
def cached_list(parts: Parts) -> Parts:
    """A proxy that caches SHOW PROCESSLIST for 1.5 seconds; ids of killed sessions are reused."""
    return altered(parts, WithForeignSessions, _Cached, _ReusedLater)
