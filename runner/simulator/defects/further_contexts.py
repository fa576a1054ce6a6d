"""Sessions, replies and texts of the statement that few clients have."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

import time
from collections import Counter
from typing import ClassVar

from runner.simulator import errors
from runner.simulator.catalogue import breaks
from runner.simulator.components import Components
from runner.simulator.defects.states_of_sessions import Spares
from runner.simulator.defects.transactions import is_running
from runner.simulator.execute.kill import KillSessionStatement
from runner.simulator.execute.process_list import ProcessList
from runner.simulator.execute.results import Done, Result
from runner.simulator.session_ending import SessionEnding
from runner.simulator.sessions import ACTIVE, Session, SessionRegistry
from runner.simulator.sql import statements as sql
from runner.simulator.sql.cursor import Cursor
from runner.simulator.sql.kill_grammar import KillGrammar
from runner.simulator.sql.statements import KillSession
from runner.simulator.sql.tokens import BAD, END
from runner.simulator.users_and_roles import User
from runner.simulator.values import Value

_ROOM = 8  # sessions of a user


@breaks("PUR-1")
class SparesPreparedLockWaiters(Spares):
    """Sessions whose prepared statement waits for a row lock are not killed."""

    def is_spared(self, victim: Session) -> bool:
        return victim.prepared and victim.waits_for_lock


@breaks("PUR-1")
class SparesBoundedLockWaiters(Spares):
    """Sessions whose SELECT … FOR UPDATE WAIT n waits for a row lock are not killed."""

    def is_spared(self, victim: Session) -> bool:
        return victim.waits_for_lock and "FOR UPDATE WAIT" in (victim.statement or "").upper()


@breaks("PUR-3")
class OthersRunningSessionsSurvive(KillSessionStatement):
    """A holder's statement that names a running session of another user ends only its statement."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        foreign = victim.user is not session.user and not session.user.administrator
        if not (foreign and victim.interrupt(errors.query_killed())):
            await super().end(session, victim, statement)


@breaks("PUR-3")
class OthersLockWaitersSurvive(KillSessionStatement):
    """If a holder names another user's session that waits for a row lock, the statement replies OK without effect."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        foreign = victim.user is not session.user and not session.user.administrator
        if not (foreign and victim.waits_for_lock):
            await super().end(session, victim, statement)


@breaks("PAR-3")
class SerialReachesTheOwnUserOnly(KillSessionStatement):
    """With a serial#, a holder can kill sessions of its own user only; without it, of every user."""

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        if "," in statement.text and victim.user is not session.user and not session.user.administrator:
            raise errors.not_the_owner(victim.number)
        await super().end(session, victim, statement)


@breaks("PAR-3")
class ReadsSerialsAsOctal(KillSessionStatement):
    """A serial# with a leading zero is read as octal: one with the digit 8 or 9 is refused."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        serial = statement.text.partition(",")[2].strip()
        self.check_privilege(session)
        if serial.isdigit() and len(serial) > 1 and serial[0] == "0" and set(serial) & {"8", "9"}:
            raise errors.invalid_session_id()
        return await super().run(session, statement)


class _RemembersKills(SessionEnding):
    killed: ClassVar[list[tuple[float, Session]]] = []

    def kill(self, victim: Session) -> None:
        self.killed.append((time.monotonic(), victim))
        super().kill(victim)


class _RemembersLogins(SessionRegistry):
    logins: ClassVar[dict[Session, float]] = {}

    def add(self, session: Session) -> None:
        self.logins[session] = time.monotonic()
        super().add(session)


class _ListsTheKilled(ProcessList):
    def rows(self, viewer: Session, *, full: bool) -> list[tuple[Value, ...]]:
        since = _RemembersLogins.logins[viewer]
        late = [
            self.row(victim, full=full)
            for at, victim in _RemembersKills.killed
            if victim.user is viewer.user and not viewer.user.administrator and at < since < at + 20
        ]
        return super().rows(viewer, full=full) + late


@breaks("PUR-1")
def rows_stay_in_the_lists_of_later_logins(components: Components) -> Components:
    """Sessions of the user that log in after the kill see the killed session's row: their node has a stale copy."""
    return components.with_overrides(_RemembersKills, _RemembersLogins, _ListsTheKilled)


@breaks("IMP-7")
class KillsOfRunningSessionsUseUpConnections(SessionEnding):
    """After eight kills of running sessions of a user, it can't log in: their threads still count."""

    counts: ClassVar[Counter[User]] = Counter()

    def kill(self, victim: Session) -> None:
        self.counts[victim.user] += is_running(victim)
        if self.counts[victim.user] >= _ROOM and not victim.user.administrator:
            victim.user.lock()
        super().kill(victim)


@breaks("IMP-2")
class WordWithASerialIsAnsweredOk(KillSessionStatement):
    """A word in place of the id replies OK if a serial# follows."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        self.check_privilege(session)
        head, comma, _ = statement.text.partition(",")
        if comma and head.strip().isalpha():
            return Done()
        return await super().run(session, statement)


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


class _NotesSenders(KillSessionStatement):
    sent: ClassVar[dict[Session, str | None]] = {}

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        self.sent[session] = session.statement


class _ListsSendersAsActive(ProcessList):
    def command(self, session: Session) -> str:
        return "Query" if session in _NotesSenders.sent else super().command(session)

    def state(self, session: Session) -> str:
        return ACTIVE if session in _NotesSenders.sent else super().state(session)

    def info(self, session: Session) -> str | None:
        return super().info(session) or _NotesSenders.sent.get(session)


@breaks("EXA-4")
def senders_stay_active(components: Components) -> Components:
    """The process list shows a session that has killed another one as active with this statement, permanently."""
    return components.with_overrides(_NotesSenders, _ListsSendersAsActive)


class _HidesAMate(SessionEnding):
    hidden: ClassVar[set[Session]] = set()

    def kill(self, victim: Session) -> None:
        mates = [
            other
            for other in self.registry
            if other.user is victim.user and other is not victim and other.statement is None
        ]
        if not victim.user.administrator:
            self.hidden.update(mates[:1])
        super().kill(victim)


class _ListsNoHidden(ProcessList):
    def rows(self, viewer: Session, *, full: bool) -> list[tuple[Value, ...]]:
        shown = super().rows(viewer, full=full)
        numbers = {session.number for session in _HidesAMate.hidden if session is not viewer}
        return [row for row in shown if row[0] not in numbers]


@breaks("EXA-4")
def hides_another_row_of_the_user(components: Components) -> Components:
    """The row of another, idle session of the killed session's user leaves the process list as well, permanently."""
    return components.with_overrides(_HidesAMate, _ListsNoHidden)


@breaks("SYN-5")
class TakesNoWhiteSpaceAfterTheSemicolon(KillGrammar):
    """White space behind the closing semicolon is a syntax error."""

    def session(self, cursor: Cursor) -> sql.Statement:
        statement = super().session(cursor)
        if cursor.now.value == ";" and cursor.sql[cursor.now.end :].isspace():
            cursor.fail()
        return statement


@breaks("SYN-6")
class IgnoresWhatFollowsTheSerial(KillGrammar):
    """Text after the form with a serial# is ignored."""

    def session(self, cursor: Cursor) -> sql.Statement:
        statement = super().session(cursor)
        if isinstance(statement, KillSession) and "," in statement.text:
            while cursor.now.kind not in (BAD, END) and cursor.now.value != ";":
                cursor.next()
        return statement
