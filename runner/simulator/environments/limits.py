"""Servers with a limit of users, or of logins in a second."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

import time
from collections import deque

from runner.simulator import errors
from runner.simulator.accounts import Accounts, User
from runner.simulator.catalogue import environment

USERS = 9
LOGINS = 40


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
