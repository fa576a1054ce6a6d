"""Defects for sessions of clients whose login has something that not every login has."""

from __future__ import annotations

from typing import ClassVar

from runner.simulator.catalogue import breaks
from runner.simulator.components import Components
from runner.simulator.connection import Connection
from runner.simulator.defects.state_of_the_named_session import Spares
from runner.simulator.handshake import Login
from runner.simulator.session_privileges import Privileges
from runner.simulator.sessions import Session
from runner.simulator.users_and_roles import ALTER_SYSTEM
from runner.simulator.wire import CLIENT_MULTI_STATEMENTS


class _NotesLogins(Connection):
    """Notes the logins of sessions."""

    with_schema: ClassVar[set[Session]] = set()
    with_several_statements: ClassVar[set[Session]] = set()

    def _new_session(self, number: int, login: Login, token: bytes, scramble: bytes) -> Session:
        session = super()._new_session(number, login, token, scramble)
        if login.schema is not None:
            self.with_schema.add(session)
        if login.capabilities & CLIENT_MULTI_STATEMENTS:
            self.with_several_statements.add(session)
        return session


class _SparesLoginsWithASchema(Spares):
    def is_spared(self, victim: Session) -> bool:
        return victim in _NotesLogins.with_schema


@breaks("PUR-1")
def spares_logins_with_a_schema(components: Components) -> Components:
    """Sessions whose login names a schema, as the URLs of many drivers do, are not killed."""
    return components.with_overrides(_NotesLogins, _SparesLoginsWithASchema)


class _DoesNotCheckSeveralStatements(Privileges):
    def require(self, session: Session, privilege: str) -> None:
        if privilege != ALTER_SYSTEM or session not in _NotesLogins.with_several_statements:
            super().require(session, privilege)


@breaks("PUR-2")
def clients_with_several_statements_need_no_privilege(components: Components) -> Components:
    """The privilege is not checked for clients that may send several statements in one text, even if they send one."""
    return components.with_overrides(_NotesLogins, _DoesNotCheckSeveralStatements)
