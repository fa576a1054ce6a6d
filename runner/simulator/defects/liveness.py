"""Defects of liveness: missing or late replies, and effects on unrelated sessions."""

# ruff: noqa: ARG002, D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

from runner.simulator import errors
from runner.simulator.catalogue import breaks
from runner.simulator.execute.kill import KillSessionStatement
from runner.simulator.execute.results import Result
from runner.simulator.sessions import LONGEST_PAUSE, Session
from runner.simulator.sql.statements import KillSession

LATE_REPLY_SECONDS = 30.0


@breaks("IMP-10")
class NeverAnswers(KillSessionStatement):
    """The session is killed, but the statement never gets a reply."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        if victim is not session:
            await session.wait(LONGEST_PAUSE)


@breaks("IMP-10")
class NeverAnswersForTransactions(KillSessionStatement):
    """The statement never gets a reply if it killed a session with an open transaction."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        stuck = victim is not session and victim.transaction.open
        await super().end(session, victim, statement)
        if stuck:
            await session.wait(LONGEST_PAUSE)


@breaks("IMP-10")
class NeverAnswersForRunningSessions(KillSessionStatement):
    """The statement never gets a reply if it killed a session with a running statement."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        stuck = victim.waiting is not None
        await super().end(session, victim, statement)
        if stuck:
            await session.wait(LONGEST_PAUSE)


@breaks("IMP-10")
class NeverAnswersRefusals(KillSessionStatement):
    """A refused statement never gets a reply."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        try:
            return await super().run(session, statement)
        except errors.SqlError:
            await session.wait(LONGEST_PAUSE)
            raise


@breaks("IMP-10")
class AnswersAfter30Seconds(KillSessionStatement):
    """The session is killed at once, the reply is sent half a minute later."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        if victim is not session:
            await session.wait(LATE_REPLY_SECONDS)


@breaks("IMP-10")
class DropsEveryConnection(KillSessionStatement):
    """The server closes all connections, including the sending one, as after a restart."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        for other in self.registry:
            self.ending.kill(other)


@breaks("IMP-10")
class DropsTheAdministrator(KillSessionStatement):
    """The administrator's connections are closed along with the named session."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        for other in self.registry:
            if other.user.administrator and other is not session:
                self.ending.kill(other)


@breaks("IMP-10")
class DropsTheRunning(KillSessionStatement):
    """Every session with a running statement is killed along with the named one."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        for other in self.registry:
            if other.waiting is not None:
                self.ending.kill(other)


@breaks("IMP-10")
class InterruptsTheUsersStatements(KillSessionStatement):
    """Running statements in other sessions of the killed session's user fail; those sessions stay usable."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        for other in self.registry:
            if other.user is victim.user:
                other.interrupt(errors.query_killed())


@breaks("IMP-10")
class RollsBackTheUsersTransactions(KillSessionStatement):
    """Open transactions in all sessions of the killed session's user are rolled back; those sessions stay usable."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        for other in self.registry:
            if other.user is victim.user:
                other.transaction.roll_back()


@breaks("IMP-10")
class DropsTheRefused(KillSessionStatement):
    """A refused statement kills every other session of its user."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        try:
            return await super().run(session, statement)
        except errors.SqlError:
            for other in self.registry:
                if other.user is session.user and other is not session:
                    self.ending.kill(other)
            raise
