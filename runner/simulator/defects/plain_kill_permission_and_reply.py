"""Defects of the plain KILL: who may kill which session, the named session, the reply."""

# ruff: noqa: ARG002, D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

import asyncio

from runner.simulator import errors
from runner.simulator.catalogue import breaks
from runner.simulator.execute.id_conversion import session_id
from runner.simulator.execute.kill import PlainKill
from runner.simulator.execute.results import Done, Result, Rows
from runner.simulator.sessions import Session
from runner.simulator.sql import statements as sql
from runner.simulator.timers import call_when
from runner.simulator.users_and_roles import SHOW_PROCESS
from runner.simulator.wire import Column

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
