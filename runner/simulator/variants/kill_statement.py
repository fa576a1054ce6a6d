"""Conforming variants of the kill statement: its permitted users, reading of ids, and reply; DROP USER that kills."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import replace

from runner.simulator import errors
from runner.simulator.catalogue import settings_variant, variant
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.kill import KillSessionStatement
from runner.simulator.execute.results import Result
from runner.simulator.execute.transactions import commit_now
from runner.simulator.session_privileges import Privileges
from runner.simulator.sessions import Session
from runner.simulator.settings import Settings
from runner.simulator.sql import statements as sql
from runner.simulator.sql.parser import KillGrammar
from runner.simulator.sql.statements import KillSession
from runner.simulator.sql.tokens import Cursor
from runner.simulator.users_and_roles import ALTER_SYSTEM, Accounts, User

SESSIONS_KEPT = 20_000

_ID_AND_SERIAL = re.compile(r"[0-9]+(, ?[0-9]+)?", re.ASCII)


@settings_variant
def owner_check(settings: Settings) -> Settings:
    """A holder of ALTER SYSTEM other than the administrator can kill sessions of its own user only."""
    return replace(settings, owner_check=True)


@settings_variant
def own_kill_not_answered(settings: Settings) -> Settings:
    """A session that kills itself gets no reply before its connection is closed."""
    return replace(settings, own_kill_gets_ok=False)


@settings_variant
def like_oceanbase(settings: Settings) -> Settings:
    """As on real servers: holders kill and see sessions of their own user only, and a self-kill gets no OK."""
    return settings.like_oceanbase()


@variant
class OwnKillAnswered4401(KillSessionStatement):
    """A session that kills itself gets the error for proxies before its connection is closed."""

    async def end(self, session: Session, victim: Session, statement: sql.KillSession) -> None:
        await super().end(session, victim, statement)
        if victim is session:
            session.connection.disconnect(errors.own_session_killed())


@variant
class ImmediateIsAName(KillGrammar):
    """IMMEDIATE in place of the id is read as a name, and refused as an unknown one."""

    def text(self, cursor: Cursor) -> str:
        if not cursor.sees("IMMEDIATE"):
            return super().text(cursor)
        name = cursor.next().value
        cursor.close()
        raise errors.invalid_identifier(name)


@variant
class StrictText(KillSessionStatement):
    """Text that is neither an id nor an id and a number is refused with ORA-00026."""

    def read_id(self, statement: sql.KillSession) -> int:
        if not _ID_AND_SERIAL.fullmatch(statement.text):
            raise errors.invalid_session_id()
        return super().read_id(statement)


@variant
class WideIds(KillSessionStatement):
    """An id is not cut to 32 bits."""

    def read_id(self, statement: sql.KillSession) -> int:
        digits = statement.text.partition(",")[0].strip(" \t")
        return int(digits) if _ID_AND_SERIAL.fullmatch(digits) else super().read_id(statement)


@variant
class SerialOrImmediate(KillGrammar):
    """A serial# together with IMMEDIATE is a syntax error."""

    def immediate(self, cursor: Cursor) -> bool:
        return "," not in cursor.previous.value and super().immediate(cursor)


@variant
class RolesDoNotCount(KillSessionStatement):
    """ALTER SYSTEM has to be granted to the user itself, not to a role."""

    def check_privilege(self, session: Session) -> None:
        if not session.user.administrator and ALTER_SYSTEM not in session.user.system:
            raise errors.no_privilege()


@variant
class PrivilegesSettledAtLogin(Privileges):
    """GRANT and REVOKE take effect at the next login, or change of the session's user."""

    def __init__(self, accounts: Accounts) -> None:
        super().__init__(accounts)
        self.settled: OrderedDict[tuple[Session, User], frozenset[str]] = OrderedDict()

    def holds(self, session: Session, privilege: str) -> bool:
        login = (session, session.user)
        if login not in self.settled:
            self.settled[login] = frozenset(name for source in self._sources(session) for name in source.system)
            if len(self.settled) > SESSIONS_KEPT:
                self.settled.popitem(last=False)
        return session.user.administrator or privilege in self.settled[login]


@variant
class DropUserEndsItsSessions(Engine):
    """DROP USER kills the sessions of the user."""

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        result = await super().run(session, statement, depth)
        if isinstance(statement, sql.DropUser):
            for other in self.instance.registry:
                if other.user.name == statement.name:
                    self.instance.ending.kill(other)
        return result


@variant
class KillCommits(KillSessionStatement):
    """The statement commits the open transaction of its own session, as DDL does, also before it kills that session."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        commit_now(session)
        return await super().run(session, statement)
