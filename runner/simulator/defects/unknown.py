"""Defects with ids that no session has, and with text that is no id."""

# ruff: noqa: D102 - overriding one step of many, each explained where the honest one stands

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.simulator.catalogue import breaks
from runner.simulator.deferring import later
from runner.simulator.execute.kill import KillSessionStatement

if TYPE_CHECKING:
    from typing import Any

    from runner.simulator.execute.results import Result
    from runner.simulator.sessions import Session
    from runner.simulator.sql.statements import KillSession


def _is_no_id(statement: KillSession) -> bool:
    return not statement.text.partition(",")[0].strip(" \t\r\n+-").isdigit()


@breaks("IMP-1")
class UnknownIdIsAnsweredOk(KillSessionStatement):
    """An unknown id replies OK."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        self.check_privilege(session)
        number = self.read_id(statement)
        if self.registry.find(number) is None and not _is_no_id(statement):
            return self.answer()
        return await super().run(session, statement)


@breaks("IMP-1")
class EndedIdIsAnsweredOk(KillSessionStatement):
    """The id of a session that is gone replies OK."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self.ended: set[int] = set()

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        self.ended.add(victim.number)
        await super().end(session, victim, statement)

    async def run(self, session: Session, statement: KillSession) -> Result:
        self.check_privilege(session)
        number = self.read_id(statement)
        if self.registry.find(number) is None and number in self.ended:
            return self.answer()
        return await super().run(session, statement)


@breaks("IMP-1")
class UnknownIdEndsTheCaller(KillSessionStatement):
    """An unknown id is an error, and kills the sending session."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        self.check_privilege(session)
        if self.registry.find(self.read_id(statement)) is None:
            later(0, self.ending.kill, session)
        return await super().run(session, statement)


@breaks("IMP-1")
class UnknownIdEndsAMate(KillSessionStatement):
    """An unknown id is an error, and kills another session of the user."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        self.check_privilege(session)
        if self.registry.find(self.read_id(statement)) is None:
            for other in self.registry:
                if other.user is session.user and other is not session:
                    self.ending.kill(other)
                    break
        return await super().run(session, statement)


@breaks("IMP-2")
class NoIdIsAnsweredOk(KillSessionStatement):
    """Text that is not an id replies OK."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        self.check_privilege(session)
        return self.answer() if _is_no_id(statement) else await super().run(session, statement)


@breaks("IMP-2")
class NothingIsAnsweredOk(KillSessionStatement):
    """Empty or blank text replies OK."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        self.check_privilege(session)
        return await super().run(session, statement) if statement.text.strip() else self.answer()


@breaks("IMP-2")
class NoIdIsOwnSession(KillSessionStatement):
    """Text that is not an id kills the sending session."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        self.check_privilege(session)
        if _is_no_id(statement):
            await self.end(session, session, statement)
            return self.answer()
        return await super().run(session, statement)


@breaks("IMP-2")
class PercentIsEveryone(KillSessionStatement):
    """The text % kills every other session of the user."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        self.check_privilege(session)
        if statement.text == "%":
            for other in self.registry:
                if other.user is session.user and other is not session:
                    self.ending.kill(other)
        return await super().run(session, statement)
