"""Defects of the server's health: answers that do not come, and harm to those who have nothing to do with it."""

# ruff: noqa: ARG002, D102 - overriding one step of many, each explained where the honest one stands

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.simulator import errors
from runner.simulator.catalogue import breaks
from runner.simulator.execute.kill import KillSessionStatement
from runner.simulator.sessions import LONGEST_PAUSE

if TYPE_CHECKING:
    from runner.simulator.execute.results import Result
    from runner.simulator.sessions import Session
    from runner.simulator.sql.statements import KillSession

FAR_TOO_LONG = 30.0


@breaks("IMP-10")
class NeverAnswers(KillSessionStatement):
    """The session ends, but the statement is never answered."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        if victim is not session:
            await session.wait(LONGEST_PAUSE)


@breaks("IMP-10")
class NeverAnswersForTransactions(KillSessionStatement):
    """The statement is never answered where it ended a session with an open transaction."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        stuck = victim is not session and victim.transaction.open
        await super().end(session, victim, statement)
        if stuck:
            await session.wait(LONGEST_PAUSE)


@breaks("IMP-10")
class NeverAnswersForRunningSessions(KillSessionStatement):
    """The statement is never answered where it ended a session in the middle of a statement."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        stuck = victim.waiting is not None
        await super().end(session, victim, statement)
        if stuck:
            await session.wait(LONGEST_PAUSE)


@breaks("IMP-10")
class NeverAnswersRefusals(KillSessionStatement):
    """A statement that is to be refused is never answered."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        try:
            return await super().run(session, statement)
        except errors.SqlError:
            await session.wait(LONGEST_PAUSE)
            raise


@breaks("IMP-10")
class AnswersAfter30Seconds(KillSessionStatement):
    """The session ends at once, the answer comes half a minute later."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        if victim is not session:
            await session.wait(FAR_TOO_LONG)


@breaks("IMP-10")
class DropsEveryConnection(KillSessionStatement):
    """The server drops all its clients, the one that says it included, as if it had started anew."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        for other in self.registry:
            self.ending.kill(other)


@breaks("IMP-10")
class DropsTheAdministrator(KillSessionStatement):
    """The administrator's connections are dropped along with the named session."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        for other in self.registry:
            if other.user.administrator and other is not session:
                self.ending.kill(other)


@breaks("IMP-10")
class DropsTheRunning(KillSessionStatement):
    """Every session that is in the middle of a statement is dropped along with the named one."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        for other in self.registry:
            if other.waiting is not None:
                self.ending.kill(other)


@breaks("IMP-10")
class InterruptsTheUsersStatements(KillSessionStatement):
    """The statements that other sessions of the victim's user are running fail; those sessions go on."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        for other in self.registry:
            if other.user is victim.user:
                other.interrupt(errors.query_killed())


@breaks("IMP-10")
class RollsBackTheUsersTransactions(KillSessionStatement):
    """The open transactions of all sessions of the victim's user are rolled back; those sessions go on."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        for other in self.registry:
            if other.user is victim.user:
                other.transaction.roll_back()


@breaks("IMP-10")
class DropsTheRefused(KillSessionStatement):
    """A refused statement takes every other session of its user with it."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        try:
            return await super().run(session, statement)
        except errors.SqlError:
            for other in self.registry:
                if other.user is session.user and other is not session:
                    self.ending.kill(other)
            raise
