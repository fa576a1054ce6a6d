"""Measures the idle timeout of a target with control sessions, which no statement names.

An idle timeout of the server or of a proxy, and not the statement under test, may have closed a session that was idle
for long; a firewall may drop its packets from then on, so that it only seems to be open. To find out, a control session
is left idle for as long, and has to reply to a statement then. No variable of the server is read.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from runner.database.administrator_session import TargetError
from runner.database.outcome import succeeded
from runner.database.session import Login, Session
from runner.database.target import Target
from runner.database.time_limits import Poll

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
