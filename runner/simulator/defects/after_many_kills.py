"""Defects that take effect only after several kills, or after ten refused statements."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any, ClassVar

from runner.simulator import errors
from runner.simulator.accounts import User
from runner.simulator.catalogue import breaks
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.instance import Instance
from runner.simulator.execute.kill import KillSessionStatement
from runner.simulator.execute.results import Result
from runner.simulator.sessions import Session
from runner.simulator.sql import statements as sql
from runner.simulator.timers import call_later

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
class LocksTheUserOutInTheEnd(_CountsKills):
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
class TwentiethKillDoesNothing(KillSessionStatement):
    """The twentieth kill by one session replies OK, and the named session stays usable."""

    most = 20

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.ended: Counter[Session] = Counter()

    async def end(self, session: Session, victim: Session, statement: sql.KillSession) -> None:
        self.ended[session] += 1
        if self.ended[session] < self.most:
            await super().end(session, victim, statement)


@breaks("PUR-1")
class SeventhKillDoesNothing(TwentiethKillDoesNothing):
    """From the seventh on, kills by one session reply OK, and the named sessions stay usable."""

    most = 7


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


class _CountsRefusals(Engine):
    """Punishes a session after ten refused statements."""

    most = 10

    def __init__(self, instance: Instance) -> None:
        super().__init__(instance)
        self.refused: Counter[Session] = Counter()

    def effect(self, session: Session) -> None:
        raise NotImplementedError

    async def execute(self, session: Session, text: str) -> Result:
        try:
            return await super().execute(session, text)
        except errors.SqlError:
            self.refused[session] += "KILL" in text.upper()
            if self.refused[session] >= self.most:
                self.effect(session)
            raise


@breaks("IMP-8")
class LocksOutWhoWasRefusedTenTimes(_CountsRefusals):
    """The user of a session that was refused ten times can't log in again."""

    def effect(self, session: Session) -> None:
        session.user.lock()


@breaks("IMP-8")
class DisconnectsWhoWasRefusedTenTimes(_CountsRefusals):
    """A session that was refused ten times is disconnected."""

    def effect(self, session: Session) -> None:
        call_later(0, self.instance.ending.kill, session)


@breaks("IMP-8")
class GivesInAfterTenRefusals(KillSessionStatement):
    """After ten refusals for the missing privilege, a session's privilege is not checked any more."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.refused: Counter[Session] = Counter()

    def check_privilege(self, session: Session) -> None:
        try:
            super().check_privilege(session)
        except errors.SqlError:
            self.refused[session] += 1
            if self.refused[session] <= 10:  # noqa: PLR2004 - the number in the class's name
                raise
