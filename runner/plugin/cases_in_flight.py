"""Cases in flight: several cases at a time in each process, in threads, while pytest requests one result after another.

A case mostly waits: for the server, and to see that sessions survive. So each process runs ``--in-flight`` cases at a
time, each in a thread with its own sessions; the cases that take longest are started first. pytest requests the results
in its own order, as if it ran the cases: it selects, stops, reports and captures as usual.

Cases on one server can affect each other, so a verdict that another case may have caused is not final:

- *deviates* and *inconclusive* in flight are confirmed: the case is run again alone, and that result counts. Where a
  deviation needs two runs, the run in flight is the first one. A deviation that does not recur in four runs alone makes
  the case inconclusive: the server deviates at random, or because of the other cases. The first three such deviations
  with users of earlier cases are attributed to these users, and the result alone counts.
- After the same failure was confirmed three times, it is not confirmed again: a server without a statement gives the
  same reply in a hundred cases. Each time that it was refuted, five more confirmations are needed. This does not apply
  to lost sessions, and to no case after a loss was refuted.
- A session that was lost in flight, but not when its case ran alone, was ended by another case in flight at that time;
  also a session that was lost during the setup of its case and replaced. These other cases are run alone, too. If one
  deviates, it was the cause, and the first case has the verdict that it has alone; otherwise the first case is
  inconclusive. Therefore a case is reported only after all cases that were in flight with it have ended.
- The cases beside a case that kills unrelated sessions are run alone, too: it may have killed their victims for them.
- Cases are run one at a time if one in ten has lost a session for another reason than its own statement, or once the
  target was unusable. A single loss, as by a firewall, does not make the run longer.
- A login that is rejected because of too many connections halves the number of cases at a time; the case is run again.
  A reply to a statement under test that arrives after its limit halves it, too: the server works off a queue.

More than eight cases at a time are run only if they wait for the server, and if this process is fast enough, which is
measured by the length of short sleeps: with a fast server, more threads only compete for the interpreter.

Cases that have to run alone are run after all others, but at once for lost sessions, and if the run stops at a failure.
Cases with ``alone: true`` are run first.
"""

from __future__ import annotations

import re
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from runner.database.outcome import VARIABLE_PARTS
from runner.execution.case_result import CaseResult, Verdict
from runner.execution.case_runner import CaseRunner, ResultAmongOthers
from runner.language.model import Case, Pause, Repeat, Step, When

_ENOUGH = 3  # confirmations of the same text, after which it is not confirmed again
_PER_REFUTATION = 5  # more of them for each time that the text was refuted
_MANY_LOSSES = 8  # cases that lost a session
_CASES_PER_LOSS = 10  # with more losses than one in so many cases, cases are run one at a time
_WAIT = 1.0  # seconds between two calls of ``on_wait``
_END_LIMIT = 15.0  # seconds for the cases in flight to end at the end of the run
_FEW = 8  # cases at a time for which every machine is fast enough
_SLEEP = 0.005  # seconds
_DELAY = 0.003  # seconds; a sleep is longer by more than this if threads wait for the interpreter or a processor
_WAITED = 0.5  # seconds more than expected: the case waited for the server
_STEP = 0.02  # seconds that a step takes on average
_ID_OF = "id of "


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
        self._limit = limit
        self._pace = min(limit, _FEW)
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
        self._confirmed: Counter[tuple[Verdict, str]] = Counter()
        self._refuted: Counter[tuple[Verdict, str]] = Counter()
        self._attempts = self._losses = 0
        """The attempts, and those that lost a session for a reason that is not known."""
        self._harmed = self._was_unusable = False
        """Whether a session was lost in a case that doesn't lose it when run alone; whether the target was unusable."""
        self.connection_room: int | None = None
        """The number of cases at a time for which the server accepted connections, if it was less than the limit."""

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
        for number in range(min(self._pace, len(self._waiting) + len(self._to_be_alone))):
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
        """Whether a case that has to run alone is next: one with ``alone: true``, or one with a lost session."""
        return any(flight.case.alone or (flight.before and flight.before.lost) for flight in self._to_be_alone)

    def _is_superfluous(self, number: int) -> bool:
        """Whether no case is left for a thread; the first thread waits for cases that have to run alone."""
        if number:
            return number >= self._pace or not self._waiting
        return not (self._waiting or self._to_be_alone or self._in_flight)

    def _is_fast_enough(self) -> bool:
        start = time.monotonic()
        time.sleep(_SLEEP)
        return time.monotonic() - start < _SLEEP + _DELAY

    @property
    def _most(self) -> int:
        """The number of cases at a time, at most."""
        many_losses = self._losses >= max(_MANY_LOSSES, self._attempts / _CASES_PER_LOSS)
        return 1 if self._was_unusable or many_losses else self._limit

    def _adjust_pace(self, *, faster: bool) -> None:
        self._pace = min(self._most, self._pace + 1 if faster else max(_FEW, self._pace - 1))
        self._start_threads()

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
        waits = done is not None and done.seconds > flight.expected + _WAITED
        more = self._limit > _FEW and waits and self._is_fast_enough()
        late = case_runner.replied_late()
        with self._changed:
            self._in_flight.discard(flight)
            if late and self._limit > 1:
                self._limit = max(1, min(self._limit, self._pace) // 2)
            self._is_alone = False
            if attempt is not None:
                self._judge_attempt(flight, attempt)
            elif result is not None:
                self._judge_alone(flight, result)
            self._resolve_suspicions()
            self._adjust_pace(faster=more)
            self._changed.notify_all()

    # Consequences of a result

    def _judge_attempt(self, flight: _Flight, attempt: ResultAmongOthers) -> None:
        if attempt.full and self._limit > 1:
            self._limit = self.connection_room = max(1, min(self._limit, len(self._in_flight) + 1) // 2)
            self._waiting.append(flight)
            return
        self._attempts += 1
        self._losses += attempt.lost
        self._was_unusable |= attempt.unusable
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
            failure = _failure(before)
            if result.verdict is before.result.verdict:
                self._confirmed[failure] += 1
                self._end_confirmed()
            else:
                self._refuted[failure] += 1
            again = result.verdict is before.result.verdict
            if before.lost and again and not result.safety:
                self._losses -= 1  # the statement of the case itself ends the session
            unwatched = before.lost and not before.result.failed
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
        """Whether the same failure was confirmed so often that no confirmation is needed."""
        failure = _failure(attempt)
        uncertain = attempt.lost or attempt.unusable or self._harmed
        return not uncertain and self._confirmed[failure] >= _ENOUGH + _PER_REFUTATION * self._refuted[failure]

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


def _failure(attempt: ResultAmongOthers) -> tuple[Verdict, str]:
    """A verdict and what failed: what the case presumes, or else its reason without ids and names.

    Cases that presume that sessions are killed differ in what a session that is not killed goes on to do.
    """
    result, presumed = attempt.result, attempt.last.kill_failure if attempt.last is not None else None
    if attempt.presumption_failed and presumed is not None:
        return result.verdict, f"{presumed.aspect}: {presumed.error}"
    text = VARIABLE_PARTS.sub("…", result.actual or result.reason)
    names = [re.escape(key.removeprefix(_ID_OF)) for key in result.identifiers if key.startswith(_ID_OF)]
    return result.verdict, re.sub(rf"\b({'|'.join(names)})\b", "…", text) if names else text
