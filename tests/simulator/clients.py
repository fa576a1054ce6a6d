"""Servers as real processes, clients for them, and what tests ask them."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pymysql
import pytest
from waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pymysql.connections import Connection as PyMySQLConnection

    Connection = PyMySQLConnection[Any]

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 15.0
ORACLE_MODE = 1 << 27


def number(connection: Connection) -> int:
    """The session's id, as the greeting named it."""
    return int(connection.thread_id())  # type: ignore[no-untyped-call]  # the stubs leave it untyped


def cut_off(connection: Connection) -> None:
    """Closes the socket without a goodbye."""
    connection._force_close()  # type: ignore[attr-defined]  # noqa: SLF001 - PyMySQL has no public way


def socket_of(connection: Connection) -> socket.socket:
    plain: socket.socket = connection._sock  # type: ignore[attr-defined]  # noqa: SLF001 - the bytes are the question
    return plain


def launch(*options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "runner.simulator", "--port", "0", *options]
    return subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@dataclass
class Simulator:
    """One running server, and the clients of one test."""

    port: int
    password: str
    process: subprocess.Popen[str]
    stack: ExitStack = field(default_factory=ExitStack)
    names: Iterator[int] = field(default_factory=count)

    def connect(
        self, user: str = "SYS", password: str | None = None, *, tenant: str = "@oracle", **options: Any
    ) -> Connection:
        """A client of a user; `tenant` is what stands behind the user's name in the login."""
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
        self.stack.callback(cut_off, connection)  # also where the server has closed it already
        return connection

    def new_user(self, *privileges: str) -> str:
        """A new user that may log in; its password is its name in lower case."""
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


def run(connection: Connection, sql: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())


def affected(connection: Connection, sql: str) -> int:
    with connection.cursor() as cursor:
        return int(cursor.execute(sql))


def refusal(connection: Connection, sql: str) -> tuple[int, str]:
    with pytest.raises(pymysql.err.Error) as caught:
        run(connection, sql)
    return (caught.value.args[0], caught.value.args[1])


def code(connection: Connection, sql: str) -> int:
    return refusal(connection, sql)[0]


def is_lost(connection: Connection) -> bool:
    """Whether the server has closed the connection: a closed socket, not an error packet."""
    try:
        run(connection, "SELECT 1 FROM DUAL")
    except (pymysql.err.InterfaceError, ConnectionError):
        return True
    except pymysql.err.OperationalError as error:
        return error.args[0] in (2006, 2013)
    return False


def works(connection: Connection) -> bool:
    return run(connection, "SELECT 7 FROM DUAL") == [(7,)]


def kill(victim: Connection | int, serial: str = "", tail: str = "") -> str:
    named = victim if isinstance(victim, int) else number(victim)
    return f"ALTER SYSTEM KILL SESSION '{named}{serial}'{tail}"


class Background:
    """A statement that runs in a thread, and how it ended."""

    def __init__(self, connection: Connection, sql: str) -> None:
        self.error: Exception | None = None
        self._thread = threading.Thread(target=self._run, args=(connection, sql), daemon=True)
        self._thread.start()

    def _run(self, connection: Connection, sql: str) -> None:
        try:
            run(connection, sql)
        except Exception as error:  # noqa: BLE001 - what it is, is the test's question
            self.error = error

    def join(self) -> Exception | None:
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        return self.error


def wait_until_running(admin: Connection, victim: Connection, word: str) -> None:
    def runs() -> bool:
        rows = run(admin, "SHOW PROCESSLIST")
        return any(int(row[0]) == number(victim) and row[4] == "Query" and word in row[7] for row in rows)

    assert eventually(runs)


def started(*options: str) -> Simulator:
    process = launch("--until-stdin-closes", *options)
    assert process.stdout is not None
    dsn = urlsplit(process.stdout.readline().strip())
    assert dsn.port is not None
    assert dsn.password is not None
    return Simulator(dsn.port, dsn.password, process)


def stopped(simulator: Simulator, exit_code: int = 0) -> str:
    """Stops a server as its parent's end would; the answer is what it said on the way."""
    _, words = simulator.process.communicate(timeout=PATIENCE)
    assert simulator.process.returncode == exit_code
    return words
