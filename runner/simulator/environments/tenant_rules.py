"""Rules of a tenant: limits for users, logins and sessions, passwords, names, TLS, and a privilege of all users."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

import time
from collections import Counter, deque
from typing import ClassVar

from runner.simulator import errors
from runner.simulator.catalogue import environment
from runner.simulator.components import Components
from runner.simulator.connection import Connection
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.results import Result
from runner.simulator.execute.server_instance import Instance
from runner.simulator.handshake import Login
from runner.simulator.session_privileges import Privileges
from runner.simulator.sessions import Session, SessionEnding
from runner.simulator.timers import call_later
from runner.simulator.users_and_roles import ALTER_SYSTEM, Accounts, User


@environment
class AlterSystemOfPublic(Privileges):
    """ALTER SYSTEM is granted to PUBLIC: every user has it, and SESSION_PRIVS shows it."""

    def holds(self, session: Session, privilege: str) -> bool:
        return privilege == ALTER_SYSTEM or super().holds(session, privilege)


USERS = 9
STATEMENTS = 20
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


_SHORTEST = 8
_LONGEST_NAME = 12


@environment
class PasswordRules(Accounts):
    """Passwords need a capital, a small letter, a digit and a special character, unlike that of the example."""

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


@environment
class TwentyStatementsPerUser(Engine):
    """No user but the administrator may send more than twenty statements in an hour."""

    def __init__(self, instance: Instance) -> None:
        super().__init__(instance)
        self._sent: Counter[User] = Counter()

    async def execute(self, session: Session, text: str) -> Result:
        self._sent[session.user] += 1
        if self._sent[session.user] > STATEMENTS and not session.user.administrator:
            raise errors.too_many_statements(STATEMENTS)
        return await super().execute(session, text)


@environment
class FirewallOfTexts(Engine):
    """A firewall blocks every statement with a comment or a semicolon, with a message only."""

    async def execute(self, session: Session, text: str) -> Result:
        if any(mark in text for mark in ("/*", "--", ";")):
            raise errors.SqlError(1105, errors.GENERAL, "Statement was blocked by the SQL firewall", oracle=False)
        return await super().execute(session, text)
