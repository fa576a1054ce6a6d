"""Defects that depend on what the sending session has done before, and on what the server knew then."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

import time
from collections import Counter
from typing import ClassVar

from runner.simulator import errors
from runner.simulator.catalogue import breaks
from runner.simulator.components import Components
from runner.simulator.connection import Connection
from runner.simulator.defects.state_of_the_sender import in_a_transaction
from runner.simulator.execute.kill import KillSessionStatement
from runner.simulator.execute.process_list import ProcessList
from runner.simulator.execute.results import Result
from runner.simulator.sessions import Session, SessionRegistry
from runner.simulator.sql.statements import KillSession
from runner.simulator.users_and_roles import Accounts, User
from runner.simulator.values import Value

LONG_IDLE = 3.0  # seconds


_MANY = 30  # statements


class _Refuses(KillSessionStatement):
    """Refuses the statement to sessions with some history."""

    def refuses(self, session: Session) -> bool:
        raise NotImplementedError

    async def run(self, session: Session, statement: KillSession) -> Result:
        if self.refuses(session):
            raise errors.not_supported("KILL SESSION in this session")
        return await super().run(session, statement)


class _NotesReadOnlyTransactions(Connection):
    read_only: ClassVar[set[Session]] = set()

    async def _run(self, session: Session, text: str, *, binary: bool) -> None:
        words = text.upper()
        if words.startswith(("START", "COMMIT", "ROLLBACK")):
            self.read_only.discard(session)
        if words.startswith("START TRANSACTION READ ONLY"):
            self.read_only.add(session)
        await super()._run(session, text, binary=binary)


class _RefusesInThem(_Refuses):
    def refuses(self, session: Session) -> bool:
        return session in _NotesReadOnlyTransactions.read_only


@breaks("PUR-1")
def refuses_in_read_only_transactions(components: Components) -> Components:
    """The statement is refused in a READ ONLY transaction, as a change would be."""
    return components.with_overrides(_NotesReadOnlyTransactions, _RefusesInThem)


@breaks("PUR-1")
class RefusesAfterSavepoints(_Refuses):
    """The statement is refused in a transaction with a savepoint."""

    def refuses(self, session: Session) -> bool:
        return bool(session.savepoints)


@breaks("PUR-1")
class RefusesWhoHasPrepared(_Refuses):
    """The statement is refused to a session that has a prepared statement, unless it is one itself."""

    def refuses(self, session: Session) -> bool:
        client = session.connection
        return isinstance(client, Connection) and client.has_prepared and not session.prepared


class _CountsStatements(Connection):
    counts: ClassVar[Counter[Session]] = Counter()

    async def _run(self, session: Session, text: str, *, binary: bool) -> None:
        self.counts[session] += 1
        await super()._run(session, text, binary=binary)


class _DoesNothingAfterMany(KillSessionStatement):
    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if _CountsStatements.counts[session] <= _MANY:
            await super().end(session, victim, statement)


@breaks("PUR-1")
def does_nothing_after_many_statements(components: Components) -> Components:
    """If its session has sent more than 30 statements, the statement replies OK and does nothing."""
    return components.with_overrides(_CountsStatements, _DoesNothingAfterMany)


class _NotesSessionsAtTheStart(Connection):
    known: ClassVar[dict[Session, set[Session]]] = {}

    async def _run(self, session: Session, text: str, *, binary: bool) -> None:
        await super()._run(session, text, binary=binary)
        if in_a_transaction(session):
            self.known.setdefault(session, set(self._instance.registry))
        else:
            self.known.pop(session, None)


class _KnowsThemOnly(KillSessionStatement):
    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if victim not in _NotesSessionsAtTheStart.known.get(session, {victim}):
            raise errors.unknown_session(victim.number)
        await super().end(session, victim, statement)


@breaks("PUR-1")
def transactions_know_the_sessions_of_their_start(components: Components) -> Components:
    """In a transaction, the ids of sessions that have logged in since it began are unknown, as in a snapshot."""
    return components.with_overrides(_NotesSessionsAtTheStart, _KnowsThemOnly)


@breaks("PUR-1")
class TransactionsSeeTheListOfTheirStart(ProcessList):
    """In a transaction, the process list stays as it was when it was first read, as PostgreSQL's statistics do."""

    kept: ClassVar[dict[Session, list[tuple[Value, ...]]]] = {}

    def rows(self, viewer: Session, *, full: bool) -> list[tuple[Value, ...]]:
        present = super().rows(viewer, full=full)
        if in_a_transaction(viewer):
            return self.kept.setdefault(viewer, present)
        self.kept.pop(viewer, None)
        return present


class _NotesNewestUser(Accounts):
    newest: ClassVar[int] = 0

    def create_user(self, name: str, password: str) -> User:
        user = super().create_user(name, password)
        _NotesNewestUser.newest = user.number
        return user


class _NotesItAtLogin(SessionRegistry):
    newest: ClassVar[dict[Session, int]] = {}

    def add(self, session: Session) -> None:
        super().add(session)
        self.newest[session] = _NotesNewestUser.newest


class _KnowsUsersOfTheLogin(KillSessionStatement):
    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if victim.user.number > _NotesItAtLogin.newest[session]:
            raise errors.unknown_session(victim.number)
        await super().end(session, victim, statement)


@breaks("PUR-2")
def sessions_of_later_users_are_unknown(components: Components) -> Components:
    """Sessions of users that were created after the login of the sending session are unknown to it."""
    return components.with_overrides(_NotesNewestUser, _NotesItAtLogin, _KnowsUsersOfTheLogin)


class _NotesIdleTime(Connection):
    idle: ClassVar[dict[int, float]] = {}

    async def _run(self, session: Session, text: str, *, binary: bool) -> None:
        self.idle[session.number] = time.monotonic() - session.since
        await super()._run(session, text, binary=binary)


class _DoesNothing(KillSessionStatement):
    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if _NotesIdleTime.idle.get(session.number, 0) < LONG_IDLE:
            await super().end(session, victim, statement)


@breaks("PUR-1")
def long_idle_senders_do_nothing(components: Components) -> Components:
    """A statement whose session was idle for three seconds replies OK and does nothing."""
    return components.with_overrides(_NotesIdleTime, _DoesNothing)
