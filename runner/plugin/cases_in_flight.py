"""Cases in flight: several cases at a time in each process, in threads, while pytest requests one result after another.

A case mostly waits: for the server, and to see that sessions survive. So each process runs ``--in-flight`` cases at a
time, each in a thread with its own sessions; the cases that take longest are started first. pytest requests the results
in its own order, as if it ran the cases: it selects, stops, reports and captures as usual.

Cases on one server can affect each other, so a verdict that another case may have caused is not final:

- *deviates* and *inconclusive* in flight are confirmed: the case is run again alone, and that result counts. Where a
  deviation needs two runs, the run in flight is the first one. A deviation that does not recur in four runs alone makes
  the case inconclusive: the server deviates at random, or because of the other cases. The first three such deviations
  with users of earlier cases are attributed to these users, and the result alone counts.
- A failure that was confirmed in other cases (module confirmed_failures) is not confirmed again. This does not apply to
  lost sessions, and to no case after a loss was refuted.
- A session that was lost in flight, but not when its case ran alone, was ended by another case in flight at that time;
  also a session that was lost during the setup of its case and replaced. These other cases are run alone, too. If one
  deviates, it was the cause, and the first case has the verdict that it has alone; otherwise the first case is
  inconclusive. Therefore a case is reported only after all cases that were in flight with it have ended.
- The cases beside a case that kills unrelated sessions are run alone, too: it may have killed their victims for them.

How many cases are run at a time depends on the server and on this process: see module pace.

Cases that have to run alone are run after all others, but at once for lost sessions, and if the run stops at a failure.
Cases with ``alone: true`` are run first.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from runner.execution.case_result import CaseResult, Verdict
from runner.execution.case_runner import CaseRunner, ResultAmongOthers
from runner.language.model import Case, Pause, Repeat, Step, When
from runner.plugin.confirmed_failures import ConfirmedFailures
from runner.plugin.pace import Pace

_WAIT = 1.0  # seconds between two calls of ``on_wait``
_END_LIMIT = 15.0  # seconds for the cases in flight to end at the end of the run
_STEP = 0.02  # seconds that a step takes on average


@dataclass(eq=False)
class _Flight:
    """A case that waits, is in flight, or has ended.

    Attributes:
        beside: the cases that were in flight at the same time.
        before: the attempt in flight, if it has to be confirmed.
        suspects: the cases that may have ended its lost session.
        alone: the result of the run alone, if there was one.
        result: the final result, if known.
        failure: an exception of the suite itself.
    """

    name: str
    case: Case
    beside: set[_Flight] = field(default_factory=set, repr=False)
    before: ResultAmongOthers | None = None
    suspects: list[_Flight] = field(default_factory=list, repr=False)
    alone: CaseResult | None = None
    result: CaseResult | None = None
    failure: BaseException | None = None

    @property
    def ended(self) -> bool:
        """Whether it is not run again for its own sake."""
        return self.result is not None or self.failure is not None

    @property
    def expected(self) -> float:
        """The seconds that it takes, roughly."""
        return self.case.repeat * (self.case.watch + _STEP * _count(self.case.steps))


def _count(steps: Iterable[Step]) -> float:
    """The number of statements, roughly."""
    return sum(_times(step) for step in steps)


def _times(step: Step) -> float:
    match step:
        case Repeat():
            return step.times * _count(step.steps)
        case Pause():
            return step.seconds / _STEP
        case When():
            return max(_count(step.steps), _count(step.otherwise))
        case _:
            return 1


class CasesInFlight:
    """Runs the cases of one process in threads.

    Args:
        case_runner: runs the cases of the first thread; the other threads have their own.
        limit: the number of cases at a time.
        at_once: whether verdicts are confirmed before further cases are started.
        on_wait: called about once a second while ``result`` waits, with the number of finished cases.
    """

    def __init__(
        self,
        case_runner: CaseRunner,
        limit: int,
        *,
        at_once: bool = False,
        on_wait: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._case_runner = case_runner
        self.pace = Pace(limit)
        self._at_once = at_once
        self._on_wait = on_wait
        self._changed = threading.Condition()
        self._flights: dict[str, _Flight] = {}
        self._waiting: list[_Flight] = []
        self._to_be_alone: deque[_Flight] = deque()
        self._in_flight: set[_Flight] = set()
        self._is_alone = False
        self._ended = False
        self._threads: dict[int, threading.Thread] = {}
        self._confirmed = ConfirmedFailures()
        self._harmed = False
        """Whether a session was lost in a case that doesn't lose it when run alone."""

    def add(self, cases: Iterable[tuple[str, Case]]) -> None:
        """Adds cases with their names, which may be started; known names are ignored."""
        with self._changed:
            new = [_Flight(name, case) for name, case in dict(cases).items() if name not in self._flights]
            self._flights |= {flight.name: flight for flight in new}
            self._to_be_alone.extendleft(flight for flight in reversed(new) if flight.case.alone)
            self._waiting += [flight for flight in new if not flight.case.alone]
            self._waiting.sort(key=lambda flight: -flight.expected)
            self._start_threads()
            self._changed.notify_all()

    def knows(self, name: str) -> bool:
        """Whether a case was added."""
        return name in self._flights

    def result(self, name: str) -> CaseResult:
        """The final result of a case that was added; waits for it."""
        flight = self._flights[name]
        while not self._wait_for(flight):
            self._on_wait(sum(other.ended for other in list(self._flights.values())))
        if flight.failure is not None:
            raise flight.failure
        assert flight.result is not None  # noqa: S101 - it is final
        return flight.result

    def _wait_for(self, flight: _Flight) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._is_final(flight), timeout=_WAIT)

    def end(self) -> None:
        """Stops starting cases, and waits for the end of those in flight and their cleanup, 15 seconds at most."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
            threads = list(self._threads.values())
        until = time.monotonic() + _END_LIMIT
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _is_final(self, flight: _Flight) -> bool:
        return flight.ended and all(
            other.ended or (other.before is not None and not other.before.lost) for other in flight.beside
        )

    def _start_threads(self) -> None:
        """Starts the threads that are needed."""
        if self._ended:
            return
        for number in range(min(self.pace.current, len(self._waiting) + len(self._to_be_alone))):
            if number not in self._threads:
                self._threads[number] = threading.Thread(target=self._work, args=(number,), daemon=True)
                self._threads[number].start()

    # Executed by the threads

    def _work(self, number: int) -> None:
        case_runner = self._case_runner if number == 0 else self._case_runner.for_another_thread()
        while True:
            flight = self._next(number, wait=False)
            if flight is None:
                case_runner.close_administrator()
                flight = self._next(number, wait=True)
            if flight is None:
                break
            self._run(flight, case_runner)
        if number:
            case_runner.close()

    def _next(self, number: int, *, wait: bool) -> _Flight | None:
        """The next case to run.

        Args:
            number: the number of the thread.
            wait: whether to wait until a case may be started; then None: this thread is not needed any more.
        """
        with self._changed:
            while True:
                if self._ended or (flight := self._take_startable(number)) is not None:
                    break
                if not wait:
                    return None
                if self._is_superfluous(number):
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

    def _take_startable(self, number: int) -> _Flight | None:
        if self._is_alone or number >= self.pace.current:
            return None
        if self._to_be_alone and (self._at_once or self._is_urgent or not self._waiting):
            if self._in_flight:
                return None
            self._is_alone = True
            return self._to_be_alone.popleft()
        if not self._waiting or len(self._in_flight) >= self.pace.current:
            return None
        self._is_alone = self.pace.current == 1
        return self._waiting.pop(0)

    @property
    def _is_urgent(self) -> bool:
        """Whether a case that has to run alone is next: one with ``alone: true``, or one with a lost session."""
        return any(flight.case.alone or (flight.before and flight.before.lost) for flight in self._to_be_alone)

    def _is_superfluous(self, number: int) -> bool:
        """Whether no case is left for a thread; the first thread waits for cases that have to run alone."""
        if number:
            return number >= self.pace.current or not self._waiting
        return not (self._waiting or self._to_be_alone or self._in_flight)

    def _run(self, flight: _Flight, case_runner: CaseRunner) -> None:
        alone, result, attempt = self._is_alone, None, None
        try:
            if alone:
                result = case_runner.run(flight.case, flight.before)
            else:
                attempt = case_runner.run_among_others(flight.case)
        except BaseException as error:  # noqa: BLE001 - raised again when pytest requests the result
            flight.failure = error
        done = result or (attempt.result if attempt else None)
        can_rise = done is not None and self.pace.can_rise(done.seconds, flight.expected)
        late = case_runner.replied_late()
        with self._changed:
            self._in_flight.discard(flight)
            if late:
                self.pace.note_late_reply()
            self._is_alone = False
            if attempt is not None:
                self._judge_attempt(flight, attempt)
            elif result is not None:
                self._judge_alone(flight, result)
            self._resolve_suspicions()
            self.pace.adjust(rise=can_rise)
            self._start_threads()
            self._changed.notify_all()

    # Consequences of a result

    def _judge_attempt(self, flight: _Flight, attempt: ResultAmongOthers) -> None:
        if attempt.full and self.pace.note_full(len(self._in_flight)):
            self._waiting.append(flight)
            return
        self.pace.note_attempt(lost=attempt.lost, unusable=attempt.unusable)
        if attempt.doubtful and not self._is_confirmed(attempt):
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
            again = result.verdict is before.result.verdict
            self._confirmed.note(before, confirmed=again)
            self._end_confirmed()
            unwatched = before.lost and not before.result.failed
            if before.lost and again and not (unwatched or result.safety):
                self.pace.note_explained_loss()
            # A statement that succeeded because a REVOKE had no effect yet has killed the lost session.
            lagged = not result.failed and self._case_runner.privileges_lagged(before.last)
            suspicious = before.lost and not (before.unusable or lagged) and (unwatched or not again)
            if suspicious:
                self._suspect_those_beside(flight)
            elif result.safety:
                self._queue_those_beside(flight)
            if unwatched or not suspicious:
                flight.result = flight.alone

    def _is_confirmed(self, attempt: ResultAmongOthers) -> bool:
        """Whether the failure of a case needs no confirmation, because other cases had it as well."""
        uncertain = attempt.lost or attempt.unusable or self._harmed
        return not uncertain and self._confirmed.include(attempt)

    def _end_confirmed(self) -> None:
        """Ends the cases that wait for a confirmation that is not needed any more."""
        for flight in list(self._to_be_alone):
            if flight.result is None and flight.alone is None and flight.before and self._is_confirmed(flight.before):
                flight.result = flight.before.result
                self._to_be_alone.remove(flight)

    def _suspect_those_beside(self, flight: _Flight) -> None:
        """Runs all cases alone that were in flight with a case that lost a session and doesn't lose it alone."""
        flight.suspects = [other for other in flight.beside if other.failure is None]
        self._queue_those_beside(flight)

    def _queue_those_beside(self, flight: _Flight) -> None:
        """Queues the cases that were in flight beside a harmful one, to be run alone."""
        self._harmed = True
        for other in flight.beside:
            if other.failure is None and other.result is not None and other.alone is None:
                other.result = None
                self._to_be_alone.append(other)

    def _resolve_suspicions(self) -> None:
        for flight in self._flights.values():
            if flight.before is None or flight.alone is None or flight.ended:
                continue
            suspects = [other for other in flight.suspects if other.failure is None]
            verdicts = [other.alone.verdict if other.alone else None for other in suspects]
            if Verdict.DEVIATES in verdicts:
                flight.result = flight.alone
            elif None not in verdicts:
                flight.result = CaseRunner.unexplained_loss(flight.before, flight.alone)
