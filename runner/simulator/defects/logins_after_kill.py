"""Defects of the user of a killed session: its next login, or its privileges there."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

from collections import Counter
from typing import ClassVar

from runner.simulator import errors
from runner.simulator.catalogue import breaks
from runner.simulator.components import Components
from runner.simulator.connection import Connection
from runner.simulator.defects.transactions import is_running
from runner.simulator.session_ending import SessionEnding
from runner.simulator.sessions import Session, SessionRegistry
from runner.simulator.users_and_roles import User

_ROOM = 8  # sessions of a user


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
