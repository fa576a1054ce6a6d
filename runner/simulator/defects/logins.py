"""Defects of logins: of the user of a killed session, or with the name in small letters."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

from collections import Counter
from typing import ClassVar

from runner.simulator import errors
from runner.simulator.catalogue import breaks
from runner.simulator.components import Components
from runner.simulator.connection import Connection
from runner.simulator.defects.forms_in_context import is_in_a_block
from runner.simulator.defects.histories_of_sessions import NotesResets
from runner.simulator.defects.state_of_the_named_session import Spares
from runner.simulator.defects.transactions import is_running
from runner.simulator.execute.kill import KillSessionStatement
from runner.simulator.handshake import Login
from runner.simulator.session_privileges import Privileges
from runner.simulator.sessions import Session, SessionEnding, SessionRegistry
from runner.simulator.sql.statements import KillSession
from runner.simulator.timers import call_later
from runner.simulator.users_and_roles import ALTER_SYSTEM, User

_ROOM = 8  # sessions of a user
_LATER_SECONDS = 1.5


@breaks("IMP-7")
def interrupts_the_next_login(components: Components) -> Components:
    """The first statement of the next session that logs in after a KILL is interrupted, whatever its user."""
    return components.with_overrides(_HitsTheNextLogin, _InterruptsTheFirstStatement)


@breaks("IMP-7")
def drops_the_next_login(components: Components) -> Components:
    """The next session that logs in after a KILL loses its connection at its first statement, whatever its user."""
    return components.with_overrides(_HitsTheNextLogin, _ClosesAtTheFirstStatement)


class _HitsTheNextLogin(SessionEnding):
    """Each KILL arms the defect for the next login."""

    def __init__(self, registry: SessionRegistry) -> None:
        super().__init__(registry)
        self.armed = False

    def kill(self, victim: Session) -> None:
        super().kill(victim)
        self.armed = True


class _FirstStatement(Connection):
    """Fails the first statement of a session that logs in while the defect is armed."""

    _hit = False

    async def _log_in(self) -> Session:
        session = await super()._log_in()
        ending = self._instance.ending
        if isinstance(ending, _HitsTheNextLogin) and ending.armed:
            self._hit, ending.armed = True, False
        return session

    async def _run(self, session: Session, text: str, *, binary: bool) -> None:
        if self._hit:
            self._hit = False
            self.effect()
        else:
            await super()._run(session, text, binary=binary)

    def effect(self) -> None:
        raise NotImplementedError


class _InterruptsTheFirstStatement(_FirstStatement):
    """The statement gets an error, and the session stays usable."""

    def effect(self) -> None:
        self._send_error(errors.query_killed())


class _ClosesAtTheFirstStatement(_FirstStatement):
    """The connection is closed without a reply."""

    def effect(self) -> None:
        raise errors.SessionEndedError


@breaks("IMP-7")
class TakesTheUsersTablePrivileges(SessionEnding):
    """The user of a killed session loses its privileges for tables."""

    def kill(self, victim: Session) -> None:
        super().kill(victim)
        if not victim.user.administrator:
            victim.user.objects.clear()


@breaks("IMP-7")
class TransactionLocksTheUserOut(SessionEnding):
    """A user of whom a session with an open transaction was killed can't log in again."""

    def kill(self, victim: Session) -> None:
        if victim.transaction.open and not victim.user.administrator:
            victim.user.lock()
        super().kill(victim)


@breaks("IMP-7")
class KillsOfRunningSessionsUseUpConnections(SessionEnding):
    """After eight kills of running sessions of a user, it can't log in: their threads still count."""

    counts: ClassVar[Counter[User]] = Counter()

    def kill(self, victim: Session) -> None:
        self.counts[victim.user] += is_running(victim)
        if self.counts[victim.user] >= _ROOM and not victim.user.administrator:
            victim.user.lock()
        super().kill(victim)


@breaks("IMP-7")
class WaiterLocksTheUserOut(SessionEnding):
    """The user of a session that was killed while it waited for a row lock can't log in again."""

    def kill(self, victim: Session) -> None:
        if victim.waits_for_lock and not victim.user.administrator:
            victim.user.lock()
        super().kill(victim)


@breaks("IMP-7")
class LocksTheUserOutLater(SessionEnding):
    """The user of a killed session can't log in from one and a half seconds after the kill on."""

    def kill(self, victim: Session) -> None:
        super().kill(victim)
        if not victim.user.administrator:
            call_later(_LATER_SECONDS, victim.user.lock)


@breaks("IMP-7")
class TakesTheUsersPrivilegeLater(SessionEnding):
    """The user of a killed session loses ALTER SYSTEM one and a half seconds after the kill."""

    def kill(self, victim: Session) -> None:
        super().kill(victim)
        call_later(_LATER_SECONDS, victim.user.system.pop, ALTER_SYSTEM, None)


class _UsesUpConnectionsOfAPool(SessionEnding):
    counts: ClassVar[Counter[User]] = Counter()

    def kill(self, victim: Session) -> None:
        self.counts[victim.user] += victim in NotesResets.first_users
        if self.counts[victim.user] >= _ROOM and not victim.user.administrator:
            victim.user.lock()
        super().kill(victim)


@breaks("IMP-7")
def kills_after_a_change_of_user_use_up_connections(components: Components) -> Components:
    """After eight kills of a user's sessions that had changed their user (COM_CHANGE_USER), it can't log in."""
    return components.with_overrides(NotesResets, _UsesUpConnectionsOfAPool)


@breaks("IMP-7")
class KillsWithImmediateUseUpConnections(KillSessionStatement):
    """After eight kills of a user's sessions with IMMEDIATE, it can't log in: they still count."""

    counts: ClassVar[Counter[User]] = Counter()

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        self.counts[victim.user] += statement.immediate
        if self.counts[victim.user] >= _ROOM and not victim.user.administrator:
            victim.user.lock()


class _LeavesSettings(SessionEnding):
    """Keeps the settings of each user's last killed session."""

    left: ClassVar[dict[User, Session]] = {}

    def kill(self, victim: Session) -> None:
        super().kill(victim)
        self.left[victim.user] = victim


class _TakesUpAutocommit(Connection):
    async def _log_in(self) -> Session:
        session = await super()._log_in()
        left = _LeavesSettings.left.pop(session.user, session)
        session.autocommit = left.autocommit
        return session


class _TakesUpTheSchema(Connection):
    async def _log_in(self) -> Session:
        session = await super()._log_in()
        left = _LeavesSettings.left.pop(session.user, session)
        session.schema = left.schema
        return session


@breaks("IMP-10")
def next_session_has_the_autocommit_of_the_killed(components: Components) -> Components:
    """The next session of the user has the autocommit setting of the killed one, as if a pool had kept it."""
    return components.with_overrides(_LeavesSettings, _TakesUpAutocommit)


@breaks("IMP-10")
def next_session_has_the_schema_of_the_killed(components: Components) -> Components:
    """The next session of the user has the current schema of the killed one, as if a pool had kept it."""
    return components.with_overrides(_LeavesSettings, _TakesUpTheSchema)


class _NotesPrivileges(Connection):
    """Notes the privileges that the user of each session had at the login."""

    at_login: ClassVar[dict[Session, dict[str, bool]]] = {}

    async def _log_in(self) -> Session:
        session = await super()._log_in()
        self.at_login[session] = dict(session.user.system)
        return session


class _RestoresPrivileges(SessionEnding):
    def kill(self, victim: Session) -> None:
        super().kill(victim)
        self.restore(victim.user.system, _NotesPrivileges.at_login.get(victim, victim.user.system))

    def restore(self, present: dict[str, bool], at_login: dict[str, bool]) -> None:
        raise NotImplementedError


class _UndoesRevokes(_RestoresPrivileges):
    def restore(self, present: dict[str, bool], at_login: dict[str, bool]) -> None:
        present.update(at_login)


class _UndoesGrants(_RestoresPrivileges):
    def restore(self, present: dict[str, bool], at_login: dict[str, bool]) -> None:
        for privilege in set(present) - set(at_login):
            del present[privilege]


@breaks("IMP-9")
def kill_undoes_revoke(components: Components) -> Components:
    """The user of a killed session has all privileges again that it had when the session logged in."""
    return components.with_overrides(_NotesPrivileges, _UndoesRevokes)


@breaks("IMP-7")
def kill_undoes_grant(components: Components) -> Components:
    """The user of a killed session has only the privileges that it had when the session logged in."""
    return components.with_overrides(_NotesPrivileges, _UndoesGrants)


class _LocksOut(KillSessionStatement):
    """Locks the user of a killed session out, if it was killed in a certain way."""

    def applies(self, session: Session, victim: Session) -> bool:
        raise NotImplementedError

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        if self.applies(session, victim) and not victim.user.administrator:
            victim.user.lock()


@breaks("IMP-7")
class PreparedKillLocksTheUserOut(_LocksOut):
    """The user of a session that was killed by a prepared statement can't log in again."""

    def applies(self, session: Session, victim: Session) -> bool:  # noqa: ARG002 - any session
        return session.prepared


@breaks("IMP-7")
class KillInABlockLocksTheUserOut(_LocksOut):
    """The user of a session that was killed in a PL/SQL block can't log in again."""

    def applies(self, session: Session, victim: Session) -> bool:  # noqa: ARG002 - any session
        return is_in_a_block(session)


@breaks("IMP-7")
class AnotherUsersKillLocksTheUserOut(_LocksOut):
    """The user of a session that was killed by a holder of another user can't log in again."""

    def applies(self, session: Session, victim: Session) -> bool:
        return victim.user is not session.user and not session.user.administrator


class _NotesSmallLetters(Connection):
    found: ClassVar[set[Session]] = set()

    def _new_session(self, number: int, login: Login, token: bytes, scramble: bytes) -> Session:
        session = super()._new_session(number, login, token, scramble)
        if session.user.name not in login.user:
            self.found.add(session)
        return session


class _SparesThem(Spares):
    def is_spared(self, victim: Session) -> bool:
        return victim in _NotesSmallLetters.found


@breaks("PUR-1")
def spares_who_logged_in_with_small_letters(components: Components) -> Components:
    """Sessions that logged in with the name in small letters are not killed, as if sessions were kept by that name."""
    return components.with_overrides(_NotesSmallLetters, _SparesThem)


class _HaveThePrivilege(Privileges):
    def holds(self, session: Session, privilege: str) -> bool:
        exempt = privilege == ALTER_SYSTEM and session in _NotesSmallLetters.found
        return exempt or super().holds(session, privilege)


@breaks("PUR-2")
def small_letters_at_login_need_no_privilege(components: Components) -> Components:
    """The privilege is not checked in sessions that logged in with the name in small letters."""
    return components.with_overrides(_NotesSmallLetters, _HaveThePrivilege)


class _LackThePrivilege(Privileges):
    def holds(self, session: Session, privilege: str) -> bool:
        refused = privilege == ALTER_SYSTEM and session in _NotesSmallLetters.found
        return not refused and super().holds(session, privilege)


@breaks("PUR-2")
def small_letters_at_login_lose_the_privilege(components: Components) -> Components:
    """Sessions that logged in with the name in small letters don't have ALTER SYSTEM."""
    return components.with_overrides(_NotesSmallLetters, _LackThePrivilege)
