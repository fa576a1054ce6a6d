"""Other lists: what a row shows, and who sees which."""

# ruff: noqa: ARG002, D102 - overriding one step of many, each explained where the honest one stands

from __future__ import annotations

import random
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from runner.simulator.catalogue import lawful, lawful_setting
from runner.simulator.execute.processlist import ProcessList
from runner.simulator.wire import TYPE_DECIMAL, Column

if TYPE_CHECKING:
    from runner.simulator.privileges import Privileges
    from runner.simulator.sessions import Registry, Session
    from runner.simulator.settings import Settings
    from runner.simulator.values import Value

INFO_LENGTH = 16
PROXY = "10.1.2.3:2883"
LAG_SECONDS = 0.7


@lawful
class HostWithoutPort(ProcessList):
    """HOST shows the address without a port."""

    def host(self, session: Session) -> str:
        return super().host(session).rpartition(":")[0]


@lawful
class HostOfAProxy(ProcessList):
    """HOST shows the same address and port for all sessions."""

    def host(self, session: Session) -> str:
        return PROXY


@lawful
class HostOfAnother(ProcessList):
    """HOST shows the address of a proxy, which equals the client address of the session that logged in before."""

    def host(self, session: Session) -> str:
        sessions = list(self.registry)
        return super().host(sessions[sessions.index(session) - 1])


@lawful
class InfoCut(ProcessList):
    """INFO shows no more than 16 characters."""

    def info(self, session: Session) -> str | None:
        info = super().info(session)
        return info if info is None else info[:INFO_LENGTH]


@lawful
class OtherWords(ProcessList):
    """Busy sessions of other users have other COMMAND and STATE texts."""

    def command(self, session: Session) -> str:
        return super().command(session) if session.waiting is None else "Execute"

    def state(self, session: Session) -> str:
        return super().state(session) if session.waiting is None else "RUNNING"


@lawful
class MoreColumns(ProcessList):
    """The process list has additional columns after the eight of the specification."""

    def columns(self, *, full: bool) -> tuple[Column, ...]:
        return (*super().columns(full=full), Column("TRACE_ID"), Column("TOTAL_TIME", TYPE_DECIMAL))

    def row(self, session: Session, *, full: bool) -> tuple[Value, ...]:
        return (*super().row(session, full=full), None, 0)


@lawful
class RowsInAnyOrder(ProcessList):
    """The rows of the process list have another order each time."""

    def rows(self, asker: Session, *, full: bool) -> list[tuple[Value, ...]]:
        rows = super().rows(asker, full=full)
        random.shuffle(rows)
        return rows


@lawful
class ListLags(ProcessList):
    """The process list is refreshed every 0.7 seconds, and may show outdated sessions of other clients."""

    def __init__(self, registry: Registry, privileges: Privileges, settings: Settings) -> None:
        super().__init__(registry, privileges, settings)
        self._made: dict[bool, tuple[float, list[tuple[Session, tuple[Value, ...]]]]] = {}

    def rows(self, asker: Session, *, full: bool) -> list[tuple[Value, ...]]:
        now = time.monotonic()
        made, rows = self._made.get(full, (-LAG_SECONDS, []))
        if now - made >= LAG_SECONDS:
            rows = [(session, self.row(session, full=full)) for session in self.registry]
            self._made[full] = (now, rows)
        sees_all = self.sees_all(asker)
        others = [row for session, row in rows if session is not asker and (sees_all or self.sees(asker, session))]
        return [*others, self.row(asker, full=full)]


@lawful_setting
def own_sessions_only(settings: Settings) -> Settings:
    """Users other than the administrator see only sessions of their own user."""
    return replace(settings, list_all_to_alter_system=False)
