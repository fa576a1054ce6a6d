"""Defects of the reply: it is wrong, late or missing, though the session is killed."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any, ClassVar

from runner.simulator import errors
from runner.simulator.catalogue import breaks
from runner.simulator.components import Components
from runner.simulator.connection import Connection
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.kill import KillSessionStatement
from runner.simulator.execute.results import Done, Result, Rows
from runner.simulator.sessions import LONGEST_PAUSE, Session
from runner.simulator.sql import statements as sql
from runner.simulator.sql.statements import KillSession
from runner.simulator.wire import Column

LATE_REPLY_SECONDS = 30.0
DURATION_SECONDS = 0.05


@breaks("EXA-6")
class OneRowAffected(KillSessionStatement):
    """The reply is OK with one row affected."""

    def reply(self) -> Result:
        return Done(1)


@breaks("EXA-6")
class AnswersWithARow(KillSessionStatement):
    """The reply is a result set of one row, as with other vendors."""

    def reply(self) -> Result:
        return Rows((Column("PG_TERMINATE_BACKEND"),), ((b"t",),))


@breaks("EXA-6")
class AnswersWithAWarning(KillSessionStatement):
    """The reply is OK with a warning."""

    def reply(self) -> Result:
        return Done(warnings=1)


class _SendsTwoResults(Connection):
    async def _run(self, session: Session, text: str, *, binary: bool) -> None:
        if "KILL SESSION" not in text.upper() or self._more_results:
            await super()._run(session, text, binary=binary)
            return
        self._more_results = True
        await super()._run(session, text, binary=binary)
        self._more_results = False
        if session.last_error is None and not session.ended:
            self._send_ok(session, 0)


@breaks("EXA-6")
def replies_with_two_results(components: Components) -> Components:
    """The reply has two results, each of them an OK, as that of a stored procedure may have."""
    return components.with_overrides(_SendsTwoResults)


@breaks("EXA-6")
class RefusesOwnSession(KillSessionStatement):
    """A statement that names its own session is refused, as in Oracle."""

    def check_owner(self, session: Session, victim: Session) -> None:
        if victim is session:
            raise errors.internal(-5251, "cannot kill current session")


@breaks("PUR-1")
class EndsWithAnError(KillSessionStatement):
    """The session is killed, but the reply is always an error."""

    def reply(self) -> Result:
        raise errors.unexpected()


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
class NeverAnswersMutualKills(KillSessionStatement):
    """Two sessions that kill each other at the same moment wait for each other, and get no reply."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.victims: dict[Session, Session] = {}

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        self.victims[session] = victim
        try:
            await asyncio.sleep(DURATION_SECONDS)
            if victim is not session and self.victims.get(victim) is session:
                await session.wait(LONGEST_PAUSE)
            await super().end(session, victim, statement)
        finally:
            self.victims.pop(session, None)


@breaks("EXA-6")
class PreparedStatementsAffectARow(KillSessionStatement):
    """As a prepared statement, the reply is OK with one row affected."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        result = await super().run(session, statement)
        return Done(1) if session.prepared else result


@breaks("EXA-6")
class WarnsInTransactions(KillSessionStatement):
    """The reply has a warning if the statement was sent in a transaction, which it does not end."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        inside = session.explicit_transaction or session.transaction.open
        result = await super().run(session, statement)
        return Done(0, 1) if inside else result


@breaks("EXA-6")
class AdministratorsKillAffectsARow(KillSessionStatement):
    """The reply to the administrator is OK with one row affected."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        result = await super().run(session, statement)
        return Done(1) if session.user.administrator else result


@breaks("EXA-6")
class WarnsAboutLockWaiters(KillSessionStatement):
    """The reply has a warning, "session marked for kill", if the named session waits for a row lock."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        named = self.registry.find(self.read_id(statement))
        waits = named is not None and named.waits_for_lock
        result = await super().run(session, statement)
        return Done(0, 1) if waits else result


@breaks("EXA-6")
class CountsKillsAsRows(KillSessionStatement):
    """The reply to a session's second and later statements has the number of its earlier kills as affected rows."""

    counts: ClassVar[Counter[Session]] = Counter()

    async def run(self, session: Session, statement: KillSession) -> Result:
        await super().run(session, statement)
        self.counts[session] += 1
        return Done(self.counts[session] - 1)


@breaks("EXA-6")
class OthersSessionsAffectARow(KillSessionStatement):
    """The reply to a holder that kills a session of another user has one affected row."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        named = self.registry.find(self.read_id(statement))
        result = await super().run(session, statement)
        foreign = named is not None and named.user is not session.user and not session.user.administrator
        return Done(1) if foreign else result


@breaks("EXA-6")
class RepeatsTheLastRowCount(Engine):
    """The reply of the statement has the number of rows that its session's last statement has changed."""

    counts: ClassVar[dict[int, int]] = {}

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        result = await super().run(session, statement, depth)
        if isinstance(statement, sql.KillSession) and isinstance(result, Done):
            return Done(self.counts.get(session.number, 0))
        self.counts[session.number] = result.affected if isinstance(result, Done) else 0
        return result


@breaks("EXA-6")
class WarnsAfterAnError(KillSessionStatement):
    """The reply has a warning if the session's statement before it got an error, as if warnings were not cleared."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        failed = session.last_error is not None
        await super().run(session, statement)
        return Done(0, 1) if failed else Done()


@breaks("EXA-6")
class OwnKillAffectsARow(KillSessionStatement):
    """The reply to a session that kills itself is OK with one row affected."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        result = await super().run(session, statement)
        return Done(1) if session.ended else result


@breaks("EXA-6")
class PreparedFormsAffectARow(Engine):
    """As a prepared statement with IMMEDIATE or a serial#, the reply is OK with one row affected."""

    async def execute(self, session: Session, text: str) -> Result:
        result = await super().execute(session, text)
        words = text.upper()
        return Done(1) if session.prepared and "KILL" in words and ("IMMEDIATE" in words or "," in words) else result
