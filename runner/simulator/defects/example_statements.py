"""Defects of the other statements in the specification's example: CREATE USER, GRANT, SHOW PROCESSLIST."""

# ruff: noqa: ARG002, D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

from dataclasses import replace

from runner.simulator import errors
from runner.simulator.catalogue import breaks
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.process_list import ProcessList
from runner.simulator.execute.results import Done, Result
from runner.simulator.sessions import Session
from runner.simulator.sql import statements as sql
from runner.simulator.users_and_roles import Accounts, User
from runner.simulator.values import Value
from runner.simulator.wire import Column


@breaks("EXA-1")
class CreateUserAffectsOne(Engine):
    """CREATE USER replies OK with one row affected."""

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        result = await super().run(session, statement, depth)
        return Done(1) if isinstance(statement, sql.CreateUser) else result


@breaks("EXA-1")
class CreateUserFails(Engine):
    """CREATE USER creates the user, but replies with an error."""

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        result = await super().run(session, statement, depth)
        if isinstance(statement, sql.CreateUser):
            raise errors.unexpected()
        return result


@breaks("EXA-2")
class GrantAffectsOne(Engine):
    """GRANT replies OK with one row affected."""

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        result = await super().run(session, statement, depth)
        return Done(1) if isinstance(statement, sql.Grant) else result


@breaks("EXA-2")
class GrantFails(Engine):
    """GRANT grants the privilege, but replies with an error."""

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        result = await super().run(session, statement, depth)
        if isinstance(statement, sql.Grant):
            raise errors.unexpected()
        return result


@breaks("EXA-3")
class GrantReplaces(Engine):
    """GRANT removes all earlier privileges of the user, including CREATE SESSION."""

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        if isinstance(statement, sql.Grant):
            for user in filter(None, map(self.instance.accounts.users.get, statement.grantees)):
                user.system.clear()
        return await super().run(session, statement, depth)


@breaks("EXA-3")
class ShowsNamesInSmallLetters(ProcessList):
    """The process list shows user names in lower case."""

    def user(self, session: Session) -> str:
        name = super().user(session)
        return name if session.user.administrator else name.lower()


@breaks("EXA-3")
class NewUsersCannotLogIn(Accounts):
    """A new user's password is not accepted."""

    def create_user(self, name: str, password: str) -> User:
        user = super().create_user(name, password)
        if len(self.users) > 1:
            user.lock()
        return user


@breaks("EXA-4")
class ListLacksInfo(ProcessList):
    """The process list has no column INFO."""

    def columns(self, *, full: bool) -> tuple[Column, ...]:
        return super().columns(full=full)[:-1]

    def row(self, session: Session, *, full: bool) -> tuple[Value, ...]:
        return super().row(session, full=full)[:-1]


@breaks("EXA-4")
class ListHasAnotherOrder(ProcessList):
    """USER is the first column of the process list, ID the second."""

    def columns(self, *, full: bool) -> tuple[Column, ...]:
        first, second, *others = super().columns(full=full)
        return (second, first, *others)

    def row(self, session: Session, *, full: bool) -> tuple[Value, ...]:
        first, second, *others = super().row(session, full=full)
        return (second, first, *others)


@breaks("EXA-4")
class ListLabelsInSmallLetters(ProcessList):
    """The column names of the process list are in lower case."""

    def columns(self, *, full: bool) -> tuple[Column, ...]:
        return tuple(replace(column, label=column.label.lower()) for column in super().columns(full=full))


@breaks("EXA-4")
class IdleSessionsShowQuery(ProcessList):
    """The process list shows idle sessions as Query."""

    def command(self, session: Session) -> str:
        return "Query"


@breaks("EXA-4")
class IdleSessionsShowInfo(ProcessList):
    """The process list shows the word idle as INFO of idle sessions, instead of NULL."""

    def info(self, session: Session) -> str | None:
        return super().info(session) or "idle"


@breaks("EXA-4")
class WhoAsksShowsNoInfo(ProcessList):
    """The process list shows no statement for the session that requests it."""

    def row(self, session: Session, *, full: bool) -> tuple[Value, ...]:
        row = super().row(session, full=full)
        return (*row[:-1], None) if session.waiting is None else row


@breaks("EXA-4")
class WhoAsksIsAsleep(ProcessList):
    """The process list shows the session that requests it as asleep."""

    def rows(self, viewer: Session, *, full: bool) -> list[tuple[Value, ...]]:
        statement, viewer.statement = viewer.statement, None
        state, viewer.state = viewer.state, "SLEEP"
        try:
            return super().rows(viewer, full=full)
        finally:
            viewer.statement, viewer.state = statement, state


@breaks("EXA-4")
class ListLacksWhoAsks(ProcessList):
    """The process list doesn't contain the session that requests it."""

    def rows(self, viewer: Session, *, full: bool) -> list[tuple[Value, ...]]:
        rows = super().rows(viewer, full=full)
        return [row for row in rows if row[0] != self.id(viewer)]
