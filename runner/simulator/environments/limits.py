"""Servers with a limit of users, of a user's sessions, or of logins in a second."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

import time
from collections import Counter, deque
from typing import ClassVar

from runner.simulator import errors
from runner.simulator.accounts import Accounts, User
from runner.simulator.catalogue import environment
from runner.simulator.components import Components
from runner.simulator.connection import Connection
from runner.simulator.handshake import Login
from runner.simulator.session_ending import SessionEnding
from runner.simulator.sessions import Session
from runner.simulator.timers import call_later

USERS = 9
LOGINS = 40
SESSIONS = 2
CONNECTIONS = 4
COUNTED_SECONDS = 3.0


@environment
class EightUsers(Accounts):
    """No more than eight users besides the administrator can be created."""

    def create_user(self, name: str, password: str) -> User:
        if len(self.users) >= USERS:
            raise errors.too_many_users()
        return super().create_user(name, password)


@environment
class FortyLoginsPerSecond(Accounts):
    """More than 40 logins in a second are refused."""

    def __init__(self, admin_password: str) -> None:
        super().__init__(admin_password)
        self._times: deque[float] = deque()

    def authenticate(self, name: str, token: bytes, scramble: bytes) -> User:
        now = time.monotonic()
        while self._times and self._times[0] < now - 1:
            self._times.popleft()
        if len(self._times) >= LOGINS:
            raise errors.too_many_logins(LOGINS)
        self._times.append(now)
        return super().authenticate(name, token, scramble)


@environment
class SessionsPerUserTwo(Connection):
    """No user but the administrator can have more than two sessions (SESSIONS_PER_USER of its Oracle profile)."""

    def _new_session(self, number: int, login: Login, token: bytes, scramble: bytes) -> Session:
        session = super()._new_session(number, login, token, scramble)
        same = sum(other.user is session.user for other in self._instance.registry)
        if same >= SESSIONS and not session.user.administrator:
            raise errors.too_many_sessions_of_user()
        return session


@environment
def killed_sessions_count_for_a_while(components: Components) -> Components:
    """No user but the administrator can have more than four sessions; a killed one counts for three seconds."""
    return components.with_overrides(_CountsKilled, _NotesKilled)


class _NotesKilled(SessionEnding):
    killed: ClassVar[Counter[User]] = Counter()

    def kill(self, victim: Session) -> None:
        user = victim.user  # the session may change its user
        self.killed[user] += 1
        call_later(COUNTED_SECONDS, self.killed.subtract, {user: 1})
        super().kill(victim)


class _CountsKilled(Connection):
    def _new_session(self, number: int, login: Login, token: bytes, scramble: bytes) -> Session:
        session = super()._new_session(number, login, token, scramble)
        user = session.user
        same = sum(other.user is user for other in self._instance.registry)
        if same + _NotesKilled.killed[user] >= CONNECTIONS and not user.administrator:
            raise errors.too_many_connections_of_user(user.name, CONNECTIONS)
        return session
