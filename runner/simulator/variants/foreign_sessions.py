"""A server that other clients use at the same time."""

# ruff: noqa: S311 - the random numbers are not for security

from __future__ import annotations

import asyncio
import random

from runner.simulator import errors
from runner.simulator.background import BackgroundTask
from runner.simulator.catalogue import variant
from runner.simulator.sessions import Session
from runner.simulator.users_and_roles import ADMINISTRATOR, CREATE_SESSION, User

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
