"""Parses and executes statements: a text gives a result or an error."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from runner.simulator import errors
from runner.simulator.execute import queries, table_changes, transactions, users
from runner.simulator.execute.results import Done, Result
from runner.simulator.execute.server_instance import Instance
from runner.simulator.sessions import Session
from runner.simulator.sql import statements as sql
from runner.simulator.sql.parser import Parser

# Any: each function takes the class of statement for which it is registered below.
Handler = Callable[[Instance, Session, Any], Awaitable[Result]]

NESTING_LIMIT = 16

_HANDLERS: dict[type[sql.Statement], Handler] = {
    sql.AlterUser: users.alter_user,
    sql.Commit: transactions.commit,
    sql.Count: queries.count,
    sql.CreateRole: users.create_role,
    sql.CreateTable: table_changes.create_table,
    sql.CreateUser: users.create_user,
    sql.Delete: table_changes.delete,
    sql.DropRole: users.drop_role,
    sql.DropTable: table_changes.drop_table,
    sql.DropUser: users.drop_user,
    sql.Grant: users.grant,
    sql.GrantOn: users.grant_on,
    sql.Insert: table_changes.insert,
    sql.Nothing: transactions.nothing,
    sql.Revoke: users.revoke,
    sql.RevokeOn: users.revoke_on,
    sql.Rollback: transactions.roll_back,
    sql.RollbackTo: transactions.roll_back_to,
    sql.Savepoint: transactions.savepoint,
    sql.Select: queries.select,
    sql.SetAutocommit: transactions.set_autocommit,
    sql.SetGlobal: transactions.set_global,
    sql.SetSchema: transactions.set_schema,
    sql.ShowProcessList: queries.show_process_list,
    sql.ShowVariables: queries.show_variables,
    sql.Sleep: queries.sleep,
    sql.StartTransaction: transactions.start_transaction,
    sql.Update: table_changes.update,
}


class Engine:
    """Parses and executes the statements of all sessions."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self._parser = Parser(instance.kill_grammar, instance.plain_kill_grammar)

    def parse(self, text: str) -> sql.Statement:
        """Parses a text; raises a syntax error."""
        return self._parser.parse(text)

    def split(self, text: str) -> tuple[str, str]:
        """The first of several statements in a text, and the remaining text."""
        return self._parser.split(text)

    async def execute(self, session: Session, text: str) -> Result:
        """Executes the statement in a text for a session; a failed statement has no effect."""
        statement = self.parse(text)
        if isinstance(statement, sql.Definition):
            transactions.commit_now(session)
        mark = session.transaction.savepoint()
        try:
            result = await self.run(session, statement)
        except errors.SessionEndedError:
            raise  # the transaction is rolled back already
        except Exception:
            session.transaction.roll_back_to(mark)
            raise
        finally:
            if session.autocommit and not session.explicit_transaction and not session.ended:
                transactions.commit_now(session)
        return result

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        """Executes a statement, also one inside a block; ``depth`` is the level of EXECUTE IMMEDIATE."""
        match statement:
            case sql.KillSession():
                return await self.instance.kill.run(session, statement)
            case sql.Kill():
                return await self.instance.plain_kill.run(session, statement)
            case sql.Block():
                return await self._run_block(session, statement, depth)
            case sql.ExecuteImmediate():
                if depth > NESTING_LIMIT:
                    raise errors.not_supported("deeper nesting")
                inner = self.parse(statement.text)
                if isinstance(inner, sql.Definition):
                    transactions.commit_now(session)
                return await self.run(session, inner, depth + 1)
        return await _HANDLERS[type(statement)](self.instance, session, statement)

    async def _run_block(self, session: Session, block: sql.Block, depth: int) -> Result:
        mark = session.transaction.savepoint()
        try:
            for statement in block.statements:
                mark = session.transaction.savepoint()
                await self.run(session, statement, depth)
                if session.ended:
                    break
        except errors.SqlError:
            if not block.handler:
                raise
            session.transaction.roll_back_to(mark)  # undoes the failed statement only, as PL/SQL does
            return await self._run_block(session, sql.Block(block.handler), depth)
        return Done()
