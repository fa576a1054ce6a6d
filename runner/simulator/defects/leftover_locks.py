"""Defects: row locks of a killed session stay, or changes are committed, only in a certain state of the session."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ClassVar

from runner.simulator import errors
from runner.simulator.catalogue import breaks
from runner.simulator.components import Components
from runner.simulator.connection import Connection
from runner.simulator.defects.histories_of_sessions import NotesResets
from runner.simulator.defects.waits_for_row_locks import lock_permanently, rows_locked_by
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.kill import KillSessionStatement
from runner.simulator.execute.results import Result
from runner.simulator.sessions import Session, SessionEnding
from runner.simulator.sql import statements as sql
from runner.simulator.sql.statements import KillSession
from runner.simulator.tables import Transaction
from runner.simulator.timers import call_later, call_when
from runner.simulator.users_and_roles import Accounts, User

_DURATION = 0.05  # seconds
_ROLLBACK_SECONDS = 0.3


class _LeavesLocks(SessionEnding):
    """Does not release the row locks of killed sessions in some state."""

    def keeps_locks(self, victim: Session) -> bool:
        raise NotImplementedError

    def kill(self, victim: Session) -> None:
        rows = rows_locked_by(victim) if self.keeps_locks(victim) else []
        super().kill(victim)
        lock_permanently(rows)


@breaks("IMP-5")
class LeavesTheLocksOfWhoIsSending(_LeavesLocks):
    """The row locks of a killed session are not released if its client does not read its result."""

    def keeps_locks(self, victim: Session) -> bool:
        return victim.sending


@breaks("IMP-5")
class LeavesTheLocksOfHalfAPacket(_LeavesLocks):
    """The row locks of a killed session are not released if its client has sent a part of a packet."""

    def keeps_locks(self, victim: Session) -> bool:
        return isinstance(victim.connection, Connection) and victim.connection.has_part_of_a_packet


class _LeavesLocksAfterAChangeOfUser(_LeavesLocks):
    def keeps_locks(self, victim: Session) -> bool:
        return victim in NotesResets.first_users


@breaks("IMP-5")
def leaves_the_locks_after_a_change_of_user(components: Components) -> Components:
    """The row locks of a killed session whose user was changed (COM_CHANGE_USER) are not released."""
    return components.with_overrides(NotesResets, _LeavesLocksAfterAChangeOfUser)


@breaks("IMP-5")
class LeavesTheLocksOfPreparedWaiters(_LeavesLocks):
    """The row locks of a session that is killed while its prepared statement waits for another are not released."""

    def keeps_locks(self, victim: Session) -> bool:
        return victim.prepared and victim.waits_for_lock


@breaks("IMP-5")
class CommitsTheBlockThatWaits(SessionEnding):
    """The changes of a PL/SQL block that is killed while it waits for a row lock are committed."""

    def roll_back(self, victim: Session) -> None:
        if victim.waits_for_lock and (victim.statement or "").upper().startswith("BEGIN"):
            victim.transaction.commit()
        else:
            super().roll_back(victim)


class _LeavesTheLocksOfTheDropped(SessionEnding):
    """Does not release the row locks of sessions whose clients leave during a statement of some kind."""

    def keeps_locks(self, session: Session) -> bool:
        raise NotImplementedError

    def client_disconnected(self, session: Session) -> None:
        rows = rows_locked_by(session) if not session.ended and self.keeps_locks(session) else []
        super().client_disconnected(session)
        lock_permanently(rows)


@breaks("IMP-5")
class LeavesTheLocksOfTheDroppedWhileRunning(_LeavesTheLocksOfTheDropped):
    """The row locks of a session whose client left during a running statement are not released, not even by a kill."""

    def keeps_locks(self, session: Session) -> bool:
        return session.waiting is not None and not session.waits_for_lock


@breaks("IMP-5")
class LeavesTheLocksOfTheDroppedWhileWaiting(_LeavesTheLocksOfTheDropped):
    """The row locks of a session whose client left while it waited for another are not released, not even by a kill."""

    def keeps_locks(self, session: Session) -> bool:
        return session.waits_for_lock


@breaks("IMP-5")
class LeavesTheLocksOfASecondVictim(KillSessionStatement):
    """While a session is being killed, the row locks of another one that is killed are not released."""

    busy = False

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if self.busy:
            rows = rows_locked_by(victim)
            await super().end(session, victim, statement)
            lock_permanently(rows)
            return
        self.busy = True
        try:
            await asyncio.sleep(_DURATION)
            await super().end(session, victim, statement)
        finally:
            self.busy = False


@breaks("IMP-5")
class LeavesTheLocksOfAnInterruptedRollback(Engine):
    """A ROLLBACK takes a moment; the row locks of a session that is killed meanwhile are not released."""

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        if isinstance(statement, sql.Rollback) and session.transaction.open:
            rows = rows_locked_by(session)
            try:
                await session.wait(_DURATION)
            except errors.SessionEndedError:
                lock_permanently(rows)
                raise
        return await super().run(session, statement, depth)


@breaks("IMP-5")
class LeavesLocksThatCameFromAKilledSession(SessionEnding):
    """The row locks of a session that got one of them from a killed session are not released by its own kill."""

    heirs: ClassVar[set[Session]] = set()

    def kill(self, victim: Session) -> None:
        rows = rows_locked_by(victim) if victim in self.heirs else []
        self.heirs.update(other for other in self.registry if victim.transaction.blocks(other.waiting))
        super().kill(victim)
        lock_permanently(rows)


class _RollsBackLater(KillSessionStatement):
    """Releases the row locks of a killed session only after some event in the sending session."""

    def schedule(self, session: Session, release: Callable[[], None]) -> None:
        raise NotImplementedError

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        rows = rows_locked_by(victim)
        await super().end(session, victim, statement)
        if rows and victim is not session:
            held = Transaction()
            for row in rows:
                if row.committed is not None:
                    held.lock(row)
            self.schedule(session, held.roll_back)


@breaks("IMP-5")
class RollsBackAtTheSendersCommit(_RollsBackLater):
    """The killed session's transaction is rolled back only when the sender's ends, if that one has changes."""

    def schedule(self, session: Session, release: Callable[[], None]) -> None:
        call_when(lambda: session.ended or not session.transaction.open, release)


@breaks("IMP-5")
class RollbackIsLostIfTheSenderDisconnects(_RollsBackLater):
    """The killed session is rolled back after 0.3 s, and not at all if the sender has disconnected by then."""

    def schedule(self, session: Session, release: Callable[[], None]) -> None:
        def release_if_connected() -> None:
            if not session.ended:
                release()

        call_later(_ROLLBACK_SECONDS, release_if_connected)


class _NotesDroppedUsers(Accounts):
    dropped: ClassVar[set[User]] = set()

    def drop_user(self, name: str) -> None:
        self.dropped.add(self.users[name])
        super().drop_user(name)


class _LeavesLocksOfDroppedUsers(_LeavesLocks):
    def keeps_locks(self, victim: Session) -> bool:
        return victim.user in _NotesDroppedUsers.dropped


@breaks("IMP-5")
def leaves_the_locks_of_dropped_users(components: Components) -> Components:
    """The row locks of a killed session whose user was dropped are not released."""
    return components.with_overrides(_NotesDroppedUsers, _LeavesLocksOfDroppedUsers)


class _NotesNowait(Engine):
    sessions: ClassVar[set[Session]] = set()

    async def execute(self, session: Session, text: str) -> Result:
        if text.upper().endswith("NOWAIT"):
            self.sessions.add(session)
        return await super().execute(session, text)


class _LeavesLocksTakenWithNowait(_LeavesLocks):
    def keeps_locks(self, victim: Session) -> bool:
        return victim in _NotesNowait.sessions


@breaks("IMP-5")
def leaves_locks_that_were_taken_with_nowait(components: Components) -> Components:
    """The row locks of a killed session are not released if it took one of them FOR UPDATE NOWAIT."""
    return components.with_overrides(_NotesNowait, _LeavesLocksTakenWithNowait)


@breaks("IMP-5")
class KillInABlockLeavesTheLocks(KillSessionStatement):
    """The row locks of a session that a statement in a PL/SQL block has killed are not released."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        rows = rows_locked_by(victim) if (session.statement or "").upper().startswith("BEGIN") else []
        await super().end(session, victim, statement)
        lock_permanently(rows)


@breaks("IMP-5")
class LeavesTheLocksOfOtherUsersRunning(KillSessionStatement):
    """The row locks of a session with a running statement stay if a session of another user has killed it."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        stay = victim.user is not session.user and victim.waiting is not None and not session.user.administrator
        rows = rows_locked_by(victim) if stay else []
        await super().end(session, victim, statement)
        lock_permanently(rows)
