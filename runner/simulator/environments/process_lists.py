"""Process lists of another server, outdated, without usable ids, with too many or too few rows, or without a reply."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

from runner.simulator.catalogue import environment
from runner.simulator.components import Components
from runner.simulator.connection import Connection
from runner.simulator.environments.connection_routing import LoadBalancer
from runner.simulator.environments.foreign_sessions_base import RouterWithForeignSessions
from runner.simulator.environments.two_servers import Node, ProxyAsHost, second_server
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.process_list import ProcessList
from runner.simulator.execute.results import Result
from runner.simulator.execute.server_instance import Instance
from runner.simulator.odp import OdpGreetingIds, OdpListConnection, OdpListener
from runner.simulator.session_privileges import Privileges
from runner.simulator.sessions import LONGEST_PAUSE, Session, SessionRegistry
from runner.simulator.settings import Settings
from runner.simulator.sql import statements as sql
from runner.simulator.users_and_roles import User
from runner.simulator.values import Value
from runner.simulator.variants.ids import SmallIds, SmallIdsReused
from runner.simulator.wire import TYPE_TEXT


@environment
class HexadecimalIds(ProcessList):
    """The process list shows ids as hexadecimal texts of 32 digits, as some clusters do."""

    def id(self, session: Session) -> Value:
        return f"{session.number:032x}-c"


@environment
class SystemThreadZero(ProcessList):
    """The administrator's process list shows a thread of the server, with id 0."""

    def rows(self, viewer: Session, *, full: bool) -> list[tuple[Value, ...]]:
        """The rows of the sessions, and a row of a thread that can't be killed."""
        rows = super().rows(viewer, full=full)
        thread = (0, "SYSTEM", *self.row(viewer, full=full)[2:])
        return [*rows, thread] if self.sees_all(viewer) else rows


@environment
class RowsWithoutNumbers(ProcessList):
    """The administrator's process list has rows of physical connections, whose ids are NULL or no numbers."""

    def rows(self, viewer: Session, *, full: bool) -> list[tuple[Value, ...]]:
        """The rows of the sessions, and two rows that no statement can name."""
        rows = super().rows(viewer, full=full)
        own = self.row(viewer, full=full)
        more: list[tuple[Value, ...]] = [(None, "PROXY", *own[2:]), ("7-0-521414", "PROXY", *own[2:])]
        return [*rows, *more] if self.sees_all(viewer) else rows


_LARGE = 10**29
_ROWS = 20


@environment
class IdsOfThirtyDigits(ProcessList):
    """The process list shows ids of thirty digits, more than a 64-bit number has."""

    def id(self, session: Session) -> Value:
        return str(_LARGE + session.number)

    def id_type(self) -> int:
        return TYPE_TEXT


@environment
class ListOfTwentyRows(ProcessList):
    """The process list shows the twenty oldest sessions only."""

    def rows(self, viewer: Session, *, full: bool) -> list[tuple[Value, ...]]:
        return super().rows(viewer, full=full)[:_ROWS]


@environment
class UsersSeeThemselvesOnly(ProcessList):
    """A session of another user than the administrator sees itself in the process list, and no other session."""

    def sees_all(self, viewer: Session) -> bool:
        return viewer.user.administrator

    def sees(self, viewer: Session, session: Session) -> bool:
        return session is viewer


_LISTS = 300


@environment
class ListDeadlock(Engine):
    """After 300 replies, SHOW PROCESSLIST gets none any more, as if a killed session kept its lock."""

    _lists = 0

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        if isinstance(statement, sql.ShowProcessList):
            self._lists += 1
            if self._lists > _LISTS:
                await session.wait(LONGEST_PAUSE)
        return await super().run(session, statement, depth)


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
