"""Measures properties of the target: row locks, stale reads, idle timeouts, ends of transactions."""

from __future__ import annotations

import enum
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from runner.database.outcome import NoReply, Rows, succeeded
from runner.database.session import Login, Session
from runner.database.target import Target, TargetError
from runner.database.time_limits import KEEP_ACTIVE_AFTER, Poll
from runner.execution.case_errors import InconclusiveError, raise_if_run_ends
from runner.execution.fixtures import Fixtures
from runner.execution.transcript import Transcript
from runner.language.model import Case, Check, Send, flat

_WAITS = 1.0  # seconds after which a statement without a reply waits for the lock
_STATE = "blocked"
_BEGIN = "begin"
_TRANSACTION = re.compile(r"\b(?:AUTOCOMMIT|COMMIT|ROLLBACK|START\s+TRANSACTION)\b", re.IGNORECASE)
_ENOUGH_LOCKS = 3  # measurements with a wait, or that failed, after which none is made
_SHORTEST_IDLE = 0.5  # seconds: no server ends transactions that are idle for less
_LONGEST_IDLE = 20.0  # seconds


def needs_row_locks(case: Case) -> bool:
    """Whether a case needs statements that wait for a row lock: it waits for that state, or one has no reply yet."""
    unanswered = case.table is not None and any(isinstance(step, Check) for step in flat(case.steps))
    return unanswered or any(case.vocabulary.capabilities[name].state == _STATE for name in case.needs)


def needs_open_transactions(case: Case) -> bool:
    """Whether a case opens a transaction, and has a table that it may change."""
    return case.table is not None and opens_transactions(case)


def opens_transactions(case: Case) -> bool:
    """Whether a case opens or ends a transaction."""
    statements = [step.statement for step in flat(case.steps) if isinstance(step, Send)]
    return any(
        _TRANSACTION.search(each.text) is not None or any(hole.word == _BEGIN for hole in each.holes)
        for each in statements
    )


@dataclass
class RowLocks:
    """The measurements of a process.

    Attributes:
        missing: whether a statement has changed a row that another transaction had changed, without waiting for it.
        others: the number of measurements in which it waited, or that failed.
        ended_after: the shortest time, in seconds, after which an idle transaction was ended; None if none was.
        kept: the number of measurements in which an idle transaction was not ended, or that failed.
        left: a line for each statement of the last measurement's cleanup that failed.
    """

    missing: bool = False
    others: int = 0
    ended_after: float | None = None
    kept: int = 0
    left: tuple[str, ...] = ()

    def are_missing(self, target: Target) -> bool:
        """Whether no statement waits for a row lock; measured with a table of its own, until that is known."""
        if not self.missing and self.others < _ENOUGH_LOCKS:
            self.missing = self._lock_is_lost(target, 0.0)
            self.others += not self.missing
        return self.missing

    def are_lost_by_idle_transactions(self, target: Target, seconds: float) -> bool:
        """Whether the server ends a transaction whose session is idle for so long; measured in the same way."""
        seconds = min(seconds, _LONGEST_IDLE)
        if self.ended_after is not None and self.ended_after <= seconds:
            return True
        if self.kept >= _ENOUGH_LOCKS or seconds < _SHORTEST_IDLE:
            return False
        ended = self._lock_is_lost(target, seconds)
        self.ended_after = seconds if ended else self.ended_after
        self.kept += not ended
        return ended

    def _lock_is_lost(self, target: Target, idle: float) -> bool:
        fixtures = Fixtures(target, Transcript())
        lost = _lock_is_lost(target, fixtures, idle)
        self.left = (*self.left, *fixtures.remove())
        return lost


def _lock_is_lost(target: Target, fixtures: Fixtures, idle: float) -> bool:
    """Whether a row that a transaction has changed can be changed by another one while its session is idle.

    Also whether the transaction itself is lost then: its COMMIT is refused, or its connection is closed.

    Args:
        target: the server.
        fixtures: for the table.
        idle: the seconds for which the session is idle before.

    Returns:
        False also if it can't be measured.
    """
    holder, other = Session(target.administrator.login), Session(target.administrator.login)
    try:
        fixtures.make_table(((1, 0),), [])
        if not all(succeeded(session.open(target.limits.connect)) for session in (holder, other)):
            return False
        update = f"UPDATE {fixtures.table} SET val = val + 1 WHERE id = 1"  # noqa: S608 - a table of the suite
        began = changed = time.monotonic()
        for statement in (target.word(_BEGIN, holder), update):
            began = changed
            if not succeeded(holder.execute(statement, target.limits.statement)):
                return False
            changed = time.monotonic()
        _wait(target, idle)
        other.send(update)
        reply = other.result(_WAITS)
        # So late on a busy machine, the transaction may have been ended while its session was idle.
        late = not idle and time.monotonic() - changed > max(_SHORTEST_IDLE, 2 * (changed - began))
        committed = holder.execute("COMMIT", target.limits.statement)
        if isinstance(reply, NoReply):
            other.result(target.limits.statement)
        return (succeeded(reply) and not late) or (idle > 0 and not succeeded(committed))
    except (InconclusiveError, TargetError):
        return False
    finally:
        for session in (holder, other):
            session.close()


def _wait(target: Target, seconds: float) -> None:
    """Waits; the other sessions of the administrator are kept active."""
    poll = Poll(seconds)
    while poll.again():
        raise_if_run_ends(target)
        target.keep_active(KEEP_ACTIVE_AFTER)


_CHANGES = 5  # commits, each with a SELECT right after it
_SOON = 0.5  # seconds; before a SELECT, a case that is run again waits twice as long (step_runner.py)
_ENOUGH_READS = 3  # measurements without a stale read, after which none is made
_MOST = 20  # measurements, also those that failed


class _Missed(enum.Enum):
    """What a SELECT missed of the changes that another session had committed."""

    NOTHING = "nothing"
    SOON_SHOWN = "a change that it showed half a second later"
    FOR_LONGER = "a change that it did not show half a second later, either"
    UNKNOWN = "it could not be measured"


@dataclass
class StaleReads:
    """The measurements of a process.

    Attributes:
        found: whether a SELECT has missed a change that another session had committed.
        brief: whether it showed that change half a second later.
        without: the number of measurements without a stale read.
        failed: the number of measurements that failed.
        left: a line for each statement of the last measurement's cleanup that failed.
    """

    found: bool = False
    brief: bool = False
    without: int = 0
    failed: int = 0
    left: tuple[str, ...] = ()

    def are_possible(self, target: Target) -> bool:
        """Whether a SELECT can miss a committed change; measured with a table of its own, until that is known."""
        if not self.found and self.without < _ENOUGH_READS and self.without + self.failed < _MOST:
            fixtures = Fixtures(target, Transcript())
            missed = _misses_change(target, fixtures)
            self.left = (*self.left, *fixtures.remove())
            self.found = missed in {_Missed.SOON_SHOWN, _Missed.FOR_LONGER}
            self.brief = missed is _Missed.SOON_SHOWN
            self.without += missed is _Missed.NOTHING
            self.failed += missed is _Missed.UNKNOWN
        return self.found


def _misses_change(target: Target, fixtures: Fixtures) -> _Missed:
    """What a SELECT missed of changes that were committed as in the cases: with COMMIT, in an open transaction."""
    writer, reader = Session(target.administrator.login), Session(target.administrator.login)
    try:
        fixtures.make_table(((1, 0),), [])
        if not all(succeeded(session.open(target.limits.connect)) for session in (writer, reader)):
            return _Missed.UNKNOWN
        return _misses_change_in(str(fixtures.table), target, writer, reader)
    except (InconclusiveError, TargetError):
        return _Missed.UNKNOWN
    finally:
        for session in (writer, reader):
            session.close()


def _misses_change_in(table: str, target: Target, writer: Session, reader: Session) -> _Missed:
    read = f"SELECT val FROM {table} WHERE id = 1"  # noqa: S608 - a table of the suite
    begin = target.word("begin", writer)
    for value in range(1, _CHANGES + 1):
        change = f"UPDATE {table} SET val = {value} WHERE id = 1"  # noqa: S608 - as above
        for statement in (begin, change, "COMMIT"):
            if not succeeded(writer.execute(statement, target.limits.statement)):
                return _Missed.UNKNOWN
        expected = ((str(value),),)
        reply = reader.execute(read, target.limits.statement)
        if isinstance(reply, Rows) and reply.values != expected:
            poll = Poll(_SOON)
            while poll.again():
                pass
            reader.execute("COMMIT", target.limits.statement)
            later = reader.execute(read, target.limits.statement)
            return _Missed.SOON_SHOWN if isinstance(later, Rows) and later.values == expected else _Missed.FOR_LONGER
        if not isinstance(reply, Rows):
            return _Missed.UNKNOWN
        reader.execute("COMMIT", target.limits.statement)  # a transaction may keep its first view of the data
    return _Missed.NOTHING


_CLOSES = 1.0  # seconds after the end of the transaction in which such a server closes the session
_ENOUGH_ENDS = 2  # measurements without a lost session, or that failed, after which none is made
_ENDS = ("COMMIT", "ROLLBACK")


@dataclass
class TransactionEnds:
    """The measurements of a process.

    Attributes:
        closing: whether a session was lost when its transaction ended.
        others: the number of measurements in which none was lost, or that failed.
        left: a line for each statement of the last measurement's cleanup that failed.
    """

    closing: bool = False
    others: int = 0
    left: tuple[str, ...] = ()

    def close_sessions(self, target: Target) -> bool:
        """Whether a session is lost when its transaction ends; measured until that is known."""
        if not self.closing and self.others < _ENOUGH_ENDS:
            fixtures = Fixtures(target, Transcript())
            self.closing = _any_is_lost(target, fixtures)
            self.others += not self.closing
            self.left = (*self.left, *fixtures.remove())
        return self.closing


def _any_is_lost(target: Target, fixtures: Fixtures) -> bool:
    """Whether a session is lost after a COMMIT or a ROLLBACK; False if that can't be measured."""
    try:
        fixtures.make_table(((1, 0),), [])
        return any(_is_lost(target, str(fixtures.table), end) for end in _ENDS)
    except (InconclusiveError, TargetError):
        return False


def _is_lost(target: Target, table: str, end: str) -> bool:
    """Whether a session that changes a table is lost after ``end``, and not before."""
    session = Session(target.administrator.login)
    limit = target.limits.statement
    update = f"UPDATE {table} SET val = val + 1 WHERE id = 1"  # noqa: S608 - a table of the suite
    try:
        if not succeeded(session.open(target.limits.connect)):
            return False
        if not all(succeeded(session.execute(each, limit)) for each in (target.word("begin", session), update)):
            return False
        session.execute(end, limit)
        poll = Poll(_CLOSES)
        while session.check_connection() is None and poll.again():
            pass
        return session.check_connection() is not None
    finally:
        session.close()


_AT_LEAST = 2.0  # seconds of the first measurement, so that slightly longer times need no further one
_PAUSE = 0.1  # seconds between the calls of ``meanwhile``, while another thread measures
_MEASURED = 1.2  # times the idle time of the closed session
_ACCEPTED = 1.3  # likewise; more than is measured, so that the next session with about this idle time needs no other


@dataclass(frozen=True)
class IdleLoss:
    """The loss of a session that was left idle.

    Attributes:
        seconds: the seconds after which it was closed, or after which it did not reply.
        silent: whether it was not closed and did not reply: then it may have been lost at any time before.
    """

    seconds: float
    silent: bool

    def explains(self, names: str, idle: float, at_least: str) -> str:
        """The reason not to judge the loss of sessions that were idle for ``idle`` seconds.

        Args:
            names: the lost sessions.
            idle: their idle time in seconds.
            at_least: the idle timeout that the cases need.
        """
        how, why = "ended", f"an idle timeout. Raise it above {at_least}"
        if self.silent:
            how = "did not reply"
            why = f"a firewall or proxy drops idle connections. Raise its idle timeout above {at_least}"
        elif self.seconds < idle / 2:
            why = "the server closes connections without the statement under test"
        return (
            f"{names} {how} after {idle:.1f} s without a statement, and a session that no statement named also {how} "
            f"after {self.seconds:.1f} s: {why}"
        )


@dataclass
class IdleTimeout:
    """The idle timeout of a target, as far as it is measured; one object per process. One thread measures at a time.

    Attributes:
        target: the server, with the administrator's login.
        longest_survived: the longest time in seconds after which an idle session was still usable.
        loss: how an idle session was lost; None if none was.
        alone: whether one case is run at a time. Otherwise another case may have killed the measured session: then
            the result is used once, and not kept.
    """

    target: Target
    longest_survived: float = 0.0
    loss: IdleLoss | None = None
    alone: bool = True
    # A thread may measure during a measurement: a session that is kept active meanwhile can be lost, too.
    _measuring: threading.RLock = field(default_factory=threading.RLock, repr=False)

    def set_one_case_at_a_time(self, *, alone: bool) -> None:
        """Notes whether one case is run at a time from now on."""
        self.alone = alone

    def find(
        self, seconds: float, login: Login, meanwhile: Callable[[], None], *, silent: bool = False
    ) -> IdleLoss | None:
        """How an idle session is lost, if that can have happened to one that was idle for ``seconds``; else None.

        If that is not known yet, opens a session and leaves it idle, which takes as long.

        Args:
            seconds: the idle time of the lost session.
            login: the login for the measurement; if it fails, the administrator's is used.
            meanwhile: called repeatedly during the measurement, to keep other sessions active.
            silent: whether the lost session is not closed, but doesn't reply. Only a silent loss explains that, and
                only while the server replies to others: a server that hangs may hang because of the statement.

        Raises:
            TargetError: no session can be opened, and the lost session is closed.
        """
        try:
            loss = self.loss if self._is_known(seconds) else self._measure_once(seconds, login, meanwhile)
        except TargetError:
            if silent:
                return None
            raise
        if loss is None or loss.seconds > seconds * _ACCEPTED or (silent and not loss.silent):
            return None
        return loss

    def _is_known(self, seconds: float) -> bool:
        """Whether it has been measured what becomes of a session that is idle for these seconds."""
        if seconds <= self.longest_survived:
            return True
        return self.loss is not None and (not self.loss.silent or self.loss.seconds <= seconds * _ACCEPTED)

    def _measure_once(self, seconds: float, login: Login, meanwhile: Callable[[], None]) -> IdleLoss | None:
        while not self._measuring.acquire(timeout=_PAUSE):
            meanwhile()
        try:
            if self._is_known(seconds):  # another thread has measured it
                return self.loss
            at_least = seconds * _MEASURED
            loss = self._measure(max(_AT_LEAST, at_least), login, meanwhile)
            if loss is not None and loss.silent and at_least < _AT_LEAST:
                loss = self._measure(at_least, login, meanwhile)
            if self.alone:
                self.loss = loss or self.loss
            return loss
        finally:
            self._measuring.release()

    def _measure(self, seconds: float, login: Login, meanwhile: Callable[[], None]) -> IdleLoss | None:
        session = self._open(login)
        try:
            poll = Poll(seconds)
            while session.check_connection() is None and poll.again():
                meanwhile()
            idle = session.idle
            if session.connection_end is not None:
                return IdleLoss(idle, silent=False)
            session.send(self.target.probe)
            if succeeded(session.result(self.target.limits.statement)):
                self.longest_survived = max(self.longest_survived, seconds)
                return None
            if session.connection_end is not None:
                return IdleLoss(idle, silent=False)
            return IdleLoss(idle, silent=True) if self._replies(login) else None
        finally:
            session.close()

    def _replies(self, login: Login) -> bool:
        """Whether the server replies to a new session."""
        session = self._open(login)
        try:
            return succeeded(session.execute(self.target.probe, self.target.limits.statement))
        finally:
            session.close()

    def _open(self, login: Login) -> Session:
        for each in (login, self.target.administrator.login):
            session = Session(each)
            outcome = session.open(self.target.limits.connect)
            if succeeded(outcome):
                return session
            session.abandon()
        raise TargetError(f"the session for the comparison with idle sessions could not connect: {outcome}", outcome)
