"""Looks which sessions are gone and which go on, by their connections and by the list.

No look is final by itself: a session that should end is looked for until the settle time is over, a session that
should go on has to answer a statement after the ends were seen.

Nothing is sent on the connection of an idle session that should end before its row has left the list: a server that
only marks a session, and ends it at its client's next statement, would end it because of the suite's own question.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from runner.database.outcome import Lost, NoReply, Outcome, ServerError, Unreadable, succeeded
from runner.database.poll import Poll
from runner.database.session import Session
from runner.execution.idling import Idling
from runner.execution.patience import Patience
from runner.execution.route import refuse_moved
from runner.execution.stage import Actor, Stage
from runner.execution.verdict import DeviationError, Ending, InconclusiveError

_SLOWEST_PROBE = 1.0
_PROBE_LIMIT = 1.0  # seconds for the answer of a session that should be ending
_LATE = 0.2  # seconds from which on the end of an idle session may be that of an idle timeout
_KEPT_ACTIVE = 0.5  # seconds of idling after which a session that has to go on is sent a statement


@dataclass
class _Probe:
    """When a connection that is silent is asked next: some servers close it only then."""

    due: float
    pause: float

    def is_due(self) -> bool:
        """Whether to ask now; if so, the next time is later by twice the pause."""
        if time.monotonic() < self.due:
            return False
        self.pause = min(2 * self.pause, _SLOWEST_PROBE)
        self.due = time.monotonic() + self.pause
        return True


@dataclass
class _End:
    """What was seen so far of the end of a session; times are in seconds since the statement.

    Attributes:
        was_idle: whether no statement was in flight. A blocked session may linger: that tells nothing of the speed.
        begun: when it was first looked at, by the clock.
        looked: whether it was looked at before the last look.
        late: whether its connection was gone at the first look, which may have come late.
        connection, row: when they were seen gone.
        idle: for how many seconds the session had been idle at the first sign of its end; None if it was no idle one.
        state: what its row showed last.
        probe: when its connection is asked; not before its row is gone.
        asked: whether a statement was sent on its connection since the row is gone.
    """

    was_idle: bool
    begun: float = field(default_factory=time.monotonic)
    looked: bool = False
    late: bool = False
    connection: float | None = None
    row: float | None = None
    idle: float | None = None
    state: str = ""
    probe: _Probe | None = None
    asked: bool = False

    @property
    def is_over(self) -> bool:
        """Whether connection and row are gone."""
        return self.connection is not None and self.row is not None


@dataclass
class Settling:
    """The looks at the sessions of one run of a case."""

    stage: Stage
    patience: Patience
    idling: Idling
    endings: dict[str, Ending] = field(default_factory=dict)
    start: float = field(default_factory=time.monotonic)
    """When the last statement that can end sessions was sent or, better, answered: endings are timed from here."""
    prompted: set[str] = field(default_factory=set)
    """Sessions that have sent a statement of the case since then: what ended at that tells of no duration."""
    _ends: dict[str, _End] = field(default_factory=dict)

    @property
    def settle(self) -> float:
        """Seconds that a session of this case may take to be gone."""
        return self.patience.settle * self.stage.case.settle_times

    @property
    def elapsed(self) -> float:
        """Seconds since the last statement that can end sessions."""
        return max(0.0, time.monotonic() - self.start)

    def begin_anew(self, actor: Actor) -> None:
        """A session has connected again: what was seen of its earlier end says nothing about this connection."""
        self.endings.pop(actor.name, None)
        self._ends.pop(actor.name, None)

    def await_end(self, actor: Actor, poll: Poll | None = None) -> None:
        """Waits until a session's connection and row are gone, as long as ``poll`` or the settle time lasts.

        Of a session whose client has left, only the row is looked for. Where a client leaves an answer on the wire, the
        row has to go before anything is read: a server must not need the client to end the session.

        Raises:
            DeviationError: one of them is still there then.
            InconclusiveError: nobody can see whether the row is gone, or an idle timeout may have ended the session.
        """
        if actor.gone:
            return
        settle = self.settle
        poll = poll or Poll(settle)
        end = self._end_of(actor)
        while not self._look(actor, end).is_over and poll.again():
            self.keep_active()
        if not end.is_over:
            self._fail(actor, end, settle)
        if actor.left:
            actor.gone = True
            return
        self._refuse_idle_timeout(actor, end)
        if end.was_idle and actor.name not in self.prompted:
            self._note_speed(end)
        actor.gone = True
        manner = str(actor.online.hangup) + (", at its next statement" if end.asked else "")
        asked = end.asked or actor.name in self.prompted
        connection = None if asked or end.connection is None else round(end.connection * 1000, 1)
        row = None if end.row is None else round(end.row * 1000, 1)
        self.endings[actor.name] = Ending(actor.name, manner, connection, row)

    def await_all(self, actors: Collection[Actor]) -> None:
        """Waits until all of these sessions are gone, looking at them together; see ``await_end``.

        Raises:
            DeviationError: as ``await_end``.
            InconclusiveError: as ``await_end``.
        """
        poll = Poll(self.settle)
        ends = [(actor, self._end_of(actor)) for actor in actors if not actor.gone]
        while any(not self._look(actor, end).is_over for actor, end in ends) and poll.again():
            self.keep_active()
        for actor in actors:
            self.await_end(actor, poll)

    def look_for_ends(self, actors: Collection[Actor]) -> None:
        """Looks once at sessions that may end, as ``await_end`` does."""
        for actor in actors:
            if actor.alive:
                self._look(actor, self._end_of(actor))
        self.keep_active()

    def keep_active(self) -> None:
        """Sends a statement on the connections of idle sessions that have to go on, so that no idle timeout ends them.

        Before a statement names them, that is all sessions, the administrator's included.

        Raises:
            DeviationError: as ``check``.
            InconclusiveError: as ``check``.
        """
        self.stage.go_on()
        self._listen_to_ending()
        self.stage.target.keep_active(_KEPT_ACTIVE)
        idle = [
            actor
            for actor in self._survivors(self.stage.case.may_end & self.stage.targeted)
            if actor.session is not None and not actor.session.busy and actor.session.idle > _KEPT_ACTIVE
        ]
        if to_come := [actor for actor in idle if actor.name in self.stage.case.may_end]:
            self._unanswering(to_come, self.stage.target.limits.statement)  # what else may end them is not known here
        if survivors := [actor for actor in idle if actor.name not in self.stage.case.may_end]:
            self.check(survivors)

    def _listen_to_ending(self) -> None:
        """Notes what is heard of the sessions that a statement has named: each may be awaited much later."""
        for name in sorted(self.stage.case.may_end & self.stage.targeted):
            actor = self.stage.actors[name]
            if actor.session is not None and not actor.gone and not actor.left:
                self._listen(actor, self._end_of(actor))

    def answer(self, session: Session, limit: float) -> Outcome:
        """The answer to what a session has sent, as ``Session.result``; the others are kept active meanwhile.

        Raises:
            DeviationError: as ``check``.
            InconclusiveError: as ``check``.
        """
        poll = Poll(limit)
        while True:
            slice_ = min(poll.left, _KEPT_ACTIVE)
            outcome = session.result(slice_)
            if not isinstance(outcome, NoReply) or outcome.seconds > slice_:
                return outcome
            if not poll.left:
                return NoReply(limit)
            self.keep_active()

    def _end_of(self, actor: Actor) -> _End:
        if actor.name not in self._ends:
            self._ends[actor.name] = _End(was_idle=not actor.online.busy)
        return self._ends[actor.name]

    def _look(self, actor: Actor, end: _End) -> _End:
        if actor.left:
            end.connection = 0.0  # its client closed it
        self._listen(actor, end)
        if end.is_over:
            return end
        if end.connection is None and time.monotonic() - end.begun < self.patience.quick:
            return end  # most servers close it at once: the list need not be read before
        if end.row is None:
            state = self._row_state(actor)
            if state is not None:
                end.state = state
                return end
            end.row = self.elapsed
            if end.connection is None:
                end.idle = _idle(actor.online)
            self.stage.transcript.add(actor.name, "ends", f"row {actor.id} gone from the process list")
        session = actor.online
        if session.held:
            session.discard()
        if end.connection is None and (not session.busy or session.answered):
            pause = self.patience.silence
            end.probe = end.probe or _Probe(time.monotonic() + pause, pause)
            if end.probe.is_due():
                end.asked = True
                self._unanswering([actor], _PROBE_LIMIT)
            self._listen(actor, end)
        return end

    def _listen(self, actor: Actor, end: _End) -> None:
        session = actor.online
        if end.connection is None and session.listen() is not None:
            end.connection = self.elapsed
            end.late = not end.looked
            if end.row is None:
                end.idle = session.idle
            how = ", when a statement was sent on it" if end.asked else ""
            self.stage.transcript.add(actor.name, "ends", f"connection {session.hangup}{how}")
        end.looked = True

    def _fail(self, actor: Actor, end: _End, settle: float) -> None:
        """Raises what it means that the settle time is over."""
        if end.row is None and end.connection is None:
            self.stage.doubt_route(actor)
        self.patience.note_no_end()
        if end.connection is not None:
            raise DeviationError(
                f"the row of {actor.name} leaves the process list within {settle:g} s",
                f"its {'client has disconnected' if actor.left else 'connection is gone'}, but its row is still there "
                f"({end.state})",
            )
        busy = actor.online.busy and not actor.online.answered
        state = f"{actor.name} is connected, and its statement is still in flight"
        if actor.online.held:
            state = f"its client has not read the whole reply, and its row is still there ({end.state})"
        if not busy:  # from here on a statement may end it: that is told, too
            silent = bool(self._unanswering([actor], _PROBE_LIMIT))
            state = f"{actor.name} is connected, and replies to statements"
            if end.row is not None and not silent:
                refuse_moved(actor, self.stage)
            if silent and end.row is None:
                state = (
                    f"{actor.name} is connected and listed until a statement is sent on its connection ({end.state})"
                )
            elif silent:
                state = f"{actor.name} is connected, and doesn't reply to statements"
        row = "its row is gone, but " if end.row is not None else ""
        raise DeviationError(f"the connection of {actor.name} is gone within {settle:g} s", row + state, missing=busy)

    def _refuse_idle_timeout(self, actor: Actor, end: _End) -> None:
        if end.idle is None or end.idle < _LATE:
            return
        closed = self.idling.closes_within(end.idle, self.stage.login_of(actor), self.keep_active)
        if closed is not None:
            raise InconclusiveError(_also_ended(actor.name, end.idle, closed, "the settle time"))

    def _note_speed(self, end: _End) -> None:
        # What was gone at the first look, which may have come late, tells nothing of the time that it took.
        if end.asked:
            self.patience.note_end_at_request(end.row if end.row is not None and end.state else 0.0)
        elif end.connection is not None:
            self.patience.note_end(0.0 if end.late else end.connection)

    def _row_state(self, actor: Actor) -> str | None:
        """What the row of a session that should end shows; None if there is none any more."""
        if actor.id is None:
            raise InconclusiveError(f"the id of {actor.name} is unknown: {actor.unidentified}")
        # An id that was given to a later session of the case is no trace of this one.
        if any(other.id == actor.id and other.alive for other in self.stage.mates(actor)):
            return None
        shown = self.stage.look(actor, fresh=True)
        if shown is None:
            raise InconclusiveError(f"can't verify that the row of {actor.name} is gone")
        rows = [row for row in shown.of_user(actor.account.user) if row.id == actor.id]
        return rows[0].shown_activity if rows else None

    def _row_after(self, actor: Actor, poll: Poll) -> str | None:
        """What the row of an ended session shows when ``poll`` is over; None as soon as there is none."""
        while (state := self._row_state(actor)) is not None and poll.again():
            self.stage.go_on()
        return state

    def _survivors(self, ended: Collection[str]) -> Iterator[Actor]:
        for actor in self.stage.actors.values():
            if actor.name not in ended and actor.session is not None and not actor.gone and not actor.left:
                yield actor

    def check_survivors(self, ended: Collection[str], *, watch: bool) -> None:
        """Checks that all sessions but the ended ones go on; ``watch``: also after as long as ending takes here.

        A case may say how long to watch at least; then the rows of the ended sessions must not be back either.

        Raises:
            DeviationError: one is gone, and a statement that can end sessions had been sent.
            InconclusiveError: one is gone, and none had been sent.
        """
        survivors = list(self._survivors(ended))
        self.check(survivors)
        seconds = max(self.patience.watch if watch else 0, self.stage.case.watch)
        if seconds:
            poll = Poll(seconds)
            while all(actor.alive for actor in survivors) and poll.again():
                self.keep_active()
            self.check(survivors)
        for name in self.endings if self.stage.case.watch else ():
            if (state := self._row_after(self.stage.actors[name], Poll(self.settle))) is not None:
                raise DeviationError(
                    f"the row of {name} stays away", f"it was gone from the process list, and returned ({state})"
                )

    def check(self, survivors: Collection[Actor]) -> None:
        """Checks once that these sessions, and the administrator's, go on; see ``check_survivors``."""
        idle = {actor.name: actor.session.idle for actor in survivors if actor.session is not None}
        lost = self._unanswering(survivors, self.stage.target.limits.statement)
        control = self.stage.control_lost()
        if not lost and not control:
            return
        for actor in lost:
            if actor.session is not None and actor.session.hangup is not None:
                self.stage.transcript.add(actor.name, "ends", f"connection {actor.session.hangup}")
        names = [f"{actor.name} ({_state(actor)})" for actor in lost]
        names += ["the administrator's session, which prepared the case"] if control else []
        if not self.stage.said_guarded:
            raise InconclusiveError(f"the target closed {' and '.join(names)} before the statement under test was sent")
        self._refuse_timed_out(lost, control=control, idle={actor.name: idle[actor.name] for actor in lost})
        unnamed = any(actor.name not in self.stage.case.named for actor in lost)
        raise DeviationError(
            "all sessions that should not be killed stay usable",
            f"lost: {' and '.join(names)}",
            safety=control or unnamed,
            missing=True,
        )

    def has_lost(self) -> bool:
        """Whether a session was heard to be closed that has to go on, the administrator's included."""
        return self.stage.control_lost() or any(
            actor.session is not None and actor.session.hangup is not None
            for actor in self._survivors(self.stage.case.may_end)
        )

    def _refuse_timed_out(self, lost: Collection[Actor], *, control: bool, idle: Mapping[str, float]) -> None:
        """Raises if every lost session was idle for so long that an idle timeout may have closed it."""
        times = dict(idle)
        if control:
            times["the administrator's session"] = self.stage.target.lost_idle
        closed = all(actor.session is not None and actor.session.hangup is not None for actor in lost)
        if not closed or min(times.values()) < _LATE:
            return
        timeout = self.idling.closes_within(min(times.values()), self.stage.target.administrator, _nothing)
        if timeout is not None:
            raise InconclusiveError(_also_ended(" and ".join(times), min(times.values()), timeout, "10 s"))

    def _unanswering(self, actors: Collection[Actor], limit: float) -> list[Actor]:
        """Which of these sessions are gone, silent or interrupted; all idle ones are asked at the same time.

        Raises:
            InconclusiveError: one of them sends what is no answer: nobody can tell whether it goes on.
        """
        probe = self.stage.target.probe
        lost, asked = [], []
        for actor in actors:
            if actor.session is None or actor.session.listen() is not None:
                lost.append(actor)
            elif not actor.session.busy or actor.session.answered:
                if actor.session.busy and self._interrupted(actor, actor.session.result(0)):
                    lost.append(actor)
                    continue
                actor.session.send(probe)
                asked.append((actor, actor.session))
        for actor, session in asked:
            outcome = session.result(limit)
            if not succeeded(outcome):
                self.stage.transcript.add(actor.name, "note", f"reply to a check statement: {outcome}")
            if isinstance(outcome, Lost | NoReply) or self._interrupted(actor, outcome):
                lost.append(actor)
        return lost

    def _interrupted(self, actor: Actor, outcome: Outcome) -> bool:
        """Whether what was in flight was ended from outside; that it fails for a reason of its own harms nobody."""
        if isinstance(outcome, Unreadable):
            raise InconclusiveError(f"can't verify that {actor.name} stays usable: {outcome}")
        profile = self.stage.target.profile
        if isinstance(outcome, ServerError) and (gap := profile.undefined("interrupted")) is not None:
            raise InconclusiveError(f"can't verify that {actor.name} was interrupted ({outcome}): {gap}")
        if not isinstance(outcome, ServerError) or "interrupted" not in profile.classes_of(outcome):
            return False
        self.stage.transcript.add(actor.name, "receives", f"for its statement in flight: {outcome}")
        return True


def _nothing() -> None:
    """Of sessions some of which are lost, none has to be kept active."""


def _idle(session: Session) -> float | None:
    """For how many seconds a session has been idle; None if its statement is in flight."""
    return None if session.busy and not session.answered else session.idle


def _state(actor: Actor) -> str:
    hangup = actor.session.hangup if actor.session else None
    return str(hangup) if hangup else "interrupted, or doesn't reply"


def _connection(actor: Actor) -> str:
    """What is known of the connection of a session whose row is still there."""
    if actor.left:
        return "its client has disconnected"
    return "its client has not read the whole reply" if actor.online.held else "its connection is gone"


def _also_ended(names: str, idle: float, closed: float, least: str) -> str:
    """Why an end is not judged: a session that no statement named has ended, too, after ``closed`` seconds."""
    timeout = f"an idle timeout. Raise it above {least}"
    why = timeout if closed >= idle / 2 else "the server closes connections without the statement under test"
    return (
        f"{names} ended after {idle:.1f} s without a statement, and a session that no statement named also ended "
        f"after {closed:.1f} s: {why}"
    )
