"""Defects after a refused statement, in the session that sent it."""

# ruff: noqa: ARG002, D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

from runner.simulator import errors
from runner.simulator.catalogue import breaks
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.instance import Instance
from runner.simulator.execute.results import Result
from runner.simulator.sessions import Session
from runner.simulator.timers import call_later


class _AfterRefusals(Engine):
    """Punishes a session whose statement was refused."""

    def applies(self, error: errors.SqlError) -> bool:
        return True

    def effect(self, session: Session) -> None:
        raise NotImplementedError

    async def execute(self, session: Session, text: str) -> Result:
        try:
            return await super().execute(session, text)
        except errors.SqlError as error:
            if "KILL" in text.upper() and self.applies(error):
                self.effect(session)
            raise


@breaks("IMP-8")
class DisconnectsWhoWasRefused(_AfterRefusals):
    """A session is closed after its statement was refused."""

    def effect(self, session: Session) -> None:
        call_later(0, self.instance.ending.kill, session)


@breaks("IMP-8")
class DisconnectsWhoLacksThePrivilege(_AfterRefusals):
    """A session is closed after its statement was refused for the missing privilege."""

    def applies(self, error: errors.SqlError) -> bool:
        return error.code == errors.no_privilege().code

    def effect(self, session: Session) -> None:
        call_later(0, self.instance.ending.kill, session)


@breaks("IMP-8")
class DisconnectsAfterSyntaxErrors(_AfterRefusals):
    """A session is closed after a syntax error."""

    def applies(self, error: errors.SqlError) -> bool:
        return error.sqlstate == errors.SYNTAX

    def effect(self, session: Session) -> None:
        call_later(0, self.instance.ending.kill, session)


@breaks("IMP-8")
class RollsBackWhoWasRefused(_AfterRefusals):
    """A refused statement rolls back the whole transaction of the session that sent it."""

    def effect(self, session: Session) -> None:
        session.transaction.roll_back()


@breaks("IMP-8")
class RefusesEverythingAfterARefusal(_AfterRefusals):
    """After a refused statement its session gets only errors."""

    def __init__(self, instance: Instance) -> None:
        super().__init__(instance)
        self.broken: set[Session] = set()

    def effect(self, session: Session) -> None:
        self.broken.add(session)

    async def execute(self, session: Session, text: str) -> Result:
        if session in self.broken:
            raise errors.unexpected()
        return await super().execute(session, text)
