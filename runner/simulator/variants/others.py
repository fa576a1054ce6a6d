"""A server that other people use as well."""

# ruff: noqa: S311 - what happens next is no secret

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

from runner.simulator.accounts import ADMINISTRATOR, CREATE_SESSION
from runner.simulator.catalogue import lawful
from runner.simulator.sessions import Session
from runner.simulator.surroundings import Surroundings

if TYPE_CHECKING:
    from runner.simulator import errors
    from runner.simulator.accounts import User

PAUSE = 0.02
MOST = 20
USERS = ("APP", "BATCH", "REPORTS")
STATEMENTS = ("SELECT COUNT(*) FROM ORDERS", "UPDATE STOCK SET N = N - 1 WHERE ID = 7", "SHOW PROCESSLIST")


class _Elsewhere:
    """The client of a foreign session: nobody hears what is said to it."""

    def disconnect(self, last_word: errors.SqlError | None) -> None:
        """It is gone."""


@lawful
class ForeignTraffic(Surroundings):
    """Other sessions, some of the administrator, log in, send statements, log out and are killed all the time."""

    async def live(self) -> None:
        """One change after the other."""
        accounts = self.instance.accounts
        for name in USERS:
            accounts.create_user(name, name).system[CREATE_SESSION] = False
        users = [accounts.users[name] for name in (*USERS, ADMINISTRATOR)]
        sessions: list[Session] = []
        while True:
            sessions = [session for session in sessions if not session.ended]
            self._happen(sessions, users)
            await asyncio.sleep(PAUSE)

    def _happen(self, sessions: list[Session], users: list[User]) -> None:
        event = random.choice(("comes", "leaves", "is ended", "works", "works"))
        if event == "comes" and len(sessions) < MOST:
            sessions.append(self._new_session(random.choice(users)))
        elif sessions:
            session = random.choice(sessions)
            if event == "leaves":
                self.instance.ending.leave(session)
                self.instance.ids.give_back(session.user, session.number)
            elif event == "is ended":
                self.instance.ending.kill(session)
                self.instance.ids.give_back(session.user, session.number)
            elif session.statement is None:
                session.begin(random.choice(STATEMENTS))
            else:
                session.finish()

    def _new_session(self, user: User) -> Session:
        number = self.instance.ids.of(user, self.instance.ids.new())
        host = f"10.0.0.{random.randint(2, 250)}:{random.randint(1024, 65535)}"
        session = Session(number, user, self.instance.accounts.enabled_roles(user), host, user.name, _Elsewhere())
        self.instance.registry.add(session)
        return session
