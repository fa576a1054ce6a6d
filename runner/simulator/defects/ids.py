"""Defects of ids: in the process list, unknown ids, and texts that are not ids."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

import re
from typing import Any, ClassVar

from runner.simulator import errors
from runner.simulator.catalogue import breaks
from runner.simulator.components import Components
from runner.simulator.connection import Connection
from runner.simulator.defects.senders import in_a_transaction
from runner.simulator.execute.kill import KillSessionStatement
from runner.simulator.execute.process_list import ProcessList
from runner.simulator.execute.results import Result
from runner.simulator.sessions import LONGEST_PAUSE, Session
from runner.simulator.sql.statements import KillSession
from runner.simulator.timers import call_later
from runner.simulator.values import Value

SHIFT = 500_000
LOCAL_BITS = 0x3FFFF


@breaks("PAR-2")
class ShowsShiftedIds(ProcessList):
    """The process list shows ids that are 500000 larger than those that the statement accepts."""

    def id(self, session: Session) -> Value:
        return session.number + SHIFT


@breaks("PAR-2")
class ShowsRowNumbers(ProcessList):
    """The process list shows row numbers 1, 2, 3 in place of ids."""

    def id(self, session: Session) -> Value:
        return list(self.registry).index(session) + 1


@breaks("PAR-2")
class ShowsLocalNumbers(ProcessList):
    """The process list shows only the server's running number, the statement accepts the whole id."""

    def id(self, session: Session) -> Value:
        return session.number & LOCAL_BITS


@breaks("PAR-2")
class TakesLocalNumbers(KillSessionStatement):
    """The process list shows the whole id, the statement accepts only the server's running number."""

    def find(self, number: int) -> Session:
        for session in self.registry:
            if session.number & LOCAL_BITS == number:
                return session
        raise errors.unknown_session(number)


@breaks("PAR-2")
class KnowsLaterSessionsOnly(KillSessionStatement):
    """Ids of sessions that logged in before the sending one are unknown."""

    def check_owner(self, session: Session, victim: Session) -> None:
        if victim.number < session.number:
            raise errors.unknown_session(victim.number)
        super().check_owner(session, victim)


@breaks("PAR-2")
class KnowsEarlierSessionsOnly(KillSessionStatement):
    """Ids of sessions that logged in after the sending one are unknown."""

    def check_owner(self, session: Session, victim: Session) -> None:
        if victim.number > session.number:
            raise errors.unknown_session(victim.number)
        super().check_owner(session, victim)


@breaks("PAR-1")
def two_sessions_show_one_id(components: Components) -> Components:
    """Adjacent rows of the process list share an id, and the statement kills the first of the two."""
    return components.with_overrides(_SharedIds, _TakesTheFirstOfTwo)


class _SharedIds(ProcessList):
    def id(self, session: Session) -> Value:
        return session.number & ~1


class _TakesTheFirstOfTwo(KillSessionStatement):
    def find(self, number: int) -> Session:
        found = self.registry.find(number) or self.registry.find(number | 1)
        return found or super().find(number)


@breaks("PAR-1")
class ListsSessionsTwice(ProcessList):
    """The process list has two rows for each session, with the same id."""

    def rows(self, viewer: Session, *, full: bool) -> list[tuple[Value, ...]]:
        return [row for row in super().rows(viewer, full=full) for _ in range(2)]


class _ComparesBits(KillSessionStatement):
    bits = 24

    def find(self, number: int) -> Session:
        mask = (1 << self.bits) - 1
        for session in self.registry:
            if session.number & mask == number & mask:
                return session
        raise errors.unknown_session(number)


@breaks("PAR-1")
class CutsIdsToTwentyFourBits(_ComparesBits):
    """Only the last 24 bits of an id are compared."""


@breaks("PAR-1")
class CutsIdsToThirtyOneBits(_ComparesBits):
    """Only the last 31 bits of an id are compared: the sign bit is ignored."""

    bits = 31


def _is_no_id(statement: KillSession) -> bool:
    return not statement.text.partition(",")[0].strip(" \t\r\n+-").isdigit()


@breaks("IMP-1")
class UnknownIdIsAnsweredOk(KillSessionStatement):
    """An unknown id gets OK."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        self.check_privilege(session)
        number = self.read_id(statement)
        if self.registry.find(number) is None and not _is_no_id(statement):
            return self.reply()
        return await super().run(session, statement)


@breaks("IMP-1")
class UnknownIdIsAnsweredOkWhenPrepared(KillSessionStatement):
    """As a prepared statement, an unknown id gets OK."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        self.check_privilege(session)
        number = self.read_id(statement)
        if session.prepared and self.registry.find(number) is None:
            return self.reply()
        return await super().run(session, statement)


@breaks("IMP-1")
class EndedIdIsAnsweredOk(KillSessionStatement):
    """The id of a session that is gone gets OK."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.ended: set[int] = set()

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        self.ended.add(victim.number)
        await super().end(session, victim, statement)

    async def run(self, session: Session, statement: KillSession) -> Result:
        self.check_privilege(session)
        number = self.read_id(statement)
        if self.registry.find(number) is None and number in self.ended:
            return self.reply()
        return await super().run(session, statement)


@breaks("IMP-1")
class UnknownIdEndsTheCaller(KillSessionStatement):
    """An unknown id is an error, and kills the sending session."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        self.check_privilege(session)
        if self.registry.find(self.read_id(statement)) is None:
            call_later(0, self.ending.kill, session)
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
    """Text that is not an id gets OK."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        self.check_privilege(session)
        return self.reply() if _is_no_id(statement) else await super().run(session, statement)


@breaks("IMP-2")
class NothingIsAnsweredOk(KillSessionStatement):
    """Empty or blank text gets OK."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        self.check_privilege(session)
        return await super().run(session, statement) if statement.text.strip() else self.reply()


@breaks("IMP-2")
class NoIdIsOwnSession(KillSessionStatement):
    """Text that is not an id kills the sending session."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        self.check_privilege(session)
        if _is_no_id(statement):
            await self.end(session, session, statement)
            return self.reply()
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


@breaks("IMP-8")
class UnknownIdRollsBack(KillSessionStatement):
    """A statement with an unknown id rolls back the open transaction of its own session."""

    def find(self, number: int) -> Session:
        if self.registry.find(number) is None and self.sender is not None:
            self.sender.transaction.roll_back()
        return super().find(number)

    sender: Session | None = None

    async def run(self, session: Session, statement: KillSession) -> Result:
        self.sender = session
        return await super().run(session, statement)


class _KilledIdIsAnsweredOk(KillSessionStatement):
    """Replies OK to the id of some killed sessions, or in some form."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.killed: set[int] = set()

    def is_noted(self, victim: Session) -> bool:  # noqa: ARG002 - for an override below
        return True

    def gets_ok(self, session: Session, statement: KillSession) -> bool:  # noqa: ARG002 - for the overrides below
        return True

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if self.is_noted(victim):
            self.killed.add(victim.number)
        await super().end(session, victim, statement)

    async def run(self, session: Session, statement: KillSession) -> Result:
        self.check_privilege(session)
        number = self.read_id(statement)
        if number in self.killed and self.registry.find(number) is None and self.gets_ok(session, statement):
            return self.reply()
        return await super().run(session, statement)


@breaks("IMP-1")
class KilledIdIsAnsweredOkWithImmediate(_KilledIdIsAnsweredOk):
    """With IMMEDIATE, the id of a killed session gets OK."""

    def gets_ok(self, session: Session, statement: KillSession) -> bool:  # noqa: ARG002 - for every sender
        return statement.immediate


@breaks("IMP-1")
class KilledIdIsAnsweredOkWithASerial(_KilledIdIsAnsweredOk):
    """With a serial#, the id of a killed session gets OK."""

    def gets_ok(self, session: Session, statement: KillSession) -> bool:  # noqa: ARG002 - for every sender
        return "," in statement.text


@breaks("IMP-1")
class KilledIdIsAnsweredOkForTheAdministrator(_KilledIdIsAnsweredOk):
    """For the administrator, the id of a killed session gets OK."""

    def gets_ok(self, session: Session, statement: KillSession) -> bool:  # noqa: ARG002 - in every form
        return session.user.administrator


@breaks("IMP-1")
class KilledIdOfTheRunningIsAnsweredOk(_KilledIdIsAnsweredOk):
    """The id of a session that was killed with a running statement gets OK."""

    def is_noted(self, victim: Session) -> bool:
        return victim.waiting is not None


@breaks("IMP-2")
class NoIdIsAnsweredOkForTheAdministrator(KillSessionStatement):
    """For the administrator, text that is not an id gets OK."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        if session.user.administrator and _is_no_id(statement):
            return self.reply()
        return await super().run(session, statement)


@breaks("IMP-2")
class NoIdIsAnsweredOkWhenPrepared(KillSessionStatement):
    """As a prepared statement, text that is not an id gets OK."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        self.check_privilege(session)
        return self.reply() if session.prepared and _is_no_id(statement) else await super().run(session, statement)


class _RemembersExecutions(Connection):
    """Treats the second execution of a prepared statement that has killed a session in another way."""

    executed: ClassVar[set[tuple[Session, str]]] = set()

    async def second(self, session: Session) -> None:
        raise NotImplementedError

    async def _run(self, session: Session, text: str, *, binary: bool) -> None:
        if (session, text) in self.executed:
            await self.second(session)
            return
        session.last_error = None
        await super()._run(session, text, binary=binary)
        if binary and "KILL" in text and session.last_error is None:
            self.executed.add((session, text))


@breaks("IMP-1")
class SecondExecutionIsAnsweredOk(_RemembersExecutions):
    """A prepared statement that has killed a session replies OK also at its second execution."""

    async def second(self, session: Session) -> None:
        self._send_ok(session, 0)


@breaks("IMP-10")
class SecondExecutionIsNeverAnswered(_RemembersExecutions):
    """The second execution of a prepared statement that has killed a session never gets a reply."""

    async def second(self, session: Session) -> None:
        await session.wait(LONGEST_PAUSE)


@breaks("IMP-1")
class IdThatKilledItselfIsAnsweredOk(EndedIdIsAnsweredOk):
    """The id of a session that has killed itself replies OK."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        if victim is not session:
            self.ended.discard(victim.number)


@breaks("IMP-1")
class UnknownIdIsAnsweredOkInTransactions(UnknownIdIsAnsweredOk):
    """In a transaction, an unknown id replies OK."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        if in_a_transaction(session):
            return await super().run(session, statement)
        return await KillSessionStatement.run(self, session, statement)


@breaks("IMP-2")
class NoIdIsTheIdBefore(KillSessionStatement):
    """A text that is not an id is read as the id in the statement before, of any session: it is left in the memory."""

    before = ""

    def check_privilege(self, session: Session) -> None:
        words = re.findall(r"'([0-9]+)", session.statement or "")
        self.before, self.present = (words[0] if words else self.before), self.before
        super().check_privilege(session)

    def read_id(self, statement: KillSession) -> int:
        if _is_no_id(statement) and self.present:
            return int(self.present)
        return super().read_id(statement)


@breaks("IMP-1")
class KilledIdOfAnotherUserIsAnsweredOk(EndedIdIsAnsweredOk):
    """The id of a killed session of another user replies OK."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        if victim.user is session.user or session.user.administrator:
            self.ended.discard(victim.number)
