"""One connection to the target, and everything that can be heard on it.

PyMySQL speaks the protocol on a socket that is opened here, so that an idle connection can be listened to without
sending anything: whether, and with which last words, the server closed it.
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

from pymysql.constants import COMMAND

from runner.database.connection import Connection
from runner.database.dsn import Dsn
from runner.database.ends import outcome_of
from runner.database.errorkinds import is_full
from runner.database.line import Line
from runner.database.outcome import Lost, NoReply, Ok, Outcome, ServerError, Unreadable

_SENDING = 10.0  # seconds for the server to take a statement
_SLACK = 1.0  # seconds for the thread of a login, which keeps the limit itself, to say how far it came
_MORE_LOGINS = 2  # after one that failed at its first statement
_NO_RESULT_SET = frozenset({0x00, 0xFB, 0xFF})  # first bytes of an OK, a request for a file, and an error
_TURNED_AWAY = "08"  # sqlstates of this class are about the connection, not about who logs in


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


class Sessions:
    """The sessions of one kind that the threads of a process hold, as long as they hold them."""

    def __init__(self) -> None:
        self._held: weakref.WeakSet[Session] = weakref.WeakSet()
        self._lock = threading.Lock()

    def add(self, session: Session) -> Session:
        """Adds a session, and hands it back."""
        with self._lock:
            self._held.add(session)
        return session

    def all(self) -> list[Session]:
        """Those that are held at this moment."""
        with self._lock:
            return list(self._held)


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
        """The error that was the last answer; what was sent since, and not answered, doesn't change that."""
        self._unreadable: Unreadable | None = None
        """What came once and was no reply: from there on no answer can be told from another."""
        self.held = False
        """Whether the answer to the statement that was sent is left on the wire."""
        self._discarding = False
        self.hangup: Hangup | None = None
        self.greeting = Greeting()
        self._used = time.monotonic()
        """When the last statement was sent, or its answer was read."""
        self.broken_off: Outcome | None = None
        """How an earlier try to log in failed, if one did at its first statement."""

    def open(self, limit: float, *, once: bool = False) -> Outcome:
        """Connects and logs in, in at most ``limit`` seconds.

        A refusal is a ServerError; who is turned away, whoever it is, is Lost. A login that fails at its first
        statement is tried again, as that may be the effect of what was sent before in another session.

        Args:
            limit: the seconds.
            once: whether it is tried once only, as the login itself is what is looked at.
        """
        outcome = self._opened(limit)
        for _ in range(0 if once else _MORE_LOGINS):
            if not (isinstance(outcome, Lost | ServerError) and outcome.during):
                break
            self.abandon()
            self.broken_off = outcome
            outcome = self._opened(limit)
        return outcome

    def _opened(self, limit: float) -> Outcome:
        outcome = outcome_of(lambda: self._connect(limit), limit)
        self._used = time.monotonic()
        return outcome if isinstance(outcome, Ok) else self._not_open(outcome, limit)

    def _not_open(self, outcome: Outcome, limit: float) -> Outcome:
        """Says how far a login came."""
        line, greeted = self._line, getattr(self._connection, "version", None) is not None
        missing = "answer to the login" if greeted else "handshake"
        during = str(getattr(self._connection, "first_statement", ""))
        missing = f"answer to the login's {during}" if during else missing
        if line is None:
            missing = "connection to the socket" if self._login.dsn.unix_socket else "TCP connection"
        match self._read_right(outcome) if line is not None else outcome:
            case NoReply():
                return NoReply(limit, missing)
            case Lost(how):
                return Lost(how, missing, during=during)
            case Unreadable(how):
                return Unreadable(f"{how}, in place of the {missing}")
            case ServerError() as error if during:
                return replace(error, during=during)
            case ServerError() as error if not greeted or error.sqlstate.startswith(_TURNED_AWAY):
                return Lost(f"turned away: {error}", missing, turned_away=True, full=is_full(error))
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
        connection = self._connection
        if prepared:
            self._send(lambda: connection.prepare_and_execute(statement), connection.hear_prepared)
        else:
            self._send(lambda: connection.say(statement), connection.hear)

    def prepare(self, statement: str, limit: float) -> Outcome:
        """Prepares a statement for ``send_prepared``, and waits ``limit`` seconds for the answer."""
        connection = self._connection
        self._send(lambda: connection.prepare(statement), connection.hear_prepared, limit)
        if self._answer is None:
            self._answer = Ok()
        return self.result(limit)

    def send_prepared(self) -> None:
        """Sends the execution of the statement that was prepared last; ``result`` takes the answer."""
        self._send(self._connection.execute, self._connection.hear_prepared)

    def _send(self, say: Callable[[], Outcome], hear: Callable[[], Outcome], limit: float = _SENDING) -> None:
        assert not self.busy, "a statement is in flight already"  # noqa: S101 - a caller's mistake, not an input
        self.listen()  # what came before is no answer to this
        self._used = time.monotonic()
        self._in_flight = hear
        if self._line is not None:
            self._line.deadline = time.monotonic() + limit
        if self._unreadable is not None:
            self._answer = self._unreadable
            return
        sent = outcome_of(say, limit)
        self._answer = None if isinstance(sent, Ok) else sent

    def send_held(self, statement: str, limit: float, *, prepared: bool = False) -> Outcome | None:
        """Sends a statement and reads, in ``limit`` seconds, no more than the beginning of its answer.

        Of a result set the rest stays on the wire, so that a server with more to send has to wait, until ``result`` or
        ``discard`` is called.

        Returns:
            The outcome where the answer is no result set; else None.
        """
        line = self._line
        if line is not None:
            line.narrow()
        self.send(statement, prepared=prepared)
        if self._answer is None and line is not None:
            first = line.first_byte(limit)
            self.held = first is not None and first not in _NO_RESULT_SET
        return None if self.held else self.result(limit)

    def discard(self) -> None:
        """Reads on after ``send_held``, and throws away what comes: what counts is whether the connection ends."""
        self.held, self._discarding = False, True

    def result(self, limit: float) -> Outcome:
        """The answer to what was sent last, or NoReply after ``limit`` seconds; it can be asked for again then."""
        assert self.busy, "nothing was sent"  # noqa: S101 - a caller's mistake, not an input
        self.held = False
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
        self._last_words = outcome if isinstance(outcome, ServerError) else None
        return outcome

    def _arrives(self, limit: float) -> bool:
        """Whether the whole answer is here after ``limit`` seconds at most; then it is read."""
        line = self._line
        if self.held:
            return False
        if self._discarding and self._answer is None and line is not None and line.overhear() is not None:
            self._answer = Lost(str(line.ended))
        if self._discarding:
            return self._answer is not None
        if self._answer is None and self._in_flight is not None and line is not None:
            line.deadline = time.monotonic() + limit
            if not line.arrives(limit):
                return False
            line.mark()
            expected = self._connection.expected
            answer = self._read_right(outcome_of(self._in_flight, limit))
            if isinstance(answer, NoReply):  # only a part of it is here
                line.rewind()
                self._connection.go_back(line, expected)
            else:
                self._answer = answer
                self._used = time.monotonic()
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

    @property
    def arrived(self) -> Outcome | None:
        """The answer to what is in flight, if it is here; ``result`` takes it."""
        return self._answer if self.answered else None

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

    @property
    def idle(self) -> float:
        """Seconds since its last statement was sent or answered."""
        return time.monotonic() - self._used

    def close(self) -> None:
        """Says goodbye and closes the socket; never raises, and waits for nothing."""
        if self._line is not None and self.handshake_id is not None and not self.busy and self.hangup is None:
            with contextlib.suppress(OSError):  # a dead connection is what we want
                self._line.deadline = time.monotonic() + 1
                self._line.sendall(struct.pack("<i", 1) + bytes([COMMAND.COM_QUIT]))
        self.abandon()

    def abort(self) -> None:
        """Resets the connection, in the middle of a statement too, as where a client is killed."""
        if self._line is not None:
            self._line.reset()

    def abandon(self) -> None:
        """Closes the socket without a word, as a client that crashes does."""
        if self._line is not None:
            self._line.hang_up()

    @property
    def offered(self) -> int:
        """The capability bits of the handshake, also where the login failed after it."""
        return int(getattr(self._connection, "server_capabilities", 0))

    @property
    def handshake_id(self) -> int | None:
        """The thread id of the handshake, which need not be the session's id in the list."""
        return self.greeting.thread_id

    def greeted_as(self, session_id: str) -> bool:
        """Whether the handshake's thread id is this id of the process list, in the 32 bits that the handshake has.

        Behind a proxy that numbers its clients itself it is not. Ids of 64 bits, as TiDB has them, are cut there.
        """
        thread_id = self.handshake_id
        return thread_id is not None and session_id.isdecimal() and int(session_id) % 2**32 == thread_id

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
            connection.version, connection.server_capabilities, connection.thread_id(), line.cipher
        )
        return Ok()
