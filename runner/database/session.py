"""One connection to the target, and everything that can be heard on it.

PyMySQL speaks the protocol on a socket that is opened here, so that an idle connection can be listened to without
sending anything: whether, and with which last words, the server closed it.
"""

from __future__ import annotations

import contextlib
import ssl
import struct
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, field
from typing import Any

import pymysql
from pymysql.constants import COMMAND, CR

from runner.database.connection import Connection, LoginError
from runner.database.dsn import Dsn
from runner.database.dsnoptions import DsnError
from runner.database.line import Line, TooLargeError
from runner.database.outcome import GivenUp, Lost, NoReply, Ok, Outcome, Rows, ServerError, Unreadable

_SENDING = 10.0  # seconds for the server to take a statement
_SLACK = 1.0  # seconds for the thread of a login, which keeps the limit itself, to say how far it came
_LONGEST_MESSAGE = 65536  # characters that are kept of an error's text
_TURNED_AWAY = "08"  # sqlstates of this class are about the connection, not about who logs in
_STATEMENT_ID = struct.Struct("<xI")


@dataclass(frozen=True)
class Login:
    """Who logs in, and how the target wants it."""

    dsn: Dsn
    user: str
    password: str = field(repr=False)
    client_flag: int


@dataclass(frozen=True)
class Greeting:
    """What the server's handshake said: its version, its capability bits, a thread id; and the TLS cipher, or None."""

    version: str = ""
    capabilities: int = 0
    thread_id: int | None = None
    cipher: str | None = None


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
    """A connection. A statement is sent now and its answer taken later; what comes meanwhile waits on the line."""

    def __init__(self, login: Login) -> None:
        self._login = login
        self._logging_in: Future[Outcome] | None = None
        self._line: Line | None = None
        self._connection: Any = None
        self._in_flight: Callable[[], Outcome] | None = None
        """What reads the answer to the statement that was sent; None if none is."""
        self._answer: Outcome | None = None
        """That answer, read but not yet taken."""
        self._last_words: ServerError | None = None
        self._unreadable: Unreadable | None = None
        """What came once and was no reply: from there on no answer can be told from another."""
        self.hangup: Hangup | None = None
        self.greeting = Greeting()

    def open(self, limit: float) -> Outcome:
        """Connects and logs in, in at most ``limit`` seconds.

        A refusal is a ServerError; who is turned away, whoever it is, is Lost.
        """
        outcome = _classified(lambda: self._connect(limit), limit)
        return outcome if isinstance(outcome, Ok) else self._not_open(outcome, limit)

    def _not_open(self, outcome: Outcome, limit: float) -> Outcome:
        """Says how far a login came."""
        line, greeted = self._line, getattr(self._connection, "server_version", None) is not None
        missing = "answer to the login" if greeted else "handshake"
        if line is None:
            missing = "connection to the socket" if self._login.dsn.unix_socket else "TCP connection"
        match self._read_right(outcome) if line is not None else outcome:
            case NoReply():
                return NoReply(limit, missing)
            case Lost(how):
                return Lost(how, missing)
            case Unreadable(how):
                return Unreadable(f"{how}, in place of the {missing}")
            case ServerError() as error if not greeted or error.sqlstate.startswith(_TURNED_AWAY):
                return Lost(f"turned away: {error}", missing)
            case other:
                return other

    def _read_right(self, outcome: Outcome) -> Outcome:
        """Unreadable instead of what PyMySQL calls a lost connection, where the connection is still there."""
        line = self._line
        if isinstance(outcome, Lost) and line is not None and line.ended is None and not line.refused:
            line.rewind()
            line.overhear()
            if line.last_error() is None:  # the last word of a server that shuts down has no number in the sequence
                return Unreadable("packets out of order")
        return outcome

    def begin_open(self, limit: float) -> None:
        """Begins to log in, in a thread, so that several can at the same time; ``end_open`` takes the outcome.

        Nor can a Ctrl-C show a password there, in the traceback of the thread that waits.
        """
        self._logging_in = Future()
        threading.Thread(target=self._log_in, args=(self._logging_in, limit), daemon=True).start()

    def end_open(self, limit: float) -> Outcome:
        """The outcome of ``begin_open``, or NoReply after ``limit`` seconds."""
        assert self._logging_in is not None, "begin_open comes first"  # noqa: S101 - a caller's mistake, not an input
        try:
            return self._logging_in.result(timeout=limit + _SLACK)
        except FutureTimeoutError:
            return NoReply(limit)

    def _log_in(self, outcome: Future[Outcome], limit: float) -> None:
        outcome.set_result(self.open(limit))

    def execute(self, statement: str, limit: float, *, prepared: bool = False) -> Outcome:
        """Sends a statement and waits ``limit`` seconds for its answer."""
        self.send(statement, prepared=prepared)
        return self.result(limit)

    def send(self, statement: str, *, prepared: bool = False) -> None:
        """Sends a statement; ``result`` takes the answer."""
        assert not self.busy, "a statement is in flight already"  # noqa: S101 - a caller's mistake, not an input
        self.listen()  # what came before is no answer to this
        self._last_words = None
        self._in_flight = self._read_prepared if prepared else self._read
        if self._line is not None:
            self._line.deadline = time.monotonic() + _SENDING
        if self._unreadable is not None:
            self._answer = self._unreadable
            return
        sent = _classified(lambda: self._prepare(statement) if prepared else self._write(statement))
        self._answer = None if isinstance(sent, Ok) else sent

    def result(self, limit: float) -> Outcome:
        """The answer to what was sent last, or NoReply after ``limit`` seconds; it can be asked for again then."""
        assert self.busy, "nothing was sent"  # noqa: S101 - a caller's mistake, not an input
        if not self._arrives(limit):
            return NoReply(limit)
        outcome = self._answer
        assert outcome is not None  # noqa: S101 - it has arrived
        if isinstance(outcome, NoReply):
            return outcome  # it broke off while it was sent: there is no telling answers apart from here on
        self._in_flight = self._answer = None
        if isinstance(outcome, Lost):
            return self._lost(outcome)
        if isinstance(outcome, Unreadable):
            self._unreadable = outcome
        if isinstance(outcome, ServerError):
            self._last_words = outcome
        return outcome

    def _arrives(self, limit: float) -> bool:
        """Whether the whole answer is here after ``limit`` seconds at most; then it is read."""
        line = self._line
        if self._answer is None and self._in_flight is not None and line is not None:
            line.deadline = time.monotonic() + limit
            if not line.arrives(limit):
                return False
            line.mark()
            expected = self._connection._next_seq_id  # noqa: SLF001 - PyMySQL can't go back by itself
            answer = self._read_right(_classified(self._in_flight))
            if isinstance(answer, NoReply):  # only a part of it is here
                line.rewind()
                self._connection._sock = self._connection._rfile = line  # noqa: SLF001 - as above
                self._connection._next_seq_id = expected  # noqa: SLF001 - as above
            else:
                self._answer = answer
        return self._answer is not None

    def _lost(self, outcome: Lost) -> Lost:
        ended = self._line.overhear() if self._line is not None else None
        self._hang_up(ended or ("reset" if "reset" in outcome.how.lower() else "closed"))
        return outcome

    def _hang_up(self, manner: str) -> None:
        if self.hangup is None:
            overheard = self._line.last_error() if self._line is not None else None
            self.hangup = Hangup(manner, overheard or self._last_words)

    @property
    def busy(self) -> bool:
        """Whether a statement is in flight, its answer not yet taken or not yet here."""
        return self._in_flight is not None

    @property
    def answered(self) -> bool:
        """Whether the answer to what is in flight is here."""
        return self.busy and self._arrives(0)

    def listen(self) -> Hangup | None:
        """How the server ended this connection, or None as far as one can hear without asking."""
        if self.hangup is not None or self._line is None:
            return self.hangup
        if self.busy:
            if not self._arrives(0):
                return None
            if isinstance(self._answer, Lost):
                self._lost(self._answer)
                return self.hangup
            self._last_words = self._answer if isinstance(self._answer, ServerError) else None
        manner = self._line.overhear()
        if manner is not None:
            self._hang_up(manner)
        return self.hangup

    def close(self) -> None:
        """Says goodbye and closes the socket; never raises, and waits for nothing."""
        if self._line is not None and self.handshake_id is not None and not self.busy and self.hangup is None:
            with contextlib.suppress(OSError):  # a dead connection is what we want
                self._line.deadline = time.monotonic() + 1
                self._line.sendall(struct.pack("<i", 1) + bytes([COMMAND.COM_QUIT]))
        self.abandon()

    def abandon(self) -> None:
        """Closes the socket without a word, as a client that crashes does."""
        if self._line is not None:
            self._line.hang_up()

    @property
    def handshake_id(self) -> int | None:
        """The thread id of the handshake, which need not be the session's id in the list."""
        return self.greeting.thread_id

    @property
    def local_address(self) -> str | None:
        """This end of a TCP connection as ``ip:port``, as HOST in a process list may show it."""
        return self._line.local_address if self._line is not None else None

    def _connect(self, limit: float) -> Outcome:
        dsn = self._login.dsn
        self._line = line = (
            Line.to_unix_socket(dsn.unix_socket, limit) if dsn.unix_socket else Line.to_host(dsn.host, dsn.port, limit)
        )
        login = self._login
        connection: Any = Connection(dsn, login.user, login.password, login.client_flag)
        self._connection = connection
        line.mark()
        connection.connect(line)
        self.greeting = Greeting(
            connection.get_server_info(), connection.server_capabilities, connection.thread_id(), line.cipher
        )
        return Ok()

    # PyMySQL's cursor sends and waits in one call; its connection has both, but not in public.

    def _write(self, statement: str) -> Outcome:
        self._connection._execute_command(COMMAND.COM_QUERY, statement)  # noqa: SLF001 - see above
        return Ok()

    def _read(self) -> Outcome:
        self._connection._read_query_result()  # noqa: SLF001 - see above
        result = self._connection._result  # noqa: SLF001 - see above
        if result.description is None:
            return Ok(result.affected_rows, result.warning_count)
        columns = tuple(column[0] for column in result.description)
        return Rows(columns, tuple(tuple(_text(value) for value in row) for row in result.rows))

    def _prepare(self, statement: str) -> Outcome:
        """COM_STMT_PREPARE, and COM_STMT_EXECUTE without parameters, neither of which PyMySQL offers."""
        wire = self._connection
        wire._execute_command(COMMAND.COM_STMT_PREPARE, statement)  # noqa: SLF001 - see above
        head = wire._read_packet().get_all_data()  # noqa: SLF001 - see above
        (statement_id,) = _STATEMENT_ID.unpack_from(head)
        columns, parameters = struct.unpack_from("<HH", head, 5)
        for count in (parameters, columns):
            for _ in range(count + 1 if count else 0):  # definitions, then an EOF packet
                wire._read_packet()  # noqa: SLF001 - see above
        wire._execute_command(COMMAND.COM_STMT_EXECUTE, struct.pack("<IBI", statement_id, 0, 1))  # noqa: SLF001
        return Ok()

    def _read_prepared(self) -> Outcome:
        first = self._connection._read_packet()  # noqa: SLF001 - see above
        if not first.is_ok_packet():
            raise _BinaryRowsError("rows of a prepared statement")
        return Ok(affected=first.get_all_data()[1], warnings=0)


class _BinaryRowsError(Exception):
    """A prepared statement answered with rows, which no case needs."""


def _text(value: Any) -> str | None:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else None if value is None else str(value)


def _classified(  # noqa: PLR0911 - a way out for each way in which it can end
    work: Callable[[], Outcome], limit: float = _SENDING
) -> Outcome:
    """Runs something on the wire, which gives up after ``limit`` seconds; every end that it can have is an Outcome."""
    try:
        return work()
    except pymysql.MySQLError as error:
        if isinstance(error.__context__ or getattr(error, "original_exception", None), TimeoutError):
            return NoReply(limit)
        return _from_pymysql(error)
    except TimeoutError:
        return NoReply(limit)
    except (LoginError, DsnError) as error:
        return GivenUp(str(error))
    except OSError as error:
        return Lost(error.strerror or str(error))
    except Exception as error:  # noqa: BLE001 - PyMySQL answers garbage with whatever its parser stumbles over
        return Unreadable(str(error) if isinstance(error, TooLargeError | _BinaryRowsError) else type(error).__name__)


def _from_pymysql(error: pymysql.MySQLError) -> Outcome:
    cause: BaseException | None = error.__context__ or getattr(error, "original_exception", None)
    if isinstance(cause, ConnectionResetError | BrokenPipeError | ssl.SSLError):
        return Lost("reset")
    code = error.args[0] if error.args else None
    sqlstate = getattr(error, "sqlstate", None)
    if isinstance(error, pymysql.InternalError) and not isinstance(code, int):
        return Unreadable("packets out of order")
    if code == CR.CR_SERVER_LOST and sqlstate is None:
        return Lost("closed")
    client_side = isinstance(error, pymysql.InterfaceError) or code in {2003, 2006, 2013, 2014}
    if not isinstance(code, int) or (client_side and sqlstate is None):
        return Lost(str(error.args[-1]) if error.args and error.args[-1] else "closed")
    text = str(error.args[1])[:_LONGEST_MESSAGE] if len(error.args) > 1 else ""
    return ServerError(code & 0xFFFF, sqlstate or "", text)
