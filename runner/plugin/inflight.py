"""Cases in flight: while pytest waits for one case and reports it, threads run those that come after it.

A case mostly waits: for the server, and for harm that doesn't come. So each process runs ``--in-flight`` cases at a
time, each in a thread with sessions of its own, and those that are watched longest begin first. pytest asks for their
results one by one, in its own order, as if it ran them: choosing, stopping, reporting and capturing stay pytest's.

Cases that meet on a server must not answer for each other. So a verdict that a neighbour may have caused is no verdict:

- *deviates* and *inconclusive* that came in flight are confirmed: the case is run once more alone, and what it comes to
  then counts. What has to come twice to be a deviation has come once in flight.
- Where the same words were confirmed three times, and never refuted, they are believed: a server without some statement
  answers so in a hundred cases. Never so for a lost session, and for nothing once a loss was refuted.
- A session that was lost in flight, and not alone, was ended by something else: a case that was in flight meanwhile. So
  was one that was lost while its case was prepared, and replaced. These are run alone, too. If one of them deviates, it
  was that one, and the verdict alone counts for the first case; else that is inconclusive, as ever if something doesn't
  come again. So that nothing was reported by then, a case is reported once all that were in flight with it have ended.
- From then on, cases are run one at a time; and so they are where one in four has lost a session, and once the target
  can't be used at all: a target in trouble costs what it costs with ``--in-flight 1``.
- A login that is refused for want of room halves the number of cases at a time, and the case is run again.

More than eight cases at a time are run only where they wait for the server, and while this process keeps up with them,
which its own pauses tell: on a fast server they would only take the interpreter from each other.

What has to run alone is run when all else is done; lost sessions are looked into at once, and so is everything where
the run is to stop at a failure. Cases that say ``alone: true`` are the first.
"""

from __future__ import annotations

import re
import threading
import time
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from runner.execution.perform import Attempt, Performer
from runner.execution.verdict import CaseResult, Verdict
from runner.language.model import Case, Repeat, Step

_BELIEVED = 3  # times that the same words were confirmed
_MANY = 8  # cases that lost a session
_OF = 4  # times as many cases; more are no server on which cases can be in flight
_ENDING = 15.0  # seconds for the cases in flight to end when the run does
_FEW = 8  # cases at a time that any machine keeps up with
_PAUSE = 0.005  # seconds
_LATE = 0.003  # seconds that a pause lasts longer where threads wait for the interpreter or a processor
_WAITS = 0.5  # seconds more than expected, for which a case waited for the server
_STEP = 0.02  # seconds that a step takes, about: to tell which cases take long
_ID_OF = "id of "
_VARIABLE = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`|\bKSC\w*|\d+", re.IGNORECASE)
"""What differs between answers that say the same: what is quoted, names, numbers."""


@dataclass(eq=False)
class _Flight:
    """A case on its way.

    Attributes:
        beside: those that were in flight with it.
        before: what it came to among them, if that has to be confirmed.
        suspects: those that may have ended its session, if it was lost for no reason of its own.
        result: what it comes to; None as long as that is not known.
        failure: what went wrong in the suite itself.
    """

    name: str
    case: Case
    beside: set[_Flight] = field(default_factory=set)
    before: Attempt | None = None
    suspects: list[_Flight] = field(default_factory=list)
    alone: CaseResult | None = None
    result: CaseResult | None = None
    failure: BaseException | None = None

    @property
    def over(self) -> bool:
        """Whether it will not be run again on its own account."""
        return self.result is not None or self.failure is not None

    @property
    def expected(self) -> float:
        """Seconds that it takes, about."""
        return self.case.repeat * (self.case.watch + _STEP * _count(self.case.steps))


def _count(steps: Iterable[Step]) -> int:
    return sum(step.times * _count(step.steps) if isinstance(step, Repeat) else 1 for step in steps)


class CasesInFlight:
    """The cases of one process.

    Args:
        performer: runs cases; the other threads get performers beside it.
        limit: how many cases to run at a time.
        at_once: whether what has to be confirmed is confirmed before further cases begin.
    """

    def __init__(self, performer: Performer, limit: int, *, at_once: bool = False) -> None:
        self._performer = performer
        self._limit = limit
        self._pace = min(limit, _FEW)
        self._at_once = at_once
        self._changed = threading.Condition()
        self._flights: dict[str, _Flight] = {}
        self._waiting: list[_Flight] = []
        self._to_be_alone: deque[_Flight] = deque()
        self._in_flight: set[_Flight] = set()
        self._is_alone = False
        self._ended = False
        self._threads: dict[int, threading.Thread] = {}
        self._confirmed: Counter[tuple[Verdict, str]] = Counter()
        self._refuted: set[tuple[Verdict, str]] = set()
        self._attempts = self._losses = 0
        self._harmed = False
        """Whether a session was lost in a case that doesn't lose it alone."""
        self.room: int | None = None
        """How many cases at a time the server had connections for, if they were fewer than asked for."""

    def add(self, cases: Iterable[tuple[str, Case]]) -> None:
        """Lets cases begin, which have names; those that are known already are passed over."""
        with self._changed:
            new = [_Flight(name, case) for name, case in dict(cases).items() if name not in self._flights]
            self._flights |= {flight.name: flight for flight in new}
            self._to_be_alone.extendleft(flight for flight in reversed(new) if flight.case.alone)
            self._waiting += [flight for flight in new if not flight.case.alone]
            self._waiting.sort(key=lambda flight: -flight.expected)
            self._staff()
            self._changed.notify_all()

    def knows(self, name: str) -> bool:
        """Whether a case was added."""
        return name in self._flights

    def result(self, name: str) -> CaseResult:
        """What a case that was added comes to, once that is known for good."""
        flight = self._flights[name]
        with self._changed:
            self._changed.wait_for(lambda: self._is_final(flight))
        if flight.failure is not None:
            raise flight.failure
        assert flight.result is not None  # noqa: S101 - it is final
        return flight.result

    def end(self) -> None:
        """Ends the cases in flight as soon as they can be, which clear up; waits for that."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
            threads = list(self._threads.values())
        until = time.monotonic() + _ENDING
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _is_final(self, flight: _Flight) -> bool:
        return flight.over and all(
            other.over or (other.before is not None and not other.before.lost) for other in flight.beside
        )

    def _staff(self) -> None:
        """Starts the threads that are needed and not there."""
        if self._ended:
            return
        for number in range(min(self._pace, len(self._waiting) + len(self._to_be_alone))):
            if number not in self._threads:
                self._threads[number] = threading.Thread(target=self._work, args=(number,), daemon=True)
                self._threads[number].start()

    # In the threads

    def _work(self, number: int) -> None:
        performer = self._performer if number == 0 else self._performer.beside()
        while True:
            flight = self._next(number, wait=False)
            if flight is None:
                performer.rest()
                flight = self._next(number, wait=True)
            if flight is None:
                break
            self._run(flight, performer)
        if number:
            performer.close()

    def _next(self, number: int, *, wait: bool) -> _Flight | None:
        """The next case to run.

        Args:
            number: the thread's.
            wait: whether to wait until one may begin; then None says that this thread is not needed any more.
        """
        with self._changed:
            while True:
                if self._ended or (flight := self._startable(number)) is not None:
                    break
                if not wait:
                    return None
                if self._is_needless(number):
                    break
                self._changed.wait()
            if self._ended or flight is None:
                self._threads.pop(number, None)
                return None
            for other in self._in_flight:
                other.beside.add(flight)
            flight.beside |= self._in_flight
            self._in_flight.add(flight)
            return flight

    def _startable(self, number: int) -> _Flight | None:
        if self._is_alone or number >= self._pace:
            return None
        if self._to_be_alone and (self._at_once or self._is_urgent or not self._waiting):
            if self._in_flight:
                return None
            self._is_alone = True
            return self._to_be_alone.popleft()
        if not self._waiting or len(self._in_flight) >= self._pace:
            return None
        self._is_alone = self._pace == 1
        return self._waiting.pop(0)

    @property
    def _is_urgent(self) -> bool:
        """Whether what has to run alone comes next: cases that say so, and lost sessions."""
        return any(flight.case.alone or (flight.before and flight.before.lost) for flight in self._to_be_alone)

    def _is_needless(self, number: int) -> bool:
        """Whether nothing will be left to do for a thread; the first one stays for what has to be run alone."""
        if number:
            return number >= self._pace or not self._waiting
        return not (self._waiting or self._to_be_alone or self._in_flight)

    def _keeps_up(self) -> bool:
        start = time.monotonic()
        time.sleep(_PAUSE)
        return time.monotonic() - start < _PAUSE + _LATE

    def _set_pace(self, *, faster: bool) -> None:
        self._pace = min(self._limit, self._pace + 1 if faster else max(_FEW, self._pace - 1))
        self._staff()

    def _run(self, flight: _Flight, performer: Performer) -> None:
        alone, result, attempt = self._is_alone, None, None
        try:
            if alone:
                result = performer.perform(flight.case, flight.before)
            else:
                attempt = performer.attempt(flight.case)
        except BaseException as error:  # noqa: BLE001 - pytest shows it where the case is reported
            flight.failure = error
        done = result or (attempt.result if attempt else None)
        waits = done is not None and done.seconds > flight.expected + _WAITS
        more = self._limit > _FEW and waits and self._keeps_up()
        with self._changed:
            self._in_flight.discard(flight)
            self._is_alone = False
            if attempt is not None:
                self._judge_attempt(flight, attempt)
            elif result is not None:
                self._judge_alone(flight, result)
            self._clear_up_suspicions()
            self._set_pace(faster=more)
            self._changed.notify_all()

    # What follows

    def _judge_attempt(self, flight: _Flight, attempt: Attempt) -> None:
        if attempt.full and self._limit > 1:
            self._limit = self.room = max(1, min(self._limit, len(self._in_flight) + 1) // 2)
            self._waiting.append(flight)
            return
        self._attempts += 1
        self._losses += attempt.lost
        if attempt.troubled or self._losses >= max(_MANY, self._attempts / _OF):
            self._limit = 1
        if attempt.doubtful and not self._believes(attempt):
            flight.before = attempt
            self._to_be_alone.append(flight)
        else:
            flight.result = attempt.result

    def _judge_alone(self, flight: _Flight, result: CaseResult) -> None:
        before = flight.before
        if before is None:
            flight.result = flight.alone = result
        else:
            flight.alone = replace(result, seconds=round(before.result.seconds + result.seconds, 3))
            words = _words(before.result)
            if result.verdict is before.result.verdict:
                self._confirmed[words] += 1
            else:
                self._refuted.add(words)
            again = result.verdict is before.result.verdict
            unwatched = before.lost and not before.result.failed
            suspicious = before.lost and not before.troubled and (unwatched or not again)
            if suspicious:
                self._suspect(flight)
            if unwatched or not suspicious:
                flight.result = flight.alone

    def _believes(self, attempt: Attempt) -> bool:
        """Whether the same was confirmed so often that it need not be again."""
        words = _words(attempt.result)
        doubt = attempt.lost or attempt.troubled or self._harmed or words in self._refuted
        return not doubt and self._confirmed[words] >= _BELIEVED

    def _suspect(self, flight: _Flight) -> None:
        """A case has lost a session for no reason of its own: those that were in flight with it are run alone, too."""
        self._harmed, self._limit = True, 1
        flight.suspects = [other for other in flight.beside if other.failure is None]
        for other in flight.suspects:
            if other.result is not None and other.alone is None:
                other.result = None
                self._to_be_alone.append(other)

    def _clear_up_suspicions(self) -> None:
        for flight in self._flights.values():
            if flight.over or flight.before is None or flight.alone is None:
                continue
            suspects = [other for other in flight.suspects if other.failure is None]
            verdicts = [other.alone.verdict if other.alone else None for other in suspects]
            if Verdict.DEVIATES in verdicts:
                flight.result = flight.alone
            elif None not in verdicts:
                flight.result = Performer.unexplained(flight.before, flight.alone)


def _words(result: CaseResult) -> tuple[Verdict, str]:
    """A verdict and its reason, without what differs between cases: ids, names of objects and of sessions."""
    text = _VARIABLE.sub("…", result.actual or result.reason)
    names = [re.escape(key.removeprefix(_ID_OF)) for key in result.identifiers if key.startswith(_ID_OF)]
    return result.verdict, re.sub(rf"\b({'|'.join(names)})\b", "…", text) if names else text
