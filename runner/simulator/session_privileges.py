"""The privileges that a session holds, and those that it may grant."""

from __future__ import annotations

from collections.abc import Iterator

from runner.simulator import errors
from runner.simulator.sessions import Session
from runner.simulator.users_and_roles import SYSTEM_PRIVILEGES, Accounts, Grantee, TableName


class Privileges:
    """Checks the privileges of sessions.

    Direct grants have effect at once; the roles of a session are those of its login.
    """

    def __init__(self, accounts: Accounts) -> None:
        self.accounts = accounts

    def holds(self, session: Session, privilege: str) -> bool:
        """Whether the session holds a system privilege."""
        if session.user.administrator:
            return True
        return any(privilege in grantee.system for grantee in self._sources(session))

    def held(self, session: Session) -> list[str]:
        """Every system privilege that the session holds."""
        return sorted(privilege for privilege in SYSTEM_PRIVILEGES if self.holds(session, privilege))

    def require(self, session: Session, privilege: str) -> None:
        """Raises an error if the session does not hold the system privilege."""
        if not self.holds(session, privilege):
            raise errors.no_privilege()

    def may_grant(self, session: Session, privilege: str) -> bool:
        """Whether the session may grant a system privilege."""
        if self.holds(session, "GRANT ANY PRIVILEGE"):
            return True
        return any(grantee.system.get(privilege, False) for grantee in self._sources(session))

    def may_grant_role(self, session: Session, role: str) -> bool:
        """Whether the session may grant a role."""
        if self.holds(session, "GRANT ANY ROLE"):
            return True
        return any(grantee.roles.get(role, False) for grantee in self._sources(session))

    def may_grant_on(self, session: Session, table: TableName, privilege: str) -> bool:
        """Whether the session may grant a privilege on a table."""
        if table[0] == session.user.name or self.holds(session, "GRANT ANY OBJECT PRIVILEGE"):
            return True
        return any(grantee.objects.get((table, privilege), False) for grantee in self._sources(session))

    def holds_on(self, session: Session, table: TableName, privilege: str) -> bool:
        """Whether a privilege on a table or view was granted to the session."""
        return any((table, privilege) in grantee.objects for grantee in self._sources(session))

    def require_on(self, session: Session, table: TableName, privilege: str) -> None:
        """Raises an error if the session lacks a privilege on a table: "no such table" if it has none at all."""
        if table[0] == session.user.name or self.holds(session, f"{privilege} ANY TABLE"):
            return
        granted = {of for grantee in self._sources(session) for on, of in grantee.objects if on == table}
        if privilege not in granted:
            raise errors.no_privilege() if granted else errors.no_such_table()

    def _sources(self, session: Session) -> Iterator[Grantee]:
        yield session.user
        for name in session.roles:
            role = self.accounts.roles.get(name)
            if role is not None:
                yield role
