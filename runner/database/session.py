"""One connection to the target, and everything that can be heard on it.

PyMySQL speaks the protocol on a socket that is opened here, so that an idle connection can be listened to without
sending anything: whether, and with which last words, the server closed it.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from typing import Any

import pymysql
from pymysql.constants import COMMAND

from runner.database.dsn import Dsn
from runner.database.line import Line
from runner.database.outcome import Lost, NoReply, Ok, Outcome, Rows, ServerError

_SILENCE = 3600.0  # seconds: the executor's limits apply, never PyMySQL's own
_STATEMENT_ID = struct.Struct("<xI")


@dataclass(frozen=True)
class Login:
    """Who logs in, and how the target wants it."""

    dsn: Dsn
    user: str
    password: str
    client_flag: int


@dataclass(frozen=True)
class Hangup:
    """How a connection ended, heard on an idle connection: ``closed``, ``reset``, with an error packet or without."""

    manner: str
    error: ServerError | None = None

    @property
    def kind(self) -> str:
        """``closed`` or ``reset`` without a word, or ``error`` if an error packet came first."""
        return "error" if self.error else self.manner

    def __str__(self) -> str:
        return self.manner + (f" after {self.error}" if self.error else ", nothing sent")


class Session:
    """A connection; every statement runs in the session's own thread, so that it can be sent now and awaited later."""

    def __init__(self, login: Login) -> None:
        self._login = login
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="session")
        self._pending: Future[Outcome] | None = None
        self._line: Line | None = None
        self._connection: Any = None
        self._last_words: ServerError | None = None
        self.hangup: Hangup | None = None
        self.handshake_id: int | None = None

    def open(self, limit: float) -> Outcome:
        """Connects and logs in, in at most ``limit`` seconds. A refusal is a ServerError."""
        self.begin_open(limit)
        return self.result(limit)

    def begin_open(self, limit: float) -> None:
        """Begins to log in; ``result`` takes the outcome."""
        self._start(lambda: self._connect(limit))

    def execute(self, statement: str, limit: float, *, prepared: bool = False) -> Outcome:
        """Sends a statement and waits ``limit`` seconds for its answer."""
        self.send(statement, prepared=prepared)
        return self.result(limit)

    def send(self, statement: str, *, prepared: bool = False) -> None:
        """Sends a statement; ``result`` takes the answer."""
        self.listen()  # what came before is no answer to this
        self._last_words = None
        run = self._run_prepared if prepared else self._run
        self._start(lambda: run(statement))

    def result(self, limit: float) -> Outcome:
        """The answer to what was sent last, or NoReply after ``limit`` seconds; it can be asked for again then."""
        assert self._pending is not None, "nothing was sent"  # noqa: S101 - a caller's mistake, not an input
        try:
            outcome = self._pending.result(timeout=limit)
        except FutureTimeoutError:
            return NoReply(limit)
        self._pending = None
        if isinstance(outcome, Lost):
            self._hang_up("reset" if "reset" in outcome.how.lower() else "closed")
        elif isinstance(outcome, ServerError):
            self._last_words = outcome
        return outcome

    def _hang_up(self, manner: str) -> None:
        if self.hangup is None:
            overheard = self._line.last_error() if self._line is not None else None
            self.hangup = Hangup(manner, overheard or self._last_words)

    @property
    def busy(self) -> bool:
        """Whether a statement is in flight, its answer not yet taken or not yet here."""
        return self._pending is not None

    @property
    def answered(self) -> bool:
        """Whether the answer to what is in flight is here."""
        return self._pending is not None and self._pending.done()

    def listen(self) -> Hangup | None:
        """How the server ended this connection, or None as far as one can hear without asking; never waits."""
        if self.hangup is not None or self._line is None:
            return self.hangup
        if self._pending is not None:
            if not self._pending.done():
                return None  # its own thread is listening
            outcome = self._pending.result()
            if isinstance(outcome, Lost):
                self._hang_up("reset" if "reset" in outcome.how.lower() else "closed")
                return self.hangup
            self._last_words = outcome if isinstance(outcome, ServerError) else None
        manner = self._line.overhear()
        if manner is not None:
            self._hang_up(manner)
        return self.hangup

    def close(self) -> None:
        """Says goodbye and closes the socket; never raises, and waits for nothing."""
        connection, pending = self._connection, self._pending
        if connection is not None and pending is None and self.hangup is None and self._line is not None:
            with contextlib.suppress(Exception):  # a dead connection is what we want
                self._line.settimeout(1)
                self._line.sendall(struct.pack("<i", 1) + bytes([COMMAND.COM_QUIT]))
        self.abandon()

    def abandon(self) -> None:
        """Closes the socket without a word, as a client that crashes does."""
        if self._line is not None:
            with contextlib.suppress(OSError):
                self._line.shutdown(socket.SHUT_RDWR)
            self._line.close()
        self._thread.shutdown(wait=False)

    @property
    def local_address(self) -> str | None:
        """This end of a TCP connection as ``ip:port``, as HOST in a process list may show it."""
        if self._line is None or self._line.family == socket.AF_UNIX:
            return None
        with contextlib.suppress(OSError):
            host, port = self._line.getsockname()[:2]
            return f"{host}:{port}"
        return None

    def _start(self, work: Callable[[], Outcome]) -> None:
        assert self._pending is None, "a statement is in flight already"  # noqa: S101 - a caller's mistake
        self._pending = self._thread.submit(_classified, work)

    def _connect(self, limit: float) -> Outcome:
        dsn = self._login.dsn
        deadline = time.monotonic() + limit
        self._line = line = (
            Line.to_unix_socket(dsn.unix_socket, limit) if dsn.unix_socket else Line.to_host(dsn.host, dsn.port, limit)
        )
        connection: Any = _Connection(
            user=self._login.user,
            password=self._login.password,
            client_flag=self._login.client_flag,
            # PyMySQL would otherwise prepare a TLS context for every connect: 25 ms.
            ssl_disabled=True,
            conv={},
            use_unicode=False,  # others' statements in the list may be in any encoding
            autocommit=None,
            defer_connect=True,
            read_timeout=max(0.1, deadline - time.monotonic()),
            write_timeout=limit,
        )
        connection.connect(line)
        # The login's limit must not cut a statement that is meant to take long.
        connection._read_timeout = _SILENCE  # noqa: SLF001 - PyMySQL has no public way to change it after the login
        self._connection = connection
        self.handshake_id = connection.thread_id()
        return Ok()

    def _run(self, statement: str) -> Outcome:
        with self._connection.cursor() as cursor:
            cursor.execute(statement)
            if cursor.description is None:
                return Ok(cursor.rowcount, cursor.warning_count)
            columns = tuple(column[0] for column in cursor.description)
            return Rows(columns, tuple(tuple(_text(value) for value in row) for row in cursor.fetchall()))

    def _run_prepared(self, statement: str) -> Outcome:
        """COM_STMT_PREPARE and COM_STMT_EXECUTE without parameters, which PyMySQL doesn't offer."""
        wire = self._connection
        wire._execute_command(COMMAND.COM_STMT_PREPARE, statement)  # noqa: SLF001 - the only way to send a command
        head = wire._read_packet().get_all_data()  # noqa: SLF001 - as above
        (statement_id,) = _STATEMENT_ID.unpack_from(head)
        columns, parameters = struct.unpack_from("<HH", head, 5)
        for count in (parameters, columns):
            for _ in range(count + 1 if count else 0):  # definitions, then an EOF packet
                wire._read_packet()  # noqa: SLF001 - as above
        wire._execute_command(COMMAND.COM_STMT_EXECUTE, struct.pack("<IBI", statement_id, 0, 1))  # noqa: SLF001
        first = wire._read_packet()  # noqa: SLF001 - as above
        if not first.is_ok_packet():
            raise _BinaryRowsError
        data = first.get_all_data()
        return Ok(affected=data[1], warnings=0)


class _Connection(pymysql.Connection):
    """PyMySQL's connection, for servers that don't know SET NAMES: the handshake has said the character set already."""

    def set_character_set(self, charset: str, collation: str | None = None) -> None:
        """Says SET NAMES; a server that refuses it is none the worse."""
        try:
            super().set_character_set(charset, collation)
        except pymysql.MySQLError as error:
            if getattr(error, "sqlstate", None) is None:
                raise


class _BinaryRowsError(Exception):
    """A prepared statement answered with rows, which no case needs."""


def _text(value: Any) -> str | None:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else None if value is None else str(value)


def _classified(work: Callable[[], Outcome]) -> Outcome:
    """Runs something on the wire and makes every way in which it can end an Outcome."""
    try:
        return work()
    except pymysql.MySQLError as error:
        return _from_pymysql(error)
    except TimeoutError:
        return NoReply(0)
    except OSError as error:
        return Lost(error.strerror or str(error))
    except Exception as error:  # noqa: BLE001 - PyMySQL answers garbage with whatever its parser stumbles over
        return Lost(f"unreadable reply: {type(error).__name__}")


def _from_pymysql(error: pymysql.MySQLError) -> Outcome:
    cause: BaseException | None = error.__context__ or getattr(error, "original_exception", None)
    if isinstance(cause, TimeoutError):
        return NoReply(0)
    if isinstance(cause, ConnectionResetError | BrokenPipeError):
        return Lost("reset")
    code = error.args[0] if error.args else None
    sqlstate = getattr(error, "sqlstate", None)
    client_side = isinstance(error, pymysql.InterfaceError) or code in {2003, 2006, 2013, 2014}
    if not isinstance(code, int) or (client_side and sqlstate is None):
        return Lost(str(error.args[-1]) if error.args and error.args[-1] else "closed")
    return ServerError(code & 0xFFFF, sqlstate or "", str(error.args[1]) if len(error.args) > 1 else "")
