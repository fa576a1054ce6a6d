"""Clients of simulators, and helpers that execute statements."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count
from typing import Any, TypeAlias

import pymysql
import pytest
from pymysql.connections import Connection as PyMySQLConnection

from runner.database.dsn import Dsn
from tests.support.eventually import PATIENCE, eventually
from tests.support.simulator_process import SimulatorProcess

Connection: TypeAlias = "PyMySQLConnection[Any]"

ORACLE_MODE = 1 << 27


def session_id(connection: Connection) -> int:
    """The session's id, from the greeting."""
    return int(connection.thread_id())  # type: ignore[no-untyped-call]  # the stubs leave it untyped


def close_abruptly(connection: Connection) -> None:
    """Closes the socket without COM_QUIT."""
    connection._force_close()  # type: ignore[attr-defined]  # noqa: SLF001 - PyMySQL has no public way


def socket_of(connection: Connection) -> socket.socket:
    plain: socket.socket = connection._sock  # type: ignore[attr-defined]  # noqa: SLF001 - the test reads bytes
    return plain


@dataclass
class Clients:
    """The clients of one test, of the simulator at a port of 127.0.0.1."""

    port: int
    password: str
    stack: ExitStack = field(default_factory=ExitStack)
    names: Iterator[int] = field(default_factory=count)

    def connect(
        self, user: str = "SYS", password: str | None = None, *, tenant: str = "@oracle", **options: Any
    ) -> Connection:
        """Connects a client; ``tenant`` follows the user's name in the login."""
        settings: dict[str, Any] = {
            "host": "127.0.0.1",
            "port": self.port,
            "user": user + tenant,
            "password": self.password if password is None else password,
            "client_flag": ORACLE_MODE,
            "ssl_disabled": True,
            "autocommit": True,
            "read_timeout": PATIENCE,
        }
        connection: Connection = pymysql.connect(**{**settings, **options})
        self.stack.callback(close_abruptly, connection)  # also if the server has closed it
        return connection

    def new_user(self, *privileges: str) -> str:
        """Creates a user that may log in; its password is its name in lower case."""
        name = f"U{next(self.names)}"
        admin = self.connect()
        run(admin, f"CREATE USER {name} IDENTIFIED BY {name.lower()}")
        for privilege in ("CREATE SESSION", *privileges):
            run(admin, f"GRANT {privilege} TO {name}")
        admin.close()
        return name

    def connect_as(self, name: str) -> Connection:
        return self.connect(name, name.lower())

    def connect_new(self, *privileges: str) -> Connection:
        return self.connect_as(self.new_user(*privileges))

    def ids(self) -> set[int]:
        admin = self.connect()
        try:
            return {int(row[0]) for row in run(admin, "SHOW PROCESSLIST")}
        finally:
            admin.close()


@dataclass
class Simulator(Clients):
    """A simulator, and the clients of one test."""

    process: SimulatorProcess = field(kw_only=True)


def run(connection: Connection, sql: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())


def affected_rows(connection: Connection, sql: str) -> int:
    with connection.cursor() as cursor:
        return int(cursor.execute(sql))


def error_of(connection: Connection, sql: str) -> tuple[int, str]:
    with pytest.raises(pymysql.err.Error) as caught:
        run(connection, sql)
    return (caught.value.args[0], caught.value.args[1])


def error_code(connection: Connection, sql: str) -> int:
    return error_of(connection, sql)[0]


def is_disconnected(connection: Connection) -> bool:
    """Whether the server has closed the connection, not only sent an error packet."""
    try:
        run(connection, "SELECT 1 FROM DUAL")
    except (pymysql.err.InterfaceError, ConnectionError):
        return True
    except pymysql.err.OperationalError as error:
        return error.args[0] in (2006, 2013)
    return False


def is_usable(connection: Connection) -> bool:
    return run(connection, "SELECT 7 FROM DUAL") == [(7,)]


def kill_statement(victim: Connection | int, serial: str = "", tail: str = "") -> str:
    named = victim if isinstance(victim, int) else session_id(victim)
    return f"ALTER SYSTEM KILL SESSION '{named}{serial}'{tail}"


class BackgroundStatement:
    """A statement that is executed in a thread, and its error or None."""

    def __init__(self, connection: Connection, sql: str) -> None:
        self.error: Exception | None = None
        self._thread = threading.Thread(target=self._run, args=(connection, sql), daemon=True)
        self._thread.start()

    def _run(self, connection: Connection, sql: str) -> None:
        try:
            run(connection, sql)
        except Exception as error:  # noqa: BLE001 - the test checks it
            self.error = error

    def join(self) -> Exception | None:
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        return self.error


def wait_until_running(admin: Connection, victim: Connection, word: str) -> None:
    def runs() -> bool:
        rows = run(admin, "SHOW PROCESSLIST")
        return any(int(row[0]) == session_id(victim) and row[4] == "Query" and word in row[7] for row in rows)

    assert eventually(runs)


def start_simulator(*options: str) -> Simulator:
    process = SimulatorProcess(*options)
    dsn = Dsn.parse(process.dsn)
    return Simulator(dsn.port, dsn.password, process=process)


def stop_simulator(simulator: Simulator, exit_code: int = 0) -> str:
    """Stops a simulator by closing its standard input; returns its standard error."""
    assert simulator.process.stop() == exit_code
    return simulator.process.errors
