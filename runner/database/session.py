"""One connection to the target: login, statements, replies, and how the server closed it.

The socket is opened here, not by PyMySQL, so that an idle connection can be checked without sending a statement:
whether the server has closed it, and with which error packet.
"""

from __future__ import annotations

import contextlib
import struct
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, field, replace
from typing import Any

from pymysql.constants import CLIENT, COMMAND

from runner.database.dsn import Dsn
from runner.database.outcome import Lost, NoReply, Ok, Outcome, ServerError, Unreadable
from runner.database.pymysql_connection import Connection, outcome_of_call
from runner.database.stream import Stream
from runner.database.unrelated_errors import is_connection_limit

_SENDING = 10.0  # seconds for the server to take a statement
_SLACK = 1.0  # seconds after a login's time limit in which its thread can report the step that failed
_NEW_USER_PAUSES = (0.2, 0.4, 0.8, 1.6)
"""Seconds before each repetition of a new user's refused login: few, as a server may lock users after failed logins."""
_MORE_LOGINS = 2  # after one that failed at its first statement, or that was lost before the server had sent anything
_LOGIN_PAUSE = 0.05  # seconds, for a load balancer with a limit of new connections
_NO_RESULT_SET = frozenset({0x00, 0xFB, 0xFF})  # first bytes of an OK, a request for a file, and an error
_TURNED_AWAY = "08"  # the SQLSTATE class of connection errors, which don't depend on user and password


@dataclass(frozen=True)
class Login:
    """The parameters of a login; ``schema``: the schema that it names, or an empty text."""

    dsn: Dsn
    user: str
    password: str = field(repr=False)
    client_flag: int
    schema: str = ""


def several_statements(login: Login) -> Login:
    """The login of a client that may send several statements in one text."""
    return replace(login, client_flag=login.client_flag | CLIENT.MULTI_STATEMENTS)


@dataclass(frozen=True)
class Handshake:
    """The server's handshake: version, capability bits, thread id, and the TLS cipher or None."""

    version: str = ""
    capabilities: int = 0
    thread_id: int | None = None
    cipher: str | None = None


@dataclass(frozen=True)
class ConnectionEnd:
    """How the server ended a connection: ``closed`` or ``reset``, with an error packet or without.

    Attributes:
        rows: the number of rows of an incomplete result set that were received before.
    """

    manner: str
    error: ServerError | None = None
    rows: int = 0

    @property
    def kind(self) -> str:
        """``closed`` or ``reset``, or ``error`` if the server sent an error packet first."""
        return "error" if self.error else self.manner

    def __str__(self) -> str:
        sent = [f"{self.rows} rows"] if self.rows else []
        sent += [str(self.error)] if self.error else []
        return self.manner + (f" after {' and '.join(sent)}" if sent else ", nothing sent")


class SessionReferences:
    """Weak references to the sessions of one kind that the threads of a process hold."""

    def __init__(self) -> None:
        self._held: weakref.WeakSet[Session] = weakref.WeakSet()
        self._lock = threading.Lock()

    def add(self, session: Session) -> Session:
        """Adds a session and returns it."""
        with self._lock:
            self._held.add(session)
        return session

    def all(self) -> list[Session]:
        """The sessions that are held at this moment."""
        with self._lock:
            return list(self._held)


class Session:
    """A connection. Sending a statement and reading its reply are separate; received data waits in the stream."""

    def __init__(self, login: Login) -> None:
        self._login = login
        self._logging_in: Future[Outcome] | None = None
        self._stream: Stream | None = None
        self._connection: Any = None
        self._in_flight: Callable[[], Outcome] | None = None
        """The function that reads the reply to the statement in flight; None if there is none."""
        self._reply: Outcome | None = None
        """The reply, read but not yet returned by ``result``."""
        self._last_error: ServerError | None = None
        """The last reply, if it was an error. Statements without a reply don't change it."""
        self._unreadable: Unreadable | None = None
        """Data that was no reply: after it, replies can't be assigned to statements any more."""
        self.held = False
        """Whether the rest of the reply is deliberately not read yet."""
        self._discarding = False
        self.connection_end: ConnectionEnd | None = None
        self.handshake = Handshake()
        self._used = time.monotonic()
        """The time at which the last statement was sent, or its reply read."""
        self.broken_off: Outcome | None = None
        """The outcome of an earlier attempt to log in that failed at its first statement."""

    def open(self, limit: float, *, once: bool = False) -> Outcome:
        """Connects and logs in, in at most ``limit`` seconds.

        The outcome is a ServerError if the server refuses the login, Lost if it accepts no connection from any user. A
        login that fails at its first statement is retried, since a statement of another session may be the cause; also
        one whose connection is lost before the server knew the user.

        Args:
            limit: the seconds.
            once: whether it is not retried, because the login itself is tested.
        """
        outcome = self._opened(limit)
        for _ in range(0 if once else _MORE_LOGINS):
            if isinstance(outcome, Lost) and outcome.before_greeting:
                time.sleep(_LOGIN_PAUSE)
            elif isinstance(outcome, Lost | ServerError) and outcome.login_statement:
                self.broken_off = outcome
            else:
                break
            self.abandon()
            outcome = self._opened(limit)
        return outcome

    def open_new_user(self, refused: Outcome, limit: float) -> Outcome:
        """Repeats the refused login of a user that was created just now, and returns the last outcome.

        A proxy, or another server of a cluster, may know a user only moments after CREATE USER.

        Args:
            refused: the outcome of the first login; if that is no refusal, it is returned.
            limit: the seconds for each login.
        """
        outcome = refused
        for pause in _NEW_USER_PAUSES:
            if not isinstance(outcome, ServerError) or is_connection_limit(outcome):
                break
            time.sleep(pause)
            self.abandon()
            outcome = self._opened(limit)
        return outcome

    def _opened(self, limit: float) -> Outcome:
        outcome = outcome_of_call(lambda: self._connect(limit), limit)
        self._used = time.monotonic()
        return outcome if isinstance(outcome, Ok) else self._not_open(outcome, limit)

    def _not_open(self, outcome: Outcome, limit: float) -> Outcome:
        """The outcome of a failed login, with the step at which it failed."""
        stream, greeted = self._stream, getattr(self._connection, "version", None) is not None
        awaited = "reply to the login" if greeted else "handshake"
        login_statement = str(getattr(self._connection, "first_statement", ""))
        awaited = f"reply to the login's {login_statement}" if login_statement else awaited
        if stream is None:
            awaited = "connection to the socket" if self._login.dsn.unix_socket else "TCP connection"
        match self._unreadable_if_open(outcome) if stream is not None else outcome:
            case NoReply():
                return NoReply(limit, awaited)
            case Lost(how):
                return Lost(how, awaited, login_statement=login_statement, before_greeting=not greeted)
            case Unreadable(how):
                return Unreadable(f"{how}, in place of the {awaited}")
            case ServerError() as error if login_statement:
                return replace(error, login_statement=login_statement)
            case ServerError() as error if not greeted or error.sqlstate.startswith(_TURNED_AWAY):
                return Lost(f"refused: {error}", awaited, refused=True, connection_limit=is_connection_limit(error))
            case other:
                return other

    def _unreadable_if_open(self, outcome: Outcome) -> Outcome:
        """The outcome; but Unreadable in place of Lost if PyMySQL reports a connection as lost that is still open."""
        stream = self._stream
        if isinstance(outcome, Lost) and stream is not None and stream.ended is None and not stream.refused:
            stream.rewind()
            stream.receive_unrequested()
            if stream.last_error() is None:  # the last packet of a server that shuts down has no sequence number
                return Unreadable("packets out of order")
        return outcome

    def begin_open(self, limit: float) -> None:
        """Starts the login in a thread, so that several run at the same time; ``end_open`` returns the outcome.

        A Ctrl-C in the waiting thread then has no password in its traceback.
        """
        self._logging_in = Future()
        threading.Thread(target=self._log_in, args=(self._logging_in, limit), daemon=True).start()

    def end_open(self, limit: float) -> Outcome:
        """The outcome of ``begin_open``, or NoReply after ``limit`` seconds."""
        assert self._logging_in is not None, "call begin_open before"  # noqa: S101 - a caller's mistake, not an input
        try:
            return self._logging_in.result(timeout=limit + _SLACK)
        except FutureTimeoutError:
            return NoReply(limit)

    def _log_in(self, outcome: Future[Outcome], limit: float) -> None:
        outcome.set_result(self.open(limit))

    def execute(self, statement: str, limit: float, *, prepared: bool = False) -> Outcome:
        """Sends a statement and waits up to ``limit`` seconds for the reply."""
        self.send(statement, prepared=prepared)
        return self.result(limit)

    def send(self, statement: str, *, prepared: bool = False) -> None:
        """Sends a statement; ``result`` returns the reply."""
        connection = self._connection
        if prepared:
            self._send(lambda: connection.prepare_and_execute(statement), connection.read_prepared_reply)
        else:
            self._send(lambda: connection.send_statement(statement), connection.read_reply)

    def send_half(self, statement: str) -> None:
        """Sends the first half of a statement; after it the session can only send the second."""
        connection = self._connection
        self._send(lambda: connection.send_half(statement), connection.read_reply)

    def send_second_half(self) -> None:
        """Sends the rest after ``send_half``, if there is any; ``result`` returns the reply."""
        rest = getattr(self._connection, "second_half", b"")
        if not rest or self._stream is None:
            return
        self._connection.second_half = b""
        self._stream.set_deadline(_SENDING)
        with contextlib.suppress(OSError):  # the server may have closed the connection
            self._stream.sendall(rest)

    def prepare(self, statement: str, limit: float) -> Outcome:
        """Prepares a statement for ``send_prepared``, and waits up to ``limit`` seconds for the reply."""
        return self._command(lambda: self._connection.prepare(statement), limit)

    def reset(self, limit: float) -> Outcome:
        """Resets the session (COM_RESET_CONNECTION), and waits up to ``limit`` seconds for the reply."""
        return self._command(self._connection.reset_session, limit)

    def change_user(self, user: str, password: str, limit: float) -> Outcome:
        """Changes the user of the session (COM_CHANGE_USER), in up to ``limit`` seconds."""
        return self._command(lambda: self._connection.change_user(user, password), limit)

    def _command(self, send_and_read: Callable[[], Outcome], limit: float) -> Outcome:
        self._send(send_and_read, self._connection.read_reply, limit)
        if self._reply is None:
            self._reply = Ok()
        return self.result(limit)

    def send_prepared(self) -> None:
        """Executes the statement that was prepared last; ``result`` returns the reply."""
        self._send(self._connection.execute, self._connection.read_prepared_reply)

    def _send(self, send: Callable[[], Outcome], read: Callable[[], Outcome], limit: float = _SENDING) -> None:
        assert not self.busy, "a statement is in flight already"  # noqa: S101 - a caller's mistake, not an input
        self.check_connection()  # data received before is no reply to this statement
        self._used = time.monotonic()
        self._in_flight = read
        if self._stream is not None:
            self._stream.set_deadline(limit)
        if self._unreadable is not None:
            self._reply = self._unreadable
            return
        sent = outcome_of_call(send, limit)
        self._reply = None if isinstance(sent, Ok) else sent

    def send_and_read_beginning(self, statement: str, limit: float, *, prepared: bool = False) -> Outcome | None:
        """Sends a statement and reads only the beginning of the reply, in up to ``limit`` seconds.

        The rest of a result set is not read until ``result`` or ``discard`` is called: a server with more data to
        send has to wait.

        Returns:
            The outcome if the reply is no result set; else None.
        """
        stream = self._stream
        if stream is not None:
            stream.shrink_receive_buffer()
        self.send(statement, prepared=prepared)
        if self._reply is None and stream is not None:
            first = stream.first_byte(limit)
            self.held = first is not None and first not in _NO_RESULT_SET
        return None if self.held else self.result(limit)

    def discard(self) -> None:
        """Reads on after ``send_and_read_beginning`` and discards the data; only the end of the connection matters."""
        self.held, self._discarding = False, True

    def result(self, limit: float, *, receiving: float = 0.0) -> Outcome:
        """The reply to the last statement, or NoReply after ``limit`` seconds; after NoReply it can be called again.

        Args:
            limit: the seconds.
            receiving: the seconds after the limit in which a reply is read on as long as data is received.
        """
        assert self.busy, "nothing was sent"  # noqa: S101 - a caller's mistake, not an input
        self.held = False
        if not self._has_reply(limit, receiving):
            return NoReply(limit)
        outcome = self._reply
        assert outcome is not None  # noqa: S101 - _has_reply has set it
        if isinstance(outcome, NoReply):
            return outcome  # sending was interrupted: replies can't be assigned to statements any more
        self._in_flight = self._reply = None
        if isinstance(outcome, Lost):
            return self._lost(outcome)
        if isinstance(outcome, Unreadable):
            self._unreadable = outcome
        self._last_error = outcome if isinstance(outcome, ServerError) else None
        return outcome

    def _has_reply(self, limit: float, receiving: float = 0.0) -> bool:
        """Whether the complete reply is received, with limits as in ``result``; it is read then."""
        stream = self._stream
        if self.held:
            return False
        if self._discarding and self._reply is None and stream is not None and stream.receive_unrequested() is not None:
            self._reply = Lost(str(stream.ended), rows=stream.unrequested_rows)
        if self._discarding:
            return self._reply is not None
        if self._reply is None and self._in_flight is not None and stream is not None:
            stream.set_deadline(limit, receiving)
            if not stream.wait_for_data(limit):
                return False
            stream.mark()
            packet_number = self._connection.next_packet_number
            reply = self._unreadable_if_open(outcome_of_call(self._in_flight, limit))
            if isinstance(reply, NoReply):  # only a part is received
                stream.rewind()
                self._connection.resume_reading(stream, packet_number)
            else:
                self._reply = replace(reply, rows=stream.rows_since_mark()) if isinstance(reply, Lost) else reply
                self._used = time.monotonic()
        return self._reply is not None

    def _lost(self, outcome: Lost) -> Lost:
        ended = self._stream.receive_unrequested() if self._stream is not None else None
        self._note_end(ended or ("reset" if "reset" in outcome.how.lower() else "closed"), outcome.rows)
        return outcome

    def _note_end(self, manner: str, rows: int = 0) -> None:
        if self.connection_end is None:
            unrequested = self._stream.last_error() if self._stream is not None else None
            self.connection_end = ConnectionEnd(manner, unrequested or self._last_error, rows)

    @property
    def busy(self) -> bool:
        """Whether a statement is in flight: its reply is not received, or not returned by ``result`` yet."""
        return self._in_flight is not None

    @property
    def has_reply(self) -> bool:
        """Whether the reply to the statement in flight is received."""
        return self.busy and self._has_reply(0)

    @property
    def received_reply(self) -> Outcome | None:
        """The reply to the statement in flight, if it is received; ``result`` returns it, too."""
        return self._reply if self.has_reply else None

    def check_connection(self) -> ConnectionEnd | None:
        """How the server ended this connection; None if that was not received yet. Sends nothing, and never waits."""
        if self.connection_end is not None or self._stream is None:
            return self.connection_end
        if self.busy:
            if not self._has_reply(0):
                return None
            if isinstance(self._reply, Lost):
                self._lost(self._reply)
                return self.connection_end
            self._last_error = self._reply if isinstance(self._reply, ServerError) else None
        manner = self._stream.receive_unrequested()
        if manner is not None:
            self._note_end(manner)
        return self.connection_end

    @property
    def idle(self) -> float:
        """Seconds since the last statement was sent, or its reply read."""
        return time.monotonic() - self._used

    def close(self) -> None:
        """Sends COM_QUIT and closes the socket; never raises, and doesn't wait."""
        if self._stream is not None and self.handshake_id is not None and not self.busy and self.connection_end is None:
            with contextlib.suppress(OSError):  # the connection may be closed already
                self._stream.set_deadline(1.0)
                self._stream.sendall(struct.pack("<i", 1) + bytes([COMMAND.COM_QUIT]))
        self.abandon()

    def abort(self) -> None:
        """Resets the connection, also while a statement runs, as if the client were killed."""
        if self._stream is not None:
            self._stream.reset()

    def abandon(self) -> None:
        """Closes the socket without COM_QUIT, as a client that crashes does."""
        if self._stream is not None:
            self._stream.close_abruptly()

    @property
    def offered_capabilities(self) -> int:
        """The capability bits of the handshake, also if the login failed."""
        return int(getattr(self._connection, "server_capabilities", 0))

    @property
    def handshake_id(self) -> int | None:
        """The thread id of the handshake, which may differ from the id in the process list."""
        return self.handshake.thread_id

    def handshake_id_is(self, session_id: str) -> bool:
        """Whether the thread id of the handshake is this id of the process list, compared in 32 bits.

        Proxies that number their clients have other ids. Ids of 64 bits, as in TiDB, are cut to 32 in the handshake.
        """
        thread_id = self.handshake_id
        return thread_id is not None and session_id.isdecimal() and int(session_id) % 2**32 == thread_id

    @property
    def local_address(self) -> str | None:
        """The client's address of a TCP connection as ``ip:port``, as in the column HOST of a process list."""
        return self._stream.local_address if self._stream is not None else None

    def _connect(self, limit: float) -> Outcome:
        dsn = self._login.dsn
        self._stream = stream = (
            Stream.to_unix_socket(dsn.unix_socket, limit)
            if dsn.unix_socket
            else Stream.to_host(dsn.host, dsn.port, limit)
        )
        login = self._login
        connection: Any = Connection(dsn, login.user, login.password, login.client_flag, login.schema)
        self._connection = connection
        stream.mark()
        connection.connect(stream)
        self.handshake = Handshake(
            connection.version, connection.server_capabilities, connection.thread_id(), stream.cipher
        )
        return Ok()
