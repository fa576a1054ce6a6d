"""Measures whether running statements are interrupted without the statement under test, as by a watchdog.

A watchdog that interrupts statements which run for too long, another client that sends KILL QUERY, or a time limit of
the server interrupt statements that have to go on: that is no effect of the statement under test.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from runner.database.administrator_session import TargetError
from runner.database.outcome import Outcome, ServerError, succeeded
from runner.database.session import Login, Session
from runner.database.target import Target
from runner.database.time_limits import KEEP_ACTIVE_AFTER, Poll
from runner.execution.case_errors import InconclusiveError, raise_if_run_ends
from runner.execution.fixtures import Fixtures
from runner.execution.reply_class import ReplyClass, reply_class
from runner.execution.statement_text import LONG
from runner.execution.transcript import Transcript
from runner.language.model import SessionSpec

_SHORTEST = 2.0  # seconds of a measurement: a watchdog may look every second or two
_LONGEST = 20.0  # seconds; less than the running statement takes
_FACTOR = 2  # a measurement is this many times as long as the run of the case
_ENOUGH = 3  # measurements without an interruption, or that failed, after which none is made
_TIMES = 2  # interruptions in a row: the statement of an earlier case may explain one
_USER = SessionSpec("a user whose statements run")


@dataclass
class Interruptions:
    """The measurements of a process.

    Attributes:
        after: the seconds after which a running statement was interrupted; None if none was.
        others: the number of measurements in which none was, or that failed.
        left: a line for each statement of the last measurement's cleanup that failed.
    """

    after: float | None = None
    others: int = 0
    left: tuple[str, ...] = ()

    def occur(self, target: Target, seconds: float, *, new_user: bool) -> bool:
        """Whether running statements are interrupted; measured with a table of its own, until that is known.

        Args:
            target: the server.
            seconds: the duration of the run of the case that deviates.
            new_user: whether to measure with a new user, and not with the administrator, which a watchdog may spare.
        """
        if self.after is None and self.others < _ENOUGH:
            limit = min(_LONGEST, max(_SHORTEST, _FACTOR * seconds))
            times = [self._measure(target, limit, new_user=new_user)]
            while times[-1] is not None and len(times) < _TIMES:
                times.append(self._measure(target, limit, new_user=new_user))
            self.after = times[-1]
            self.others += self.after is None
        return self.after is not None

    def _measure(self, target: Target, limit: float, *, new_user: bool) -> float | None:
        """The seconds until a statement was interrupted; None if none was, or if that can't be measured."""
        fixtures = Fixtures(target, Transcript())
        try:
            return _seconds_until_interrupted(target, fixtures, limit, new_user=new_user)
        except (InconclusiveError, TargetError):
            return None
        finally:
            self.left = (*self.left, *fixtures.remove())


def _seconds_until_interrupted(target: Target, fixtures: Fixtures, limit: float, *, new_user: bool) -> float | None:
    """The seconds until a running statement, or one that waits for a row lock, is interrupted; None if none is."""
    accounts = [fixtures.provide_account(_USER, reusable=False)] if new_user else []
    fixtures.make_table(((1, 0),), accounts)
    login = target.login(accounts[0].user, accounts[0].password) if accounts else target.administrator.login
    holder, waiter, runner = (_open(target, each) for each in (target.administrator.login, login, login))
    update = f"UPDATE {fixtures.table} SET val = val + 1 WHERE id = 1"  # noqa: S608 - a table of the suite
    try:
        for statement in (target.word("begin", holder), update):
            _require(holder.execute(statement, target.limits.statement))
        runner.send(target.word("sleep", target.administrator.session).format(seconds=LONG))
        waiter.send(update)
        poll = Poll(limit)
        while poll.again():
            raise_if_run_ends(target)
            target.keep_active(KEEP_ACTIVE_AFTER)
            if _is_interrupted(target, (runner, waiter)):
                return limit - poll.left
        return None
    finally:
        for session in (runner, waiter, holder):
            session.close()


def _open(target: Target, login: Login) -> Session:
    session = Session(login)
    _require(session.open(target.limits.connect))
    return session


def _require(outcome: Outcome) -> None:
    if not succeeded(outcome):
        raise TargetError(str(outcome), outcome)


def _is_interrupted(target: Target, sessions: Collection[Session]) -> bool:
    """Whether the statement of one of these sessions was interrupted."""
    replies = [session.result(0) for session in sessions if session.busy and session.has_reply]
    return any(
        isinstance(reply, ServerError) and reply_class(reply, target.profile, fits=False) is ReplyClass.INTERRUPTED
        for reply in replies
    )
