"""Defects that depend on the history of a session: statements, idling, kills, or a client that has left."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

import asyncio
import time
from typing import Any, ClassVar

from runner.simulator import errors
from runner.simulator.catalogue import breaks
from runner.simulator.components import Components
from runner.simulator.connection import Connection
from runner.simulator.defects.senders import in_a_transaction
from runner.simulator.defects.state_of_the_named_session import Spares
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.kill import KillSessionStatement
from runner.simulator.execute.results import Result
from runner.simulator.session_privileges import Privileges
from runner.simulator.sessions import LONGEST_PAUSE, Session, SessionEnding, SessionRegistry
from runner.simulator.sql import statements as sql
from runner.simulator.users_and_roles import ALTER_SYSTEM, User

LONG_IDLE_SECONDS = 3.0
_DURATION = 0.05  # seconds
_MANY_STATEMENTS = 30
_LONG_STATEMENT = 500  # characters


class _CountsStatements(Engine):
    """Notes the lengths of the statements that each session has sent."""

    lengths: ClassVar[dict[int, list[int]]] = {}

    async def execute(self, session: Session, text: str) -> Result:
        self.lengths.setdefault(session.number, []).append(len(text))
        return await super().execute(session, text)


class _SparesAfterManyStatements(Spares):
    def is_spared(self, victim: Session) -> bool:
        return len(_CountsStatements.lengths.get(victim.number, ())) > _MANY_STATEMENTS


@breaks("PUR-1")
def spares_sessions_after_many_statements(components: Components) -> Components:
    """Sessions that have sent more than 30 statements are not killed."""
    return components.with_overrides(_CountsStatements, _SparesAfterManyStatements)


class _SparesAfterALongStatement(Spares):
    def is_spared(self, victim: Session) -> bool:
        return max(_CountsStatements.lengths.get(victim.number, (0,))) > _LONG_STATEMENT


@breaks("PUR-1")
def spares_sessions_after_a_long_statement(components: Components) -> Components:
    """Sessions that have sent a statement of more than 500 characters are not killed."""
    return components.with_overrides(_CountsStatements, _SparesAfterALongStatement)


class NotesResets(Connection):
    """Notes the sessions that were reset, and the users that sessions had before COM_CHANGE_USER."""

    reset: ClassVar[set[Session]] = set()
    first_users: ClassVar[dict[Session, User]] = {}

    def _reset(self, session: Session) -> None:
        self.reset.add(session)
        super()._reset(session)

    def _set_user(self, session: Session, admitted: Session) -> None:
        self.first_users.setdefault(session, session.user)
        super()._set_user(session, admitted)


class _SparesAfterAReset(Spares):
    def is_spared(self, victim: Session) -> bool:
        return victim in NotesResets.reset


@breaks("PUR-1")
def spares_sessions_that_were_reset(components: Components) -> Components:
    """Sessions that a connection pool has reset, or whose user it has changed, are not killed."""
    return components.with_overrides(NotesResets, _SparesAfterAReset)


class _SparesAfterAChangeOfUser(Spares):
    def is_spared(self, victim: Session) -> bool:
        return victim in NotesResets.first_users


@breaks("PUR-1")
def spares_sessions_that_changed_their_user(components: Components) -> Components:
    """Sessions whose user was changed (COM_CHANGE_USER) are not killed."""
    return components.with_overrides(NotesResets, _SparesAfterAChangeOfUser)


class _PrivilegesOfTheLogin(Privileges):
    def holds(self, session: Session, privilege: str) -> bool:
        first = NotesResets.first_users.get(session)
        if privilege != ALTER_SYSTEM or first is None:
            return super().holds(session, privilege)
        return privilege in first.system


@breaks("PUR-2")
def change_of_user_keeps_the_privilege(components: Components) -> Components:
    """After a change of its user (COM_CHANGE_USER), a session has ALTER SYSTEM if the user of its login has it."""
    return components.with_overrides(NotesResets, _PrivilegesOfTheLogin)


class _LosesThePrivilege(Privileges):
    def holds(self, session: Session, privilege: str) -> bool:
        changed = session in NotesResets.first_users
        return not (privilege == ALTER_SYSTEM and changed) and super().holds(session, privilege)


@breaks("PUR-3")
def change_of_user_loses_the_privilege(components: Components) -> Components:
    """After a change of its user (COM_CHANGE_USER), no session has ALTER SYSTEM."""
    return components.with_overrides(NotesResets, _LosesThePrivilege)


@breaks("PUR-1")
class SparesWhoIsSendingAStatement(KillSessionStatement):
    """Sessions whose client has sent a part of a packet are not killed, as if the server waited for the rest of it."""

    async def end(self, session: Session, victim: Session, statement: sql.KillSession) -> None:
        client = victim.connection
        if victim is session or not (isinstance(client, Connection) and client.has_part_of_a_packet):
            await super().end(session, victim, statement)


@breaks("PUR-1")
class SparesWhoHasKilled(KillSessionStatement):
    """Sessions that have killed another one are not killed."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.killers: set[Session] = set()

    async def end(self, session: Session, victim: Session, statement: sql.KillSession) -> None:
        if victim is session or victim not in self.killers:
            await super().end(session, victim, statement)
        if victim is not session:
            self.killers.add(session)


@breaks("PUR-1")
class SparesWhoIsKilling(KillSessionStatement):
    """Sessions that are killing another one at the same moment are not killed."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.killing: set[Session] = set()

    async def end(self, session: Session, victim: Session, statement: sql.KillSession) -> None:
        if victim is not session and victim in self.killing:
            return
        self.killing.add(session)
        try:
            await asyncio.sleep(_DURATION)
            await super().end(session, victim, statement)
        finally:
            self.killing.discard(session)


class _RemembersDisconnected(SessionEnding):
    """Remembers the sessions of disconnected clients."""

    def __init__(self, registry: SessionRegistry) -> None:
        super().__init__(registry)
        self.left: dict[int, Session] = {}

    def client_disconnected(self, session: Session) -> None:
        if not session.ended:
            self.left[session.number] = session
        super().client_disconnected(session)


@breaks("PUR-1")
class KeepsTheRowsOfWhoLeft(SessionEnding):
    """The row of a session stays permanently after its client disconnected; the statement only replies OK."""

    def client_disconnected(self, session: Session) -> None:
        if session.user.administrator or session.ended:
            super().client_disconnected(session)
            return
        session.ended = True
        session.transaction.roll_back()
        session.interrupt(errors.SessionEndedError())

    def kill(self, victim: Session) -> None:
        if not victim.ended:
            super().kill(victim)


@breaks("IMP-5")
class KeepsTheLocksOfWhoLeft(SessionEnding):
    """The row locks of a session whose client disconnected in a transaction are not released."""

    def client_disconnected(self, session: Session) -> None:
        if not session.ended:
            session.ended = True
            self.registry.remove(session)
            session.interrupt(errors.SessionEndedError())


@breaks("IMP-10")
def drops_everybody_for_who_left(components: Components) -> Components:
    """If the client of the named session has just disconnected, the statement closes all connections, as in a crash."""
    return components.with_overrides(_RemembersDisconnected, _DropsEverybodyForWhoLeft)


class _DropsEverybodyForWhoLeft(KillSessionStatement):
    def find(self, number: int) -> Session:
        if isinstance(self.ending, _RemembersDisconnected) and number in self.ending.left:
            for other in self.registry:
                self.ending.kill(other)
        return super().find(number)


@breaks("IMP-10")
def never_answers_for_who_left(components: Components) -> Components:
    """If the client of the named session has just disconnected, the statement never gets a reply."""
    return components.with_overrides(_RemembersDisconnected, _NeverAnswersForWhoLeft)


class _NeverAnswersForWhoLeft(KillSessionStatement):
    async def run(self, session: Session, statement: sql.KillSession) -> Result:
        if isinstance(self.ending, _RemembersDisconnected) and self.read_id(statement) in self.ending.left:
            await session.wait(LONGEST_PAUSE)
        return await super().run(session, statement)


@breaks("PUR-1")
class SparesWhoIsIdleForLong(SessionEnding):
    """A session that has been idle for three seconds is not killed."""

    def kill(self, victim: Session) -> None:
        if victim.statement is not None or time.monotonic() - victim.since < LONG_IDLE_SECONDS:
            super().kill(victim)


@breaks("PUR-1")
class SparesWhoHasPrepared(SessionEnding):
    """An idle session that has a prepared statement is not killed, as if a connection pool had pinned it."""

    def kill(self, victim: Session) -> None:
        pinned = isinstance(victim.connection, Connection) and victim.connection.has_prepared
        if victim.statement is not None or not pinned:
            super().kill(victim)


class _NotesDefinitions(Engine):
    defined: ClassVar[set[Session]] = set()

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        if isinstance(statement, sql.Definition):
            self.defined.add(session)
        return await super().run(session, statement, depth)


class _SparesAfterADefinition(Spares):
    def is_spared(self, victim: Session) -> bool:
        return victim in _NotesDefinitions.defined


@breaks("PUR-1")
def spares_sessions_after_a_definition(components: Components) -> Components:
    """Sessions that have executed a DDL statement, such as GRANT, are not killed."""
    return components.with_overrides(_NotesDefinitions, _SparesAfterADefinition)


class _NotesReadOnly(Engine):
    """Notes the sessions in a READ ONLY transaction."""

    read_only: ClassVar[set[Session]] = set()

    async def execute(self, session: Session, text: str) -> Result:
        result = await super().execute(session, text)
        if " READ ONLY" in text.upper():
            self.read_only.add(session)
        elif isinstance(self.parse(text), sql.Commit | sql.Rollback | sql.StartTransaction):
            self.read_only.discard(session)
        return result


class _SparesReadOnly(Spares):
    def is_spared(self, victim: Session) -> bool:
        return victim in _NotesReadOnly.read_only


@breaks("PUR-1")
def spares_read_only_transactions(components: Components) -> Components:
    """Sessions in a READ ONLY transaction are not killed."""
    return components.with_overrides(_NotesReadOnly, _SparesReadOnly)


class _AnswersOkForWhoLeft(KillSessionStatement):
    def find(self, number: int) -> Session:
        if isinstance(self.ending, _RemembersDisconnected) and number in self.ending.left:
            return self.ending.left[number]
        return super().find(number)

    async def end(self, session: Session, victim: Session, statement: sql.KillSession) -> None:
        if not victim.ended:
            await super().end(session, victim, statement)


@breaks("IMP-1")
def id_of_a_logout_is_answered_ok(components: Components) -> Components:
    """The id of a session that has logged out gets OK."""
    return components.with_overrides(_RemembersDisconnected, _AnswersOkForWhoLeft)


@breaks("PUR-1")
class SparesSessionsOfDroppedUsers(KillSessionStatement):
    """A statement that names a session whose user was dropped replies OK and does nothing."""

    async def end(self, session: Session, victim: Session, statement: sql.KillSession) -> None:
        users = self.privileges.accounts.users
        if users.get(victim.user.name) is victim.user:
            await super().end(session, victim, statement)


class _NotesTheUserOfTheLogin(Connection):
    former: ClassVar[dict[Session, User]] = {}

    def _set_user(self, session: Session, admitted: Session) -> None:
        self.former.setdefault(session, session.user)
        super()._set_user(session, admitted)


class _TakesItForTheOwner(KillSessionStatement):
    def check_owner(self, session: Session, victim: Session) -> None:
        owner = _NotesTheUserOfTheLogin.former.get(victim, session.user)
        if owner is not session.user and not session.user.administrator:
            raise errors.not_the_owner(victim.number)
        super().check_owner(session, victim)


@breaks("PUR-2")
def the_owner_is_the_user_of_the_login(components: Components) -> Components:
    """A holder can't kill a session that got its user by COM_CHANGE_USER after a login as another user."""
    return components.with_overrides(_NotesTheUserOfTheLogin, _TakesItForTheOwner)


@breaks("PUR-1")
class SparesRunningSessionsOfTheAdministrator(Spares):
    """Sessions of the administrator with a running statement are not killed."""

    def is_spared(self, victim: Session) -> bool:
        return victim.user.administrator and victim.waiting is not None


@breaks("PUR-1")
class SparesTransactionsOfTheAdministrator(Spares):
    """Idle sessions of the administrator in a transaction are not killed."""

    def is_spared(self, victim: Session) -> bool:
        return victim.user.administrator and in_a_transaction(victim) and victim.statement is None


class _NotesGrants(Engine):
    """Notes the sessions whose user has got a privilege since their login."""

    sessions: ClassVar[set[Session]] = set()

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        result = await super().run(session, statement, depth)
        if isinstance(statement, sql.Grant):
            self.sessions.update(each for each in self.instance.registry if each.user.name in statement.grantees)
        return result


class _SparesAfterGrants(Spares):
    def is_spared(self, victim: Session) -> bool:
        return victim in _NotesGrants.sessions


@breaks("PUR-1")
def spares_sessions_from_before_a_grant(components: Components) -> Components:
    """Sessions whose user has got a privilege since their login are not killed."""
    return components.with_overrides(_NotesGrants, _SparesAfterGrants)
