"""Executes statements about transactions, autocommit, the session's schema and global settings."""

from __future__ import annotations

from runner.simulator import errors
from runner.simulator.execute.results import Done, Result
from runner.simulator.execute.server_instance import Instance
from runner.simulator.sessions import Session
from runner.simulator.sql.statements import RollbackTo, Savepoint, SetAutocommit, SetSchema, Statement
from runner.simulator.users_and_roles import ALTER_SYSTEM


async def commit(_: Instance, session: Session, __: Statement) -> Result:
    """COMMIT."""
    commit_now(session)
    return Done()


async def roll_back(_: Instance, session: Session, __: Statement) -> Result:
    """ROLLBACK."""
    session.transaction.roll_back()
    session.savepoints.clear()
    session.explicit_transaction = False
    return Done()


async def savepoint(_: Instance, session: Session, statement: Savepoint) -> Result:
    """SAVEPOINT; an existing name is replaced."""
    session.savepoints.pop(statement.name, None)
    session.savepoints[statement.name] = session.transaction.savepoint()
    return Done()


async def roll_back_to(_: Instance, session: Session, statement: RollbackTo) -> Result:
    """ROLLBACK TO a savepoint, which stays; later ones are removed."""
    if statement.name not in session.savepoints:
        raise errors.no_such_savepoint(statement.name)
    session.transaction.roll_back_to(session.savepoints[statement.name])
    names = list(session.savepoints)
    for later in names[names.index(statement.name) + 1 :]:
        del session.savepoints[later]
    return Done()


async def start_transaction(_: Instance, session: Session, __: Statement) -> Result:
    """START TRANSACTION: commits the open transaction; autocommit is off until the next COMMIT."""
    commit_now(session)
    session.explicit_transaction = True
    return Done()


async def set_autocommit(_: Instance, session: Session, statement: SetAutocommit) -> Result:
    """SET AUTOCOMMIT; switching it on commits the open transaction."""
    if statement.on:
        commit_now(session)
    session.autocommit = statement.on
    return Done()


async def set_global(instance: Instance, session: Session, _: Statement) -> Result:
    """SET GLOBAL needs a privilege, and has no effect."""
    instance.privileges.require(session, ALTER_SYSTEM)
    return Done()


async def set_schema(instance: Instance, session: Session, statement: SetSchema) -> Result:
    """Changes the session's schema."""
    enter_schema(instance, session, statement.name)
    return Done()


async def nothing(_: Instance, __: Session, ___: Statement) -> Result:
    """A statement without effect."""
    return Done()


def enter_schema(instance: Instance, session: Session, name: str) -> None:
    """Changes the session's schema."""
    if name not in instance.accounts.users:
        raise errors.no_such_schema()
    session.schema = name


def commit_now(session: Session) -> None:
    """Commits the open transaction, and ends an explicit one."""
    session.transaction.commit()
    session.savepoints.clear()
    session.explicit_transaction = False
