"""COMMIT, ROLLBACK, and the statements that set up a session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.simulator import errors
from runner.simulator.accounts import ALTER_SYSTEM
from runner.simulator.execute.results import Done, Result

if TYPE_CHECKING:
    from runner.simulator.execute.instance import Instance
    from runner.simulator.sessions import Session
    from runner.simulator.sql.statements import RollbackTo, Savepoint, SetAutocommit, SetSchema, Statement


async def commit(_: Instance, session: Session, __: Statement) -> Result:
    """Makes the changes everyone's."""
    commit_now(session)
    return Done()


async def roll_back(_: Instance, session: Session, __: Statement) -> Result:
    """Undoes the changes."""
    session.transaction.roll_back()
    session.savepoints.clear()
    session.in_block = False
    return Done()


async def savepoint(_: Instance, session: Session, statement: Savepoint) -> Result:
    """Marks a point to return to; a name that was used already is moved."""
    session.savepoints.pop(statement.name, None)
    session.savepoints[statement.name] = session.transaction.mark()
    return Done()


async def roll_back_to(_: Instance, session: Session, statement: RollbackTo) -> Result:
    """Undoes the changes since a point, which stays; later points are gone."""
    if statement.name not in session.savepoints:
        raise errors.no_such_savepoint(statement.name)
    session.transaction.return_to(session.savepoints[statement.name])
    names = list(session.savepoints)
    for later in names[names.index(statement.name) + 1 :]:
        del session.savepoints[later]
    return Done()


async def start_transaction(_: Instance, session: Session, __: Statement) -> Result:
    """Commits what is open; what follows is committed by COMMIT only."""
    commit_now(session)
    session.in_block = True
    return Done()


async def set_autocommit(_: Instance, session: Session, statement: SetAutocommit) -> Result:
    """Switches autocommit; switching it on commits."""
    if statement.on:
        commit_now(session)
    session.autocommit = statement.on
    return Done()


async def set_global(instance: Instance, session: Session, _: Statement) -> Result:
    """Variables of the whole server need a privilege; the simulator has none to set."""
    instance.privileges.demand(session, ALTER_SYSTEM)
    return Done()


async def set_schema(instance: Instance, session: Session, statement: SetSchema) -> Result:
    """Makes another schema the session's."""
    enter_schema(instance, session, statement.name)
    return Done()


async def nothing(_: Instance, __: Session, ___: Statement) -> Result:
    """Understood, and without effect."""
    return Done()


def enter_schema(instance: Instance, session: Session, name: str) -> None:
    """Makes another schema the session's."""
    if name not in instance.accounts.users:
        raise errors.no_such_schema()
    session.schema = name


def commit_now(session: Session) -> None:
    """Makes the changes everyone's, and ends an explicit transaction."""
    session.transaction.commit()
    session.savepoints.clear()
    session.in_block = False
