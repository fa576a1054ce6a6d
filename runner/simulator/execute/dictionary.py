"""The data dictionary: its views, the users that may read them, and the system variables that client libraries read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from runner.simulator import errors
from runner.simulator.execute.server_instance import Instance
from runner.simulator.sessions import Session
from runner.simulator.settings import VERSION
from runner.simulator.sql.statements import Name
from runner.simulator.users_and_roles import ADMINISTRATOR, TableName
from runner.simulator.values import Value
from runner.simulator.wire import TYPE_DECIMAL, Column

Content = Callable[[Instance, Session], list[tuple[Value, ...]]]


@dataclass(frozen=True, slots=True)
class View:
    """A view; a restricted one needs SELECT ANY DICTIONARY, or SELECT on it."""

    columns: tuple[Column, ...]
    content: Content
    restricted: bool = False


def find_view(instance: Instance, session: Session, name: Name) -> View | None:
    """The view with this name, or None, also if the session may not read it."""
    view = _VIEWS.get(name[1]) if name[0] in (None, "SYS") else None
    if view is None or not view.restricted:
        return view
    privileges = instance.privileges
    may_read = privileges.holds(session, "SELECT ANY DICTIONARY") or privileges.holds_on(
        session, full_view_name(name), "SELECT"
    )
    return view if may_read else None


def full_view_name(name: Name) -> TableName:
    """The name of a view with its schema."""
    return (ADMINISTRATOR, name[1])


def _users(instance: Instance, _: Session) -> list[tuple[Value, ...]]:
    return [(user.name, user.number) for user in instance.accounts.users.values()]


def _tables(instance: Instance, _: Session) -> list[tuple[Value, ...]]:
    return list(instance.tables.names())


def _own_tables(instance: Instance, session: Session) -> list[tuple[Value, ...]]:
    return [(table,) for owner, table in instance.tables.names() if owner == session.user.name]


def _roles(instance: Instance, _: Session) -> list[tuple[Value, ...]]:
    return [(name,) for name in instance.accounts.roles]


def _version(_: Instance, __: Session) -> list[tuple[Value, ...]]:
    return [(f"{PRODUCT} {VERSION}",)]


def _privileges(instance: Instance, session: Session) -> list[tuple[Value, ...]]:
    return [(name,) for name in instance.privileges.held(session)]


def _processes(instance: Instance, session: Session) -> list[tuple[Value, ...]]:
    return instance.process_list.rows(session, full=False)


_USER_COLUMNS = (Column("USERNAME"), Column("USER_ID", TYPE_DECIMAL))
_PROCESS_COLUMNS = (
    Column("ID", TYPE_DECIMAL),
    *(Column(label) for label in ("USER", "HOST", "DB", "COMMAND")),
    Column("TIME", TYPE_DECIMAL),
    Column("STATE"),
    Column("INFO"),
)
_TABLE_COLUMNS = (Column("OWNER"), Column("TABLE_NAME"))

_VIEWS = {
    "ALL_USERS": View(_USER_COLUMNS, _users),
    "DBA_USERS": View(_USER_COLUMNS, _users, restricted=True),
    "DBA_TABLES": View(_TABLE_COLUMNS, _tables, restricted=True),
    "DBA_ROLES": View((Column("ROLE"),), _roles, restricted=True),
    "USER_TABLES": View((Column("TABLE_NAME"),), _own_tables),
    "GV$OB_PROCESSLIST": View(_PROCESS_COLUMNS, _processes),
    "V$OB_PROCESSLIST": View(_PROCESS_COLUMNS, _processes),
    "SESSION_PRIVS": View((Column("PRIVILEGE"),), _privileges),
    "V$VERSION": View((Column("BANNER"),), _version),
}


PRODUCT = "OceanBase simulator (session surface of Oracle mode)"

_VARIABLES: dict[str, Value] = {
    "VERSION": VERSION,
    "VERSION_COMMENT": PRODUCT,
    "OB_COMPATIBILITY_MODE": "ORACLE",
    "TX_ISOLATION": "READ-COMMITTED",
    "TRANSACTION_ISOLATION": "READ-COMMITTED",
    "TX_READ_ONLY": 0,
    "MAX_ALLOWED_PACKET": 16 * 1024 * 1024,
    "LOWER_CASE_TABLE_NAMES": 2,
    "AUTO_INCREMENT_INCREMENT": 1,
    "CHARACTER_SET_CLIENT": "utf8mb4",
    "CHARACTER_SET_CONNECTION": "utf8mb4",
    "CHARACTER_SET_RESULTS": "utf8mb4",
    "CHARACTER_SET_SERVER": "utf8mb4",
    "COLLATION_CONNECTION": "utf8mb4_bin",
    "COLLATION_SERVER": "utf8mb4_bin",
    "INTERACTIVE_TIMEOUT": 28_800,
    "WAIT_TIMEOUT": 28_800,
    "NET_WRITE_TIMEOUT": 60,
    "SQL_MODE": "PIPES_AS_CONCAT,STRICT_ALL_TABLES,PAD_CHAR_TO_FULL_LENGTH",
    "SYSTEM_TIME_ZONE": "+00:00",
    "TIME_ZONE": "+00:00",
    "LICENSE": "Apache-2.0",
}


def system_variables(session: Session) -> Iterator[tuple[str, Value]]:
    """All variables by name, in lower case, with their values."""
    for name, value in sorted({**_VARIABLES, "AUTOCOMMIT": "ON" if session.autocommit else "OFF"}.items()):
        yield name.lower(), value


def system_variable(name: str, session: Session) -> Value:
    """The value of ``@@name``, with or without a scope."""
    plain = name.lstrip("@").rpartition(".")[2]
    if plain == "AUTOCOMMIT":
        return int(session.autocommit)
    if not name.startswith("@@") or plain not in _VARIABLES:
        raise errors.unknown_variable(plain.lower())
    return _VARIABLES[plain]
