"""Defects of the aftermath: the transaction, the statement and the user of the ended session, and who was refused."""

# ruff: noqa: ARG002, D102 - overriding one step of many, each explained where the honest one stands

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from runner.simulator import errors
from runner.simulator.accounts import ALTER_SYSTEM
from runner.simulator.catalogue import breaks
from runner.simulator.deferring import later, once
from runner.simulator.ending import SessionEnding
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.kill import KillSessionStatement
from runner.simulator.sessions import SessionIds

if TYPE_CHECKING:
    from typing import Any

    from runner.simulator.accounts import User
    from runner.simulator.execute.instance import Instance
    from runner.simulator.execute.results import Result
    from runner.simulator.sessions import Session
    from runner.simulator.sql.statements import KillSession

TOO_LATE = 10.0
LOCKED_SECONDS = 60.0
PAUSE = 0.05
PATIENCE = 3


@breaks("IMP-5")
class LeavesTheTransaction(SessionEnding):
    """The transaction of the killed session stays open, and its rows stay locked."""

    def roll_back(self, victim: Session) -> None:
        pass


@breaks("IMP-5")
class CommitsTheTransaction(SessionEnding):
    """The changes of the killed session are committed."""

    def roll_back(self, victim: Session) -> None:
        victim.transaction.commit()


@breaks("IMP-5")
class RollsBackTooLate(SessionEnding):
    """The transaction of the killed session is rolled back 10 seconds later."""

    def roll_back(self, victim: Session) -> None:
        later(TOO_LATE, super().roll_back, victim)


@breaks("IMP-5")
class LeavesTheLocks(SessionEnding):
    """The changes of the killed session are rolled back, but its rows stay locked."""

    def roll_back(self, victim: Session) -> None:
        victim.transaction.return_to(victim.transaction.taken())


@breaks("IMP-5")
class MakesTheBlockedChange(SessionEnding):
    """A killed session that waited for a row lock is gone, but its change is made when the lock is released."""

    def mark(self, victim: Session) -> None:
        if not victim.blocked:
            super().mark(victim)

    def disconnect(self, victim: Session) -> None:
        if victim.blocked:
            victim.link.disconnect(errors.session_killed())
        else:
            super().disconnect(victim)

    def leave(self, session: Session) -> None:
        if not session.blocked:
            super().leave(session)


@breaks("IMP-6")
class LetsTheStatementFinish(SessionEnding):
    """The kill of a running session replies OK, but takes effect only after its statement."""

    def kill(self, victim: Session) -> None:
        if victim.waiting is None:
            super().kill(victim)
        else:
            once(lambda: victim.ended or victim.statement is None, super().kill, victim)


@breaks("IMP-6")
class WaitsForTheStatement(KillSessionStatement):
    """The kill of a running session replies only after its statement."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        while victim is not session and victim.statement is not None and not victim.ended:
            await session.wait(PAUSE)
        await super().end(session, victim, statement)


@breaks("IMP-6")
class StatementsRunOn(SessionEnding):
    """The row of a running session leaves the process list, but its client waits until the statement ends."""

    def disconnect(self, victim: Session) -> None:
        if victim.waiting is None:
            super().disconnect(victim)


@breaks("IMP-7")
class LocksTheUserOut(KillSessionStatement):
    """The killed session's user can't log in again."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        if not victim.user.administrator:
            victim.user.secret = b""


@breaks("IMP-7")
class LocksTheUserOutForAMinute(KillSessionStatement):
    """The killed session's user can't log in for a minute."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        if not victim.user.administrator and victim.user.secret:
            later(LOCKED_SECONDS, setattr, victim.user, "secret", victim.user.secret)
            victim.user.secret = b""


@breaks("IMP-7")
class LocksTheUserOutInTheEnd(KillSessionStatement):
    """A user of whom three sessions were killed can't log in again."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self.lost: Counter[User] = Counter()

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        self.lost[victim.user] += 1
        if self.lost[victim.user] >= PATIENCE and not victim.user.administrator:
            victim.user.secret = b""


@breaks("IMP-7")
class LastSessionTakesTheUserAlong(KillSessionStatement):
    """A user whose only session is killed can't log in again."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        if not victim.user.administrator and all(other.user is not victim.user for other in self.registry):
            victim.user.secret = b""


@breaks("IMP-7")
class TakesTheUsersPrivileges(KillSessionStatement):
    """The killed session's user loses the ALTER SYSTEM privilege."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        victim.user.system.pop(ALTER_SYSTEM, None)


@breaks("IMP-7")
class GivesTheOldIdAgain(SessionIds):
    """A user's next session gets the id of its last killed one."""

    def __init__(self) -> None:
        super().__init__()
        self.left: dict[User, list[int]] = {}

    def of(self, user: User, number: int) -> int:
        left = self.left.get(user)
        return left.pop() if left else number

    def give_back(self, user: User | None, number: int) -> None:
        if user is not None and not user.administrator:
            self.left.setdefault(user, []).append(number)


class _AfterRefusals(Engine):
    """Does something to a session whose KILL was refused."""

    def applies(self, error: errors.SqlError) -> bool:
        return True

    def punish(self, session: Session) -> None:
        raise NotImplementedError

    async def execute(self, session: Session, text: str) -> Result:
        try:
            return await super().execute(session, text)
        except errors.SqlError as error:
            if "KILL" in text.upper() and self.applies(error):
                self.punish(session)
            raise


@breaks("IMP-8")
class DisconnectsWhoWasRefused(_AfterRefusals):
    """A session is closed after its statement was refused."""

    def punish(self, session: Session) -> None:
        later(0, self.instance.ending.kill, session)


@breaks("IMP-8")
class DisconnectsWhoLacksThePrivilege(_AfterRefusals):
    """A session is closed after its statement was refused for the missing privilege."""

    def applies(self, error: errors.SqlError) -> bool:
        return error.code == errors.no_privilege().code

    def punish(self, session: Session) -> None:
        later(0, self.instance.ending.kill, session)


@breaks("IMP-8")
class DisconnectsAfterSyntaxErrors(_AfterRefusals):
    """A session is closed after a syntax error."""

    def applies(self, error: errors.SqlError) -> bool:
        return error.sqlstate == errors.SYNTAX

    def punish(self, session: Session) -> None:
        later(0, self.instance.ending.kill, session)


@breaks("IMP-8")
class RollsBackWhoWasRefused(_AfterRefusals):
    """A refused statement rolls back the whole transaction of the session that sent it."""

    def punish(self, session: Session) -> None:
        session.transaction.roll_back()


@breaks("IMP-8")
class RefusesEverythingAfterARefusal(_AfterRefusals):
    """After a refused statement its session gets only errors."""

    def __init__(self, instance: Instance) -> None:
        super().__init__(instance)
        self.broken: set[Session] = set()

    def punish(self, session: Session) -> None:
        self.broken.add(session)

    async def execute(self, session: Session, text: str) -> Result:
        if session in self.broken:
            raise errors.unexpected()
        return await super().execute(session, text)
