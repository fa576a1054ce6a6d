"""Servers without statements that prepare or check a test; the statement under test is correct."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

import re
from typing import ClassVar

from runner.simulator import errors
from runner.simulator.catalogue import environment
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.results import Result
from runner.simulator.sessions import Session
from runner.simulator.sql import statements as sql


class _WithoutStatements(Engine):
    """Refuses every statement that matches ``lacking``."""

    lacking: ClassVar[str]

    def parse(self, text: str) -> sql.Statement:
        if re.search(self.lacking, text, re.IGNORECASE):
            raise self.refusal(text)
        return super().parse(text)

    def refusal(self, text: str) -> errors.SqlError:
        return errors.SqlError(
            1064, errors.SYNTAX, f"You have an error in your SQL syntax near '{text[:40]}'", oracle=False
        )


@environment
class WithoutOrderBy(_WithoutStatements):
    """ORDER BY is a syntax error."""

    lacking = r"\bORDER\s+BY\b"


@environment
class WithoutDual(_WithoutStatements):
    """The table DUAL doesn't exist; a SELECT of constants has no FROM."""

    lacking = r"\bFROM\s+DUAL\b"

    def parse(self, text: str) -> sql.Statement:
        if re.match(r"\s*SELECT\b", text, re.IGNORECASE) and not re.search(r"\bFROM\b", text, re.IGNORECASE):
            return Engine.parse(self, f"{text} FROM DUAL")
        return super().parse(text)

    def refusal(self, text: str) -> errors.SqlError:  # noqa: ARG002 - the same error for every text
        return errors.SqlError(1146, "42S02", "Table 'sys.dual' doesn't exist", oracle=False)


@environment
class WithoutComments(_WithoutStatements):
    """A comment is a syntax error, also before a statement."""

    lacking = r"/\*|--"


@environment
class WithoutSavepoints(_WithoutStatements):
    """SAVEPOINT is a syntax error."""

    lacking = r"\bSAVEPOINT\b"


@environment
class WithoutForUpdate(_WithoutStatements):
    """SELECT … FOR UPDATE gives an error with a message only, without a known code."""

    lacking = r"\bFOR\s+UPDATE\b"

    def refusal(self, text: str) -> errors.SqlError:  # noqa: ARG002 - the same error for every text
        return errors.SqlError(1105, errors.GENERAL, "unsupported: SELECT with a locking clause", oracle=False)


@environment
class WithoutTransactions(_WithoutStatements):
    """Every change is committed at once, and the statements of transactions are unknown."""

    lacking = r"\b(?:AUTOCOMMIT|START\s+TRANSACTION|COMMIT|ROLLBACK)\b"


@environment
class WithoutUpdate(_WithoutStatements):
    """UPDATE is not supported for the tables that can be created."""

    lacking = r"^\s*UPDATE\b"

    def refusal(self, text: str) -> errors.SqlError:  # noqa: ARG002 - the same error for every text
        return errors.SqlError(1235, errors.SYNTAX, "This version doesn't yet support 'UPDATE'", oracle=False)


@environment
class WithoutColumnReferences(_WithoutStatements):
    """UPDATE can't compute a value from a column."""

    lacking = r"\bval\s*=\s*val\b"

    def refusal(self, text: str) -> errors.SqlError:  # noqa: ARG002 - the same error for every text
        return errors.SqlError(1054, "42S22", "Unknown column 'val' in 'field list'", oracle=False)


@environment
class WithoutSleep(_WithoutStatements):
    """No statement with a chosen duration exists."""

    lacking = r"\bSLEEP\b|\bLOOP\b"

    def refusal(self, text: str) -> errors.SqlError:  # noqa: ARG002 - the same error for every text
        return errors.SqlError(1305, errors.SYNTAX, "FUNCTION sleep does not exist", oracle=False)


@environment
class NoRoles(Engine):
    """CREATE ROLE is a syntax error, as on a server that has no roles."""

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        if isinstance(statement, sql.CreateRole):
            raise errors.syntax_error("ROLE", 1)
        return await super().run(session, statement, depth)


@environment
class NoRolesAndNoListOfThem(NoRoles):
    """CREATE ROLE is a syntax error, and the view DBA_ROLES doesn't exist."""

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        if isinstance(statement, sql.Select) and statement.table is not None and statement.table[1] == "DBA_ROLES":
            raise errors.no_such_table()
        return await super().run(session, statement, depth)
