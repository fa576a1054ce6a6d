"""Servers with a limit of users, of a user's sessions, or of logins in a second."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

import time
from collections import deque

from runner.simulator import errors
from runner.simulator.accounts import Accounts, User
from runner.simulator.catalogue import environment
from runner.simulator.connection import Connection
from runner.simulator.handshake import Login
from runner.simulator.sessions import Session

USERS = 9
LOGINS = 40
SESSIONS = 2


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
