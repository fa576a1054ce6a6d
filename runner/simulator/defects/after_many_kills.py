"""Defects that take effect only after several kills, or while several statements are executed."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any, ClassVar

from runner.simulator.catalogue import breaks
from runner.simulator.execute.kill import KillSessionStatement
from runner.simulator.sessions import LONGEST_PAUSE, Session
from runner.simulator.sql import statements as sql
from runner.simulator.users_and_roles import User

_MOST_AT_A_TIME = 4
_DURATION = 0.05  # seconds


class _CountsKills(KillSessionStatement):
    """Punishes a user after ``most`` kills of its sessions."""

    most: ClassVar[int]

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.lost: Counter[User] = Counter()

    def is_counted(self, session: Session, victim: Session) -> bool:  # noqa: ARG002 - for the overrides below
        return not victim.user.administrator

    def effect(self, user: User) -> None:
        """The effect: the user can't log in any more."""
        user.lock()

    async def end(self, session: Session, victim: Session, statement: sql.KillSession) -> None:
        await super().end(session, victim, statement)
        self.lost[victim.user] += self.is_counted(session, victim)
        if self.lost[victim.user] >= self.most:
            self.effect(victim.user)


@breaks("IMP-7")
class LocksTheUserOutAfterThree(_CountsKills):
    """A user of whom three sessions were killed can't log in again."""

    most = 3


@breaks("IMP-7")
class LocksTheUserOutAfterFive(_CountsKills):
    """A user of whom five sessions were killed can't log in again."""

    most = 5


@breaks("IMP-7")
class LocksTheUserOutAfterTen(_CountsKills):
    """A user of whom ten sessions were killed can't log in again."""

    most = 10


@breaks("IMP-7")
class LocksTheUserOutAfterFifteen(_CountsKills):
    """A user of whom fifteen sessions were killed can't log in again."""

    most = 15


@breaks("IMP-7")
class LocksTheUserOutAfterTwenty(_CountsKills):
    """A user of whom twenty sessions were killed can't log in again."""

    most = 20


@breaks("IMP-7")
class LocksOutWhoEndsItselfTenTimes(_CountsKills):
    """A user of whom ten sessions killed themselves can't log in again."""

    most = 10

    def is_counted(self, session: Session, victim: Session) -> bool:
        return session is victim


@breaks("IMP-7")
class LocksOutWhomTheAdministratorEndsTenTimes(_CountsKills):
    """A user of whom the administrator killed ten sessions can't log in again."""

    most = 10

    def is_counted(self, session: Session, victim: Session) -> bool:
        return session.user.administrator and not victim.user.administrator


@breaks("IMP-7")
class ConnectionsRunOut(_CountsKills):
    """After twenty kills of one user's sessions only the administrator can log in: the connections still count."""

    most = 20

    def effect(self, user: User) -> None:  # noqa: ARG002 - for every user
        for other in self.privileges.accounts.users.values():
            if not other.administrator:
                other.lock()


@breaks("PUR-1")
class KillsDoNothingFromTheTwentiethOn(KillSessionStatement):
    """From the twentieth on, kills by one session reply OK, and the named sessions stay usable."""

    most = 20

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.ended: Counter[Session] = Counter()

    async def end(self, session: Session, victim: Session, statement: sql.KillSession) -> None:
        self.ended[session] += 1
        if self.ended[session] < self.most:
            await super().end(session, victim, statement)


@breaks("PUR-1")
class KillsDoNothingFromTheSeventhOn(KillsDoNothingFromTheTwentiethOn):
    """From the seventh on, kills by one session reply OK, and the named sessions stay usable."""

    most = 7


@breaks("PUR-1")
class EveryTwentiethKillDoesNothing(KillSessionStatement):
    """Every twentieth kill, of all clients together, replies OK, and the named session stays usable."""

    every = 20

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.kills = 0

    async def end(self, session: Session, victim: Session, statement: sql.KillSession) -> None:
        self.kills += 1
        if self.kills % self.every:
            await super().end(session, victim, statement)


@breaks("PUR-1")
class FifthKillAtATimeDoesNothing(KillSessionStatement):
    """While four sessions are being killed, another statement replies OK, and the named session stays usable."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.running = 0

    async def end(self, session: Session, victim: Session, statement: sql.KillSession) -> None:
        if self.running == _MOST_AT_A_TIME:
            return
        self.running += 1
        try:
            await asyncio.sleep(_DURATION)
            await super().end(session, victim, statement)
        finally:
            self.running -= 1


@breaks("IMP-7")
class KillsOfTransactionsUseUpConnections(_CountsKills):
    """A user of whom eight sessions with an open transaction were killed can't log in: they still count."""

    most = 8

    def is_counted(self, session: Session, victim: Session) -> bool:
        return super().is_counted(session, victim) and victim in self.with_changes

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.with_changes: set[Session] = set()

    async def end(self, session: Session, victim: Session, statement: sql.KillSession) -> None:
        if victim.transaction.open:
            self.with_changes.add(victim)
        await super().end(session, victim, statement)


@breaks("IMP-10")
class NeverAnswersWhileItEndsItself(KillSessionStatement):
    """A statement that names a session that is killing itself at the same moment never gets a reply."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.ending_themselves: set[Session] = set()

    async def end(self, session: Session, victim: Session, statement: sql.KillSession) -> None:
        if victim is session:
            self.ending_themselves.add(session)
            await asyncio.sleep(_DURATION)
        elif victim in self.ending_themselves:
            await session.wait(LONGEST_PAUSE)
        await super().end(session, victim, statement)
