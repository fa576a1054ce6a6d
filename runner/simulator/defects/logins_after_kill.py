"""Defects of the user of a killed session: its next login, or its privileges there."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

from runner.simulator import errors
from runner.simulator.catalogue import breaks
from runner.simulator.components import Components
from runner.simulator.connection import Connection
from runner.simulator.session_ending import SessionEnding
from runner.simulator.sessions import Session, SessionRegistry


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
