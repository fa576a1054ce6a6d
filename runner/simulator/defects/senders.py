"""Defects of the session that sends the statement: effects on it, and effects of its state or history."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

import time
from collections import Counter
from typing import ClassVar

from runner.simulator import errors
from runner.simulator.catalogue import breaks
from runner.simulator.components import Components
from runner.simulator.connection import Connection
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.kill import KillSessionStatement
from runner.simulator.execute.process_list import ProcessList
from runner.simulator.execute.results import Result
from runner.simulator.execute.server_instance import Instance
from runner.simulator.sessions import LONGEST_PAUSE, Session, SessionRegistry
from runner.simulator.sql import statements as sql
from runner.simulator.sql.statements import KillSession
from runner.simulator.tables import Row, Transaction, Values
from runner.simulator.timers import call_later
from runner.simulator.users_and_roles import Accounts, User
from runner.simulator.values import Value

_BROKEN = "BROKEN"
_LATER_SECONDS = 1.0


class AfterKill(KillSessionStatement):
    """Punishes the session that has killed another one."""

    def effect(self, session: Session) -> None:
        raise NotImplementedError

    async def end(self, session: Session, victim: Session, statement: sql.KillSession) -> None:
        await super().end(session, victim, statement)
        if victim is not session:
            self.effect(session)


@breaks("IMP-11")
class RollsTheKillerBack(AfterKill):
    """The statement rolls back the open transaction of its own session."""

    def effect(self, session: Session) -> None:
        session.transaction.roll_back()
        session.explicit_transaction = False


@breaks("IMP-11")
class FreesTheKillersRows(AfterKill):
    """The statement releases the row locks of its own session; its changes are still committed later."""

    def effect(self, session: Session) -> None:
        free_the_rows_of(session)


def free_the_rows_of(session: Session) -> None:
    """Releases the row locks of a session; its changes are still committed later."""
    kept = session.transaction.locked_rows()
    session.transaction.roll_back()
    session.transaction = WithoutLocks(kept)


class WithoutLocks(Transaction):
    """Writes its rows at the commit, even if others have changed them meanwhile."""

    def __init__(self, kept: list[tuple[Row, Values | None]]) -> None:
        super().__init__()
        self.kept = kept

    def commit(self) -> None:
        for row, values in self.kept:
            row.table.rows[row] = None
            row.committed = values
            row.release()
        self.kept = []
        super().commit()


@breaks("IMP-11")
class SwitchesAutocommitOn(AfterKill):
    """The statement switches autocommit on for its own session."""

    def effect(self, session: Session) -> None:
        session.autocommit = True


@breaks("IMP-11")
class SwitchesAutocommitOff(AfterKill):
    """The statement switches autocommit off for its own session."""

    def effect(self, session: Session) -> None:
        session.autocommit = False


@breaks("IMP-11")
def breaks_the_killers_transaction(components: Components) -> Components:
    """After the statement, the sending session's open transaction can only be rolled back."""
    return components.with_overrides(_MarksTheKiller, _ServesTheUnmarked)


class _MarksTheKiller(AfterKill):
    def effect(self, session: Session) -> None:
        if in_a_transaction(session):
            session.state = _BROKEN


class _ServesTheUnmarked(Engine):
    def __init__(self, instance: Instance) -> None:
        super().__init__(instance)
        self.broken: set[Session] = set()

    async def execute(self, session: Session, text: str) -> Result:
        if session in self.broken and text.upper() != "ROLLBACK":
            raise errors.unexpected()
        self.broken.discard(session)
        try:
            return await super().execute(session, text)
        finally:
            if session.state == _BROKEN:
                self.broken.add(session)


@breaks("IMP-11")
class KillInABlockRollsTheKillerBack(AfterKill):
    """A statement in a PL/SQL block rolls back the open transaction of its own session."""

    def effect(self, session: Session) -> None:
        if (session.statement or "").upper().startswith("BEGIN"):
            session.transaction.roll_back()


@breaks("IMP-11")
class RollsTheKillerBackLater(AfterKill):
    """A second after the statement, the transaction that its own session had open is rolled back."""

    def effect(self, session: Session) -> None:
        if session.transaction.open:
            call_later(_LATER_SECONDS, session.transaction.roll_back)


@breaks("IMP-11")
class AnotherUsersSessionRollsTheKillerBack(AfterKill):
    """The kill of another user's session by a holder rolls back the open transaction of the holder's session."""

    async def end(self, session: Session, victim: Session, statement: sql.KillSession) -> None:
        self.applies = victim.user is not session.user and not session.user.administrator
        await super().end(session, victim, statement)

    def effect(self, session: Session) -> None:
        if self.applies:
            session.transaction.roll_back()


def in_a_transaction(session: Session) -> bool:
    """Whether a session is in a transaction, with or without changes."""
    return session.transaction.open or session.explicit_transaction or not session.autocommit


class _Refuses(KillSessionStatement):
    """Refuses the statement in some state of the sending session."""

    def refuses(self, session: Session, statement: sql.KillSession) -> bool:
        raise NotImplementedError

    async def run(self, session: Session, statement: sql.KillSession) -> Result:
        if self.refuses(session, statement):
            raise errors.not_supported("KILL SESSION in this state")
        return await super().run(session, statement)


@breaks("PUR-1")
class RefusesInTransactions(_Refuses):
    """The statement is refused in a transaction."""

    def refuses(self, session: Session, statement: sql.KillSession) -> bool:  # noqa: ARG002 - for the overrides below
        return in_a_transaction(session)


@breaks("PUR-1")
class RefusesInAnotherSchema(_Refuses):
    """The statement is refused to a session whose current schema is that of another user."""

    def refuses(self, session: Session, statement: sql.KillSession) -> bool:  # noqa: ARG002 - in any form
        return session.schema != session.user.name


@breaks("PUR-1")
class RefusesWhileRowsAreLocked(_Refuses):
    """The statement is refused to a session that holds row locks."""

    def refuses(self, session: Session, statement: sql.KillSession) -> bool:  # noqa: ARG002 - for the overrides below
        return session.transaction.open


@breaks("PUR-1")
class RefusesAfterErrors(_Refuses):
    """The statement is refused right after an error."""

    def refuses(self, session: Session, statement: sql.KillSession) -> bool:  # noqa: ARG002 - for the overrides below
        return session.last_error is not None


@breaks("PUR-1")
class RefusesAfterCommits(Engine):
    """The statement is refused right after a COMMIT."""

    def __init__(self, instance: Instance) -> None:
        super().__init__(instance)
        self.committed: set[Session] = set()

    async def execute(self, session: Session, text: str) -> Result:
        if session in self.committed and "KILL" in text.upper():
            raise errors.not_supported("KILL SESSION right after a commit")
        self.committed.discard(session)
        if text.upper() == "COMMIT":
            self.committed.add(session)
        return await super().execute(session, text)


@breaks("PAR-3")
class RefusesSerialInTransactions(_Refuses):
    """The statement with a serial# is refused in a transaction."""

    def refuses(self, session: Session, statement: sql.KillSession) -> bool:
        return "," in statement.text and in_a_transaction(session)


@breaks("PAR-4")
class RefusesImmediateInTransactions(_Refuses):
    """The statement with IMMEDIATE is refused in a transaction."""

    def refuses(self, session: Session, statement: sql.KillSession) -> bool:
        return statement.immediate and in_a_transaction(session)


@breaks("IMP-10")
class NeverAnswersInTransactions(KillSessionStatement):
    """A statement sent in a transaction kills the session, and never gets a reply."""

    async def end(self, session: Session, victim: Session, statement: sql.KillSession) -> None:
        await super().end(session, victim, statement)
        if victim is not session and in_a_transaction(session):
            await session.wait(LONGEST_PAUSE)


LONG_IDLE = 3.0  # seconds


_MANY = 30  # statements


class _RefusesByHistory(KillSessionStatement):
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


class _RefusesInThem(_RefusesByHistory):
    def refuses(self, session: Session) -> bool:
        return session in _NotesReadOnlyTransactions.read_only


@breaks("PUR-1")
def refuses_in_read_only_transactions(components: Components) -> Components:
    """The statement is refused in a READ ONLY transaction, as a change would be."""
    return components.with_overrides(_NotesReadOnlyTransactions, _RefusesInThem)


@breaks("PUR-1")
class RefusesAfterSavepoints(_RefusesByHistory):
    """The statement is refused in a transaction with a savepoint."""

    def refuses(self, session: Session) -> bool:
        return bool(session.savepoints)


@breaks("PUR-1")
class RefusesWhoHasPrepared(_RefusesByHistory):
    """The statement is refused to a session that has a prepared statement, unless it is prepared, too."""

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
