"""Defects that hit the first login after a KILL: its session was never named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.simulator import errors
from runner.simulator.catalogue import breaks
from runner.simulator.connection import Connection
from runner.simulator.ending import SessionEnding
from runner.simulator.parts import Parts, altered

if TYPE_CHECKING:
    from runner.simulator.sessions import Registry, Session


@breaks("IMP-7")
def interrupts_the_next_login(parts: Parts) -> Parts:
    """The first statement of the next session that logs in after a KILL is interrupted, whatever its user."""
    return altered(parts, _HitsTheNextLogin, _InterruptsTheFirstStatement)


@breaks("IMP-7")
def drops_the_next_login(parts: Parts) -> Parts:
    """The next session that logs in after a KILL loses its connection at its first statement, whatever its user."""
    return altered(parts, _HitsTheNextLogin, _ClosesAtTheFirstStatement)


class _HitsTheNextLogin(SessionEnding):
    """Each KILL leaves a blow behind, for the next login to take."""

    def __init__(self, registry: Registry) -> None:
        super().__init__(registry)
        self.armed = False

    def kill(self, victim: Session) -> None:
        super().kill(victim)
        self.armed = True


class _FirstStatement(Connection):
    """Takes the blow with its first statement, if it logs in while there is one."""

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
            self.blow()
        else:
            await super()._run(session, text, binary=binary)

    def blow(self) -> None:
        raise NotImplementedError


class _InterruptsTheFirstStatement(_FirstStatement):
    """The statement is answered with an error, and the session goes on."""

    def blow(self) -> None:
        self._refuse(errors.query_killed())


class _ClosesAtTheFirstStatement(_FirstStatement):
    """The connection closes without an answer."""

    def blow(self) -> None:
        raise errors.SessionEndedError
