"""Conforming variants of the process list: columns, order and delay of the rows, and which sessions a user sees."""

# ruff: noqa: ARG002, D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

import random
import time
from dataclasses import replace

from runner.simulator.catalogue import settings_variant, variant
from runner.simulator.execute.process_list import ProcessList
from runner.simulator.privilege_checks import Privileges
from runner.simulator.sessions import Session, SessionRegistry
from runner.simulator.settings import TENANT, Settings
from runner.simulator.values import Value
from runner.simulator.wire import TYPE_DECIMAL, Column

INFO_LENGTH = 16
PROXY = "10.1.2.3:2883"
LAG_SECONDS = 0.7


@variant
class HostWithoutPort(ProcessList):
    """HOST shows the address without a port."""

    def host(self, session: Session) -> str:
        return super().host(session).rpartition(":")[0]


@variant
class HostOfAProxy(ProcessList):
    """HOST shows the same address and port for all sessions."""

    def host(self, session: Session) -> str:
        return PROXY


@variant
class HostOfAnother(ProcessList):
    """HOST shows the address of a proxy, which equals the client address of the session that logged in before."""

    def host(self, session: Session) -> str:
        sessions = list(self.registry)
        return super().host(sessions[sessions.index(session) - 1])


@variant
class UserWithTenant(ProcessList):
    """USER shows the tenant after the user's name."""

    def user(self, session: Session) -> str:
        return f"{super().user(session)}@{TENANT}"


@variant
class InfoCut(ProcessList):
    """INFO shows no more than 16 characters."""

    def info(self, session: Session) -> str | None:
        info = super().info(session)
        return info if info is None else info[:INFO_LENGTH]


@variant
class OtherWords(ProcessList):
    """Busy sessions of other users have other COMMAND and STATE texts."""

    def command(self, session: Session) -> str:
        return super().command(session) if session.waiting is None else "Execute"

    def state(self, session: Session) -> str:
        return super().state(session) if session.waiting is None else "RUNNING"


@variant
class MoreColumns(ProcessList):
    """The process list has additional columns after the eight of the specification."""

    def columns(self, *, full: bool) -> tuple[Column, ...]:
        return (*super().columns(full=full), Column("TRACE_ID"), Column("TOTAL_TIME", TYPE_DECIMAL))

    def row(self, session: Session, *, full: bool) -> tuple[Value, ...]:
        return (*super().row(session, full=full), None, 0)


@variant
class RowsInAnyOrder(ProcessList):
    """The rows of the process list have another order each time."""

    def rows(self, viewer: Session, *, full: bool) -> list[tuple[Value, ...]]:
        rows = super().rows(viewer, full=full)
        random.shuffle(rows)
        return rows


@variant
class ListLags(ProcessList):
    """The process list is refreshed every 0.7 seconds, and may show outdated sessions of other clients."""

    def __init__(self, registry: SessionRegistry, privileges: Privileges, settings: Settings) -> None:
        super().__init__(registry, privileges, settings)
        self._made: dict[bool, tuple[float, list[tuple[Session, tuple[Value, ...]]]]] = {}

    def rows(self, viewer: Session, *, full: bool) -> list[tuple[Value, ...]]:
        now = time.monotonic()
        made, rows = self._made.get(full, (-LAG_SECONDS, []))
        if now - made >= LAG_SECONDS:
            rows = [(session, self.row(session, full=full)) for session in self.registry]
            self._made[full] = (now, rows)
        sees_all = self.sees_all(viewer)
        others = [row for session, row in rows if session is not viewer and (sees_all or self.sees(viewer, session))]
        return [*others, self.row(viewer, full=full)]


@settings_variant
def own_sessions_only(settings: Settings) -> Settings:
    """Users other than the administrator see only sessions of their own user."""
    return replace(settings, list_all_to_alter_system=False)
