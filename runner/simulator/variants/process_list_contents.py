"""Conforming variants of the process list: columns, rows, their delay, visible sessions, sessions of other clients."""

# ruff: noqa: ARG002, D102 - overrides of steps, which are documented in the base class
# ruff: noqa: S311 - the random numbers are not for security

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import replace

from runner.simulator import errors
from runner.simulator.catalogue import settings_variant, variant
from runner.simulator.execute.process_list import ProcessList
from runner.simulator.session_privileges import Privileges
from runner.simulator.sessions import Session, SessionRegistry
from runner.simulator.settings import TENANT, Settings
from runner.simulator.timers import BackgroundTask
from runner.simulator.users_and_roles import ADMINISTRATOR, CREATE_SESSION, User
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
class InfoWithAComment(ProcessList):
    """INFO shows statements with a comment in front of them, which a proxy has added."""

    def info(self, session: Session) -> str | None:
        info = super().info(session)
        return info if info is None else f"/* trace {session.number:x} */ {info}"


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


EVENT_SECONDS = 0.02
MAX_SESSIONS = 20
USERS = ("APP", "BATCH", "REPORTS")
STATEMENTS = ("SELECT COUNT(*) FROM ORDERS", "UPDATE STOCK SET N = N - 1 WHERE ID = 7", "SHOW PROCESSLIST")


class _NoClient:
    """The client of a foreign session, which is not connected."""

    def disconnect(self, error: errors.SqlError | None) -> None:
        """Nothing to close."""


@variant
class ForeignTraffic(BackgroundTask):
    """Other sessions, some of the administrator, log in, send statements, log out and are killed all the time."""

    async def run(self) -> None:
        """Changes one session at a time."""
        accounts = self.instance.accounts
        for name in USERS:
            accounts.create_user(name, name).system[CREATE_SESSION] = False
        users = [accounts.users[name] for name in (*USERS, ADMINISTRATOR)]
        sessions: list[Session] = []
        while True:
            sessions = [session for session in sessions if not session.ended]
            self._random_event(sessions, users)
            await asyncio.sleep(EVENT_SECONDS)

    def _random_event(self, sessions: list[Session], users: list[User]) -> None:
        event = random.choice(("login", "disconnect", "kill", "statement", "statement"))
        if event == "login" and len(sessions) < MAX_SESSIONS:
            sessions.append(self._new_session(random.choice(users)))
        elif sessions:
            session = random.choice(sessions)
            if event == "disconnect":
                self.instance.ending.client_disconnected(session)
                self.instance.ids.release(session.user, session.number)
            elif event == "kill":
                self.instance.ending.kill(session)
                self.instance.ids.release(session.user, session.number)
            elif session.statement is None:
                session.begin_statement(random.choice(STATEMENTS))
            else:
                session.finish_statement()

    def _new_session(self, user: User) -> Session:
        number = self.instance.ids.id_for(user, self.instance.ids.allocate())
        host = f"10.0.0.{random.randint(2, 250)}:{random.randint(1024, 65535)}"
        session = Session(number, user, self.instance.accounts.enabled_roles(user), host, user.name, _NoClient())
        self.instance.registry.add(session)
        return session
