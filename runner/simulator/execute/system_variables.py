"""The system variables that client libraries read."""

from __future__ import annotations

from collections.abc import Iterator

from runner.simulator import errors
from runner.simulator.sessions import Session
from runner.simulator.settings import VERSION
from runner.simulator.values import Value

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
