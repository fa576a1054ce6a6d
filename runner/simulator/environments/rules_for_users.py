"""Tenants with rules for passwords, their age, or the names of users."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

from runner.simulator import errors
from runner.simulator.accounts import Accounts, User
from runner.simulator.catalogue import environment
from runner.simulator.connection import Connection
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.results import Result
from runner.simulator.handshake import Login
from runner.simulator.sessions import Session

_SHORTEST = 8
_LONGEST_NAME = 12


@environment
class PasswordRules(Accounts):
    """Passwords need a capital, a small letter, a digit and a special character: the page's example is refused."""

    def check_password(self, password: str) -> None:
        kinds = (str.isupper, str.islower, str.isdigit, lambda character: not character.isalnum())
        if len(password) < _SHORTEST or not all(any(map(kind, password)) for kind in kinds):
            raise errors.password_rejected(
                "ERROR-20023: a password has 8 characters at least, among them a capital, a small letter, a digit "
                "and a special character"
            )


@environment
class ShortNames(Accounts):
    """Names of users and roles have 12 characters at most: the suite's names are refused."""

    def create_user(self, name: str, password: str) -> User:
        self._check_name(name)
        return super().create_user(name, password)

    def create_role(self, name: str) -> None:
        self._check_name(name)
        super().create_role(name)

    def _check_name(self, name: str) -> None:
        if len(name) > _LONGEST_NAME:
            raise errors.name_too_long()


@environment
class TlsForUsers(Connection):
    """Every user but the administrator has to log in with TLS, which the server doesn't offer on this port."""

    def _new_session(self, number: int, login: Login, token: bytes, scramble: bytes) -> Session:
        session = super()._new_session(number, login, token, scramble)
        if not session.user.administrator:
            raise errors.insecure_transport()
        return session


@environment
class ExpiredPasswords(Engine):
    """The password of a new user has expired: its statements are refused until it has changed it."""

    async def execute(self, session: Session, text: str) -> Result:
        if not session.user.administrator:
            raise errors.SqlError(
                1820, errors.GENERAL, "You must reset your password before executing this statement.", oracle=False
            )
        return await super().execute(session, text)
