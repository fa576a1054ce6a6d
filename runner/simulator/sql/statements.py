"""The statements, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass

from runner.simulator.sql.expressions import Condition, Expression
from runner.simulator.tables import TableColumn

Name = tuple[str | None, str]


@dataclass(frozen=True, slots=True)
class Statement:
    """Base class of statements."""


@dataclass(frozen=True, slots=True)
class Definition(Statement):
    """Base class of DDL statements, which commit the open transaction."""


@dataclass(frozen=True, slots=True)
class KillSession(Statement):
    """ALTER SYSTEM KILL SESSION; ``text`` is the text between the quotes."""

    text: str
    immediate: bool = False


@dataclass(frozen=True, slots=True)
class Kill(Statement):
    """The plain KILL of a session, or of its running statement; ``scope`` is CONNECTION, QUERY or None."""

    text: str
    query_only: bool = False
    scope: str | None = None


@dataclass(frozen=True, slots=True)
class ShowProcessList(Statement):
    """SHOW [FULL] PROCESSLIST."""

    full: bool = False


@dataclass(frozen=True, slots=True)
class ShowVariables(Statement):
    """SHOW VARIABLES; ``pattern`` is the text after LIKE."""

    pattern: str | None = None


@dataclass(frozen=True, slots=True)
class CreateUser(Definition):
    """CREATE USER."""

    name: str
    password: str


@dataclass(frozen=True, slots=True)
class AlterUser(Definition):
    """ALTER USER: another password."""

    name: str
    password: str


@dataclass(frozen=True, slots=True)
class DropUser(Definition):
    """DROP USER."""

    name: str
    cascade: bool


@dataclass(frozen=True, slots=True)
class CreateRole(Definition):
    """CREATE ROLE."""

    name: str


@dataclass(frozen=True, slots=True)
class DropRole(Definition):
    """DROP ROLE."""

    name: str


@dataclass(frozen=True, slots=True)
class Grant(Definition):
    """GRANT of system privileges and roles."""

    privileges: tuple[str, ...]
    roles: tuple[str, ...]
    grantees: tuple[str, ...]
    grantable: bool = False


@dataclass(frozen=True, slots=True)
class Revoke(Definition):
    """REVOKE of system privileges and roles."""

    privileges: tuple[str, ...]
    roles: tuple[str, ...]
    grantees: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GrantOn(Definition):
    """GRANT of privileges on a table."""

    privileges: tuple[str, ...]
    table: Name
    grantees: tuple[str, ...]
    grantable: bool = False


@dataclass(frozen=True, slots=True)
class RevokeOn(Definition):
    """REVOKE of privileges on a table."""

    privileges: tuple[str, ...]
    table: Name
    grantees: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CreateTable(Definition):
    """CREATE TABLE."""

    table: Name
    columns: tuple[TableColumn, ...]
    key: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DropTable(Definition):
    """DROP TABLE."""

    table: Name


@dataclass(frozen=True, slots=True)
class Insert(Statement):
    """INSERT of one or more rows."""

    table: Name
    columns: tuple[str, ...]
    rows: tuple[tuple[Expression, ...], ...]


@dataclass(frozen=True, slots=True)
class Update(Statement):
    """UPDATE."""

    table: Name
    changes: tuple[tuple[str, Expression], ...]
    where: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Delete(Statement):
    """DELETE."""

    table: Name
    where: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Item:
    """One column of a SELECT; without an expression it means all columns."""

    label: str
    expression: Expression | None


@dataclass(frozen=True, slots=True)
class RowLock:
    """FOR UPDATE, with the time limit of WAIT or NOWAIT in seconds."""

    seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Select(Statement):
    """SELECT from a table, a view, or DUAL."""

    items: tuple[Item, ...]
    table: Name | None = None
    where: tuple[Condition, ...] = ()
    order: tuple[tuple[Expression, bool], ...] = ()
    lock: RowLock | None = None
    joined: tuple[Name, ...] = ()
    """Further tables, joined without conditions."""


@dataclass(frozen=True, slots=True)
class Sleep(Statement):
    """A call of DBMS_LOCK.SLEEP."""

    seconds: Expression


@dataclass(frozen=True, slots=True)
class Count(Statement):
    """A block that counts in a loop for so many seconds."""

    seconds: Expression


@dataclass(frozen=True, slots=True)
class ExecuteImmediate(Statement):
    """EXECUTE IMMEDIATE, inside a block."""

    text: str


@dataclass(frozen=True, slots=True)
class Block(Statement):
    """BEGIN … END; the handler's statements are executed in place of the remaining ones after any error."""

    statements: tuple[Statement, ...]
    handler: tuple[Statement, ...] = ()


@dataclass(frozen=True, slots=True)
class Nothing(Statement):
    """A statement without effect: the reply is OK."""


@dataclass(frozen=True, slots=True)
class Commit(Statement):
    """COMMIT."""


@dataclass(frozen=True, slots=True)
class Rollback(Statement):
    """ROLLBACK."""


@dataclass(frozen=True, slots=True)
class Savepoint(Statement):
    """SAVEPOINT."""

    name: str


@dataclass(frozen=True, slots=True)
class RollbackTo(Statement):
    """ROLLBACK TO a savepoint."""

    name: str


@dataclass(frozen=True, slots=True)
class StartTransaction(Statement):
    """START TRANSACTION, or BEGIN."""


@dataclass(frozen=True, slots=True)
class SetAutocommit(Statement):
    """SET AUTOCOMMIT."""

    on: bool


@dataclass(frozen=True, slots=True)
class SetGlobal(Statement):
    """SET GLOBAL of any variable: needs a privilege, changes nothing."""


@dataclass(frozen=True, slots=True)
class SetSchema(Statement):
    """ALTER SESSION SET CURRENT_SCHEMA."""

    name: str
