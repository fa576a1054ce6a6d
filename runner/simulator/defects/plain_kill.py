"""Defects of KILL and KILL CONNECTION: their effect, permission, reply and syntax."""

# ruff: noqa: ARG002, D102 - overrides of steps, which are documented in the base class
# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

import asyncio

from runner.simulator import errors
from runner.simulator.catalogue import breaks
from runner.simulator.execute.kill import PlainKill, session_id
from runner.simulator.execute.results import Done, Result, Rows
from runner.simulator.sessions import Session
from runner.simulator.sql import statements as sql
from runner.simulator.sql.parser import PlainKillGrammar
from runner.simulator.sql.tokens import NUMBER, STRING, Cursor
from runner.simulator.timers import call_when
from runner.simulator.users_and_roles import SHOW_PROCESS
from runner.simulator.wire import Column


@breaks("KILL-1")
class KillDoesNothing(PlainKill):
    """KILL replies OK and does nothing."""

    def end(self, session: Session, victim: Session, statement: sql.Kill) -> None:
        pass


@breaks("KILL-1")
class KillEndsTheStatementOnly(PlainKill):
    """KILL ends the statement of the session, as KILL QUERY does; the session stays."""

    def end(self, session: Session, victim: Session, statement: sql.Kill) -> None:
        self.interrupt(session, victim)


@breaks("KILL-1")
class KillLeavesTheRow(PlainKill):
    """KILL closes the connection; the row stays in the process list permanently."""

    def end(self, session: Session, victim: Session, statement: sql.Kill) -> None:
        self.ending.mark_as_ended(victim)
        self.ending.roll_back(victim)
        self.ending.disconnect(victim)


@breaks("KILL-2")
class KillConnectionEndsTheStatementOnly(PlainKill):
    """KILL CONNECTION ends the statement of the session only; KILL ends the session."""

    def end(self, session: Session, victim: Session, statement: sql.Kill) -> None:
        if statement.scope == "CONNECTION":
            self.interrupt(session, victim)
        else:
            super().end(session, victim, statement)


@breaks("KILL-2")
class KillConnectionEndsRunningSessionsOnly(PlainKill):
    """KILL CONNECTION does nothing to idle sessions; KILL ends them."""

    def end(self, session: Session, victim: Session, statement: sql.Kill) -> None:
        if statement.scope is None or victim.statement is not None:
            super().end(session, victim, statement)


@breaks("KILL-2")
class KillHasNoConnection(PlainKillGrammar):
    """The word CONNECTION is a syntax error."""

    def kill(self, cursor: Cursor) -> sql.Statement:
        return cursor.fail() if cursor.sees("CONNECTION") else super().kill(cursor)


@breaks("KILL-3")
class PlainKillCommits(PlainKill):
    """KILL commits the open transaction of the session that it ends."""

    def end(self, session: Session, victim: Session, statement: sql.Kill) -> None:
        victim.transaction.commit()
        super().end(session, victim, statement)


@breaks("KILL-3")
class PlainKillLeavesTheTransaction(PlainKill):
    """The transaction of the session that KILL ends stays open, and its rows stay locked."""

    def end(self, session: Session, victim: Session, statement: sql.Kill) -> None:
        self.ending.mark_as_ended(victim)
        self.ending.remove_row(victim)
        self.ending.disconnect(victim)


@breaks("KILL-4")
class KillWaitsForTheStatement(PlainKill):
    """KILL ends a session with a running statement only after the statement."""

    def end(self, session: Session, victim: Session, statement: sql.Kill) -> None:
        if victim is session:
            super().end(session, victim, statement)
        else:
            call_when(lambda: victim.statement is None, self.ending.kill, victim)


# Permission


@breaks("WHO-1")
class KillIsForTheAdministrator(PlainKill):
    """Only the administrator can use KILL."""

    def check_owner(self, session: Session, victim: Session) -> None:
        if not session.user.administrator:
            raise errors.no_privilege()


@breaks("WHO-1")
class KillQueryIsForTheAdministrator(PlainKill):
    """Only the administrator can use KILL QUERY; every user can end sessions of its own user."""

    def interrupt(self, session: Session, victim: Session) -> None:
        if not session.user.administrator:
            raise errors.no_privilege()
        super().interrupt(session, victim)


@breaks("WHO-1")
class KillReachesTheOwnSessionOnly(PlainKill):
    """A user can end only the session that sends KILL, no other session of the same user."""

    def check_owner(self, session: Session, victim: Session) -> None:
        if victim is not session and not session.user.administrator:
            raise errors.not_the_owner(victim.number)


@breaks("WHO-2")
class KillReachesEverybody(PlainKill):
    """Every user can end all sessions and statements."""

    def check_owner(self, session: Session, victim: Session) -> None:
        pass


@breaks("WHO-2")
class KillQueryReachesEverybody(PlainKill):
    """Every user can end all statements, but only sessions of its own user."""

    async def run(self, session: Session, statement: sql.Kill) -> Result:
        if statement.query_only and (victim := self.registry.find(session_id(statement.text))) is not None:
            self.interrupt(session, victim)
            return self.reply()
        return await super().run(session, statement)


@breaks("WHO-2")
class ShowProcessEndsSessions(PlainKill):
    """A holder of SHOW PROCESS can end all sessions and statements."""

    def check_owner(self, session: Session, victim: Session) -> None:
        if SHOW_PROCESS not in session.user.system:
            super().check_owner(session, victim)


@breaks("WHO-2")
class KillChecksTheOwnerTooLate(PlainKill):
    """KILL of another user's session is refused, but its statement is ended."""

    def check_owner(self, session: Session, victim: Session) -> None:
        victim.interrupt(errors.query_killed())
        super().check_owner(session, victim)


@breaks("WHO-3")
class AdministratorReachesOwnSessionsOnly(PlainKill):
    """The administrator can end only sessions of its own user."""

    def check_owner(self, session: Session, victim: Session) -> None:
        if victim.user is not session.user:
            raise errors.not_the_owner(victim.number)


@breaks("WHO-3")
class AdministratorEndsNoSessions(PlainKill):
    """KILL of the administrator replies OK, and ends no session of another user."""

    def end(self, session: Session, victim: Session, statement: sql.Kill) -> None:
        if victim.user is session.user or not session.user.administrator:
            super().end(session, victim, statement)


@breaks("WHO-3")
class AdministratorEndsNoStatements(PlainKill):
    """KILL QUERY of the administrator replies OK, and ends no statement of another user."""

    def interrupt(self, session: Session, victim: Session) -> None:
        if victim.user is session.user or not session.user.administrator:
            super().interrupt(session, victim)


# The named session


@breaks("ID-1")
class KillEndsAnotherSession(PlainKill):
    """KILL ends another session of the named session's user, too."""

    def end(self, session: Session, victim: Session, statement: sql.Kill) -> None:
        mates = [other for other in self.registry if other.user is victim.user and other not in (victim, session)]
        super().end(session, victim, statement)
        for mate in mates[:1]:
            self.ending.kill(mate)


@breaks("ID-1")
class KillQueryEndsAllStatementsOfTheUser(PlainKill):
    """KILL QUERY ends the statements of all sessions of the named session's user."""

    def interrupt(self, session: Session, victim: Session) -> None:
        for other in self.registry:
            if other.user is victim.user:
                super().interrupt(session, other)


@breaks("ID-1")
class PlainKillEndsEveryone(PlainKill):
    """KILL and KILL QUERY end every other session of the server."""

    async def run(self, session: Session, statement: sql.Kill) -> Result:
        try:
            return await super().run(session, statement)
        finally:
            for other in self.registry:
                if other is not session:
                    self.ending.kill(other)


@breaks("ID-2")
class KillOfAnUnknownIdIsOk(PlainKill):
    """KILL and KILL QUERY of an id that no session has get OK."""

    async def run(self, session: Session, statement: sql.Kill) -> Result:
        try:
            return await super().run(session, statement)
        except errors.SqlError as error:
            if "-4174" in error.text:
                return self.reply()
            raise


# The reply


@breaks("REPLY-1")
class KillAffectsOne(PlainKill):
    """The reply is OK with one row affected."""

    def reply(self) -> Result:
        return Done(1)


@breaks("REPLY-1")
class KillAnswersWithARow(PlainKill):
    """The reply is a result set of one row."""

    def reply(self) -> Result:
        return Rows((Column("KILLED"),), ((b"t",),))


@breaks("REPLY-1")
class KillAnswersWithAWarning(PlainKill):
    """The reply is OK with a warning."""

    def reply(self) -> Result:
        return Done(warnings=1)


@breaks("REPLY-2")
class KillWaitsForTheClient(PlainKill):
    """KILL gets no reply while the client of the named session does not read a large result, as on a real server."""

    async def run(self, session: Session, statement: sql.Kill) -> Result:
        victim = self.registry.find(session_id(statement.text))
        if victim is not None:
            read = asyncio.Event()
            call_when(lambda: not victim.sending, read.set)
            await read.wait()
        return await super().run(session, statement)


@breaks("FORM-1")
class KillTakesNumbersOnly(PlainKillGrammar):
    """An id between quotes is a syntax error."""

    def id(self, cursor: Cursor) -> str:
        return cursor.take(NUMBER).value


@breaks("FORM-1")
class KillReadsNoQuotedIds(PlainKillGrammar):
    """An id between quotes is read as 0."""

    def id(self, cursor: Cursor) -> str:
        return "0" if cursor.now.kind == STRING and cursor.next() else super().id(cursor)


@breaks("FORM-1")
class KillQueryWithQuotesEndsTheSession(PlainKillGrammar):
    """With an id between quotes, KILL QUERY is KILL."""

    def kill(self, cursor: Cursor) -> sql.Statement:
        statement = super().kill(cursor)
        quoted = cursor.previous.kind == STRING
        return sql.Kill(statement.text) if quoted and isinstance(statement, sql.Kill) else statement


@breaks("FORM-2")
class KillTakesTextOnly(PlainKillGrammar):
    """An id without quotes is a syntax error."""

    def id(self, cursor: Cursor) -> str:
        return cursor.string()


@breaks("FORM-3")
class KillIsCaseSensitive(PlainKillGrammar):
    """The word KILL is recognized in upper case only."""

    def kill(self, cursor: Cursor) -> sql.Statement:
        word = cursor.previous
        return super().kill(cursor) if cursor.raw(word) == word.value else cursor.fail_at(word)


@breaks("FORM-3")
class KillStandsOnOneLine(PlainKillGrammar):
    """KILL on several lines is a syntax error."""

    def kill(self, cursor: Cursor) -> sql.Statement:
        return cursor.fail() if "\n" in cursor.sql else super().kill(cursor)


@breaks("FORM-3")
class KillTakesNoSemicolon(PlainKillGrammar):
    """A semicolon after KILL is a syntax error."""

    def kill(self, cursor: Cursor) -> sql.Statement:
        statement = super().kill(cursor)
        return cursor.fail() if cursor.symbol(";") else statement


@breaks("FORM-4")
class KillIgnoresTheRest(PlainKillGrammar):
    """KILL ignores what follows the id."""

    def kill(self, cursor: Cursor) -> sql.Statement:
        statement = super().kill(cursor)
        while not cursor.ends():
            cursor.next()
        return statement


@breaks("FORM-4")
class KillIgnoresUnknownWords(PlainKillGrammar):
    """KILL ignores words before the id that it does not know, and further modifiers."""

    def id(self, cursor: Cursor) -> str:
        while not cursor.ends() and cursor.now.kind not in {NUMBER, STRING}:
            cursor.next()
        return super().id(cursor)


@breaks("FORM-4")
class KillNeedsNoId(PlainKillGrammar):
    """KILL without an id replies that there is no session 0."""

    def id(self, cursor: Cursor) -> str:
        return "0" if cursor.ends() else super().id(cursor)
