"""Looks which sessions are gone and which go on, by their connections and by the list.

No look is final by itself: a session that should end is looked for until the settle time is over, a session that
should go on has to answer a statement after the ends were seen.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass, field

from runner.database.outcome import Lost, NoReply, Outcome, ServerError, Unreadable, succeeded
from runner.database.poll import Poll
from runner.execution.patience import Patience
from runner.execution.stage import Actor, Stage
from runner.execution.verdict import DeviationError, Ending, InconclusiveError

_FIRST_PROBE = 0.25  # seconds of listening before a silent connection is asked whether it is still there
_SLOWEST_PROBE = 1.0
_PROBE_LIMIT = 1.0  # seconds for the answer of a session that should be ending


@dataclass
class _Probe:
    """When a connection that is silent is asked next: some servers close it only then."""

    due: float = field(default_factory=lambda: time.monotonic() + _FIRST_PROBE)
    pause: float = _FIRST_PROBE

    def is_due(self) -> bool:
        """Whether to ask now; if so, the next time is later by twice the pause."""
        if time.monotonic() < self.due:
            return False
        self.pause = min(2 * self.pause, _SLOWEST_PROBE)
        self.due = time.monotonic() + self.pause
        return True


@dataclass
class Settling:
    """The looks at the sessions of one run of a case."""

    stage: Stage
    patience: Patience
    endings: dict[str, Ending] = field(default_factory=dict)
    start: float = field(default_factory=time.monotonic)
    """When the last statement that can end sessions was sent or, better, answered: endings are timed from here."""
    _probes: dict[str, _Probe] = field(default_factory=dict)

    @property
    def settle(self) -> float:
        """Seconds that a session of this case may take to be gone."""
        return self.patience.settle * self.stage.case.settle_times

    def await_end(self, actor: Actor, poll: Poll | None = None) -> None:
        """Waits until a session's connection and row are gone, as long as ``poll`` or the settle time lasts.

        Of a session whose client has left, only the row is looked for. Where a client leaves an answer on the wire, the
        row has to go before anything is read: a server must not need the client to end the session.

        Raises:
            DeviationError: one of them is still there then.
            InconclusiveError: nobody can see whether the row is gone.
        """
        if actor.gone:
            return
        session = actor.online
        settle = self.settle
        poll = poll or Poll(settle)
        row = None
        if actor.left or session.held:
            row = self._await_row(actor, poll, settle)
        if actor.left:
            actor.gone = True
            return
        if session.held:
            session.discard()
        was_idle = not session.busy  # a blocked session may linger, which says nothing of the target's speed
        while session.listen() is None:
            self.probe_silent([actor])
            if session.listen() is None and not poll.again():
                self.patience.note_no_end()
                how = "its statement is still in flight" if session.busy else "and answers statements"
                raise DeviationError(
                    f"the connection of {actor.name} is gone within {settle:g} s",
                    f"{actor.name} is connected, {how}",
                    missing=session.busy,
                )
        connection = max(0.0, time.monotonic() - self.start)
        if was_idle:
            self.patience.note_end(connection)
        manner = str(session.hangup)
        self.stage.transcript.add(actor.name, "ends", f"connection {manner}")
        row = row or self._await_row(actor, poll, settle)
        actor.gone = True
        self.endings[actor.name] = Ending(actor.name, manner, round(connection * 1000, 1), round(row * 1000, 1))

    def probe_silent(self, actors: Collection[Actor]) -> None:
        """Asks idle sessions that have been silent for a while whether they are still there."""
        for actor in actors:
            session = actor.session
            idle = session is not None and actor.alive and (not session.busy or session.answered)
            if idle and self._probes.setdefault(actor.name, _Probe()).is_due():
                self._unanswering([actor], _PROBE_LIMIT)

    def _await_row(self, actor: Actor, poll: Poll, settle: float) -> float:
        """Waits until a session's row is gone, and tells how long after the statement that was."""
        if (state := self._row_after(actor, poll)) is not None:
            raise DeviationError(
                f"the row of {actor.name} leaves the list within {settle:g} s",
                f"{_connection(actor)}, but its row is still there ({state})",
            )
        self.stage.transcript.add(actor.name, "ends", f"row {actor.id} gone from the list")
        return max(0.0, time.monotonic() - self.start)

    def _row_after(self, actor: Actor, poll: Poll) -> str | None:
        """What the row of an ended session shows when ``poll`` is over; None as soon as there is none."""
        if actor.id is None:
            raise InconclusiveError(f"the id of {actor.name} is not known: {actor.unidentified}")
        while True:
            # An id that was given to a later session of the case is no trace of this one.
            if any(other.id == actor.id and other.alive for other in self.stage.mates(actor)):
                return None
            shown = self.stage.look(actor, fresh=True)
            if shown is None:
                raise InconclusiveError(f"nobody can see whether the row of {actor.name} is gone")
            rows = [row for row in shown.of_user(actor.account.user) if row.id == actor.id]
            if not rows:
                return None
            if not poll.again():
                return ", ".join(str(part) for part in rows[0].activity)

    def check_survivors(self, ended: Collection[str], *, watch: bool) -> None:
        """Checks that all sessions but the ended ones go on; ``watch``: also after as long as ending takes here.

        A case may say how long to watch at least; then the rows of the ended sessions must not be back either.

        Raises:
            DeviationError: one is gone, and a statement that can end sessions had been sent.
            InconclusiveError: one is gone, and none had been sent.
        """
        survivors = [
            actor
            for actor in self.stage.actors.values()
            if actor.name not in ended and actor.session is not None and not actor.gone and not actor.left
        ]
        self.check(survivors)
        seconds = max(self.patience.watch if watch else 0, self.stage.case.watch)
        if seconds:
            poll = Poll(seconds)
            while all(actor.alive for actor in survivors) and poll.again():
                pass
            self.check(survivors)
        for name in self.endings if self.stage.case.watch else ():
            if (state := self._row_after(self.stage.actors[name], Poll(self.settle))) is not None:
                raise DeviationError(
                    f"the row of {name} stays away", f"it was gone from the list, and is there again ({state})"
                )

    def check(self, survivors: Collection[Actor]) -> None:
        """Checks once that these sessions, and the administrator's, go on; see ``check_survivors``."""
        lost = self._unanswering(survivors, self.stage.target.limits.statement)
        control = self.stage.control_lost()
        if not lost and not control:
            return
        for actor in lost:
            if actor.session is not None and actor.session.hangup is not None:
                self.stage.transcript.add(actor.name, "ends", f"connection {actor.session.hangup}")
        names = [f"{actor.name} ({_state(actor)})" for actor in lost]
        names += ["the administrator's session that prepared the case"] if control else []
        if not self.stage.said_guarded:
            raise InconclusiveError(
                f"the target dropped {' and '.join(names)} before the statement under test was sent"
            )
        unnamed = any(actor.name not in self.stage.case.named for actor in lost)
        raise DeviationError(
            "every session that is not to end goes on",
            f"lost: {' and '.join(names)}",
            safety=control or unnamed,
            missing=True,
        )

    def _unanswering(self, actors: Collection[Actor], limit: float) -> list[Actor]:
        """Which of these sessions are gone, silent or interrupted; all idle ones are asked at the same time.

        Raises:
            InconclusiveError: one of them sends what is no answer: nobody can tell whether it goes on.
        """
        probe = self.stage.target.profile.statement("probe")
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
                self.stage.transcript.add(actor.name, "note", f"asked whether it goes on: {outcome}")
            if isinstance(outcome, Lost | NoReply) or self._interrupted(actor, outcome):
                lost.append(actor)
        return lost

    def _interrupted(self, actor: Actor, outcome: Outcome) -> bool:
        """Whether what was in flight was ended from outside; that it fails for a reason of its own harms nobody."""
        if isinstance(outcome, Unreadable):
            raise InconclusiveError(f"whether {actor.name} goes on can't be told: {outcome}")
        if not isinstance(outcome, ServerError) or "interrupted" not in self.stage.target.profile.classes_of(outcome):
            return False
        self.stage.transcript.add(actor.name, "hears", f"for its statement in flight: {outcome}")
        return True


def _state(actor: Actor) -> str:
    hangup = actor.session.hangup if actor.session else None
    return str(hangup) if hangup else "interrupted, or it doesn't answer"


def _connection(actor: Actor) -> str:
    """What is known of the connection of a session whose row is still there."""
    if actor.left:
        return "its client has left"
    return "its client has not read all of its answer" if actor.online.held else "its connection is gone"
