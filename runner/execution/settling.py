"""Looks which sessions are gone and which go on, by their connections and by the list.

No look is final by itself: a session that should end is looked for until the settle time is over, a session that
should go on has to answer a statement after the ends were seen.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from runner.execution.stage import Actor, Stage
from runner.execution.verdict import DeviationError, Ending, InconclusiveError
from runner.target.outcome import Lost, NoReply, succeeded
from runner.target.target import TargetError, wait_until

_FIRST_PROBE = 0.25  # seconds of listening before a silent connection is asked whether it is still there
_SLOWEST_PROBE = 1.0


@dataclass
class Lags:
    """How long this target took until an ended session was gone: what harm to others may take as well."""

    longest: float = 0.0
    seen: bool = False

    def note(self, seconds: float) -> None:
        """Notes how long an ending took."""
        self.longest = max(self.longest, seconds)
        self.seen = True

    def watch(self, settle: float) -> float:
        """How long to watch that nothing ends, after a statement that should end nothing."""
        return min(settle, 2 * self.longest + 0.02) if self.seen else min(settle, 0.25)


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
    """The looks after the steps of one case."""

    stage: Stage
    lags: Lags
    endings: dict[str, Ending] = field(default_factory=dict)
    _probes: dict[str, _Probe] = field(default_factory=dict)

    def await_end(self, actor: Actor, deadline: float | None = None) -> Ending:
        """Waits until a session's connection and row are gone.

        Raises:
            DeviationError: one of them is still there when the settle time is over.
            InconclusiveError: nobody can see whether the row is gone.
        """
        if actor.name in self.endings:
            return self.endings[actor.name]
        settle = self.stage.target.limits.settle
        start = time.monotonic()
        deadline = deadline or start + settle
        if not self._connection_ends(actor, deadline):
            raise DeviationError(
                f"the connection of {actor.name} is gone within {settle:g} s",
                f"{actor.name} still answers statements"
                if actor.session is not None and not actor.session.busy
                else f"{actor.name} is still connected, its statement still in flight",
            )
        connection = time.monotonic() - start
        assert actor.session is not None  # noqa: S101 - it was connected
        manner = str(actor.session.hangup)
        self.stage.transcript.add(actor.name, "ends", f"connection {manner}")
        row = self._row_goes(actor, deadline, start)
        self.lags.note(time.monotonic() - start)
        actor.gone = True
        ending = Ending(actor.name, manner, round(connection * 1000, 1), None if row is None else round(row * 1000, 1))
        self.endings[actor.name] = ending
        return ending

    def _connection_ends(self, actor: Actor, deadline: float) -> bool:
        if actor.session is None:
            raise InconclusiveError(f"{actor.name} was never connected")
        while actor.session.listen() is None:
            self.probe_silent([actor])
            if actor.session.listen() is None and not wait_until(deadline):
                return False
        return True

    def probe_silent(self, actors: list[Actor]) -> None:
        """Asks idle sessions that have been silent for a while whether they are still there."""
        for actor in actors:
            idle = actor.session is not None and actor.alive and not actor.session.busy
            if idle and self._probes.setdefault(actor.name, _Probe()).is_due():
                self.answers(actor)

    def _row_goes(self, actor: Actor, deadline: float, start: float) -> float | None:
        if actor.id is None:
            raise InconclusiveError(f"the id of {actor.name} is not known: {actor.unidentified}")
        # An id that was given to a later session of the case is no trace of this one.
        if any(other.id == actor.id and other.alive for other in self.stage.actors.values() if other is not actor):
            return None
        while True:
            try:
                shown = self.stage.look(actor, fresh=True)
            except TargetError as error:
                raise InconclusiveError(str(error)) from error
            if shown is None:
                raise InconclusiveError(f"nobody can see whether the row of {actor.name} is gone")
            rows = [row for row in shown.of_user(actor.account.user) if row.id == actor.id]
            if not rows:
                self.stage.transcript.add(actor.name, "ends", f"row {actor.id} gone from the list")
                return time.monotonic() - start
            if not wait_until(deadline):
                state = ", ".join(str(part) for part in rows[0].activity)
                raise DeviationError(
                    f"the row of {actor.name} leaves the list within {self.stage.target.limits.settle:g} s",
                    f"its connection is gone, but its row is still there ({state})",
                )

    def answers(self, actor: Actor) -> bool:
        """Whether a session goes on: it answers a statement, or its own statement is still in flight."""
        session = actor.session
        if session is None or session.listen() is not None:
            return False
        if session.busy and not session.answered:
            return True
        if session.busy:
            session.result(0)
        limits = self.stage.target.limits
        outcome = session.execute(self.stage.target.profile.statement("probe"), limits.statement)
        if not succeeded(outcome):
            self.stage.transcript.add(actor.name, "note", f"asked whether it goes on: {outcome}")
        return not isinstance(outcome, Lost | NoReply)

    def check_survivors(self, survivors: list[Actor], *, watch: bool) -> None:
        """Checks that sessions go on; ``watch``: also a moment later, as long as this target takes to end a session.

        Raises:
            DeviationError: one is gone, and a statement that can end sessions had been sent.
            InconclusiveError: one is gone, and none had been sent.
        """
        self._check(survivors)
        if watch:
            deadline = time.monotonic() + self.lags.watch(self.stage.target.limits.settle)
            while wait_until(deadline, 0.02):
                if any(not actor.alive for actor in survivors):
                    break
            self._check(survivors)

    def _check(self, survivors: list[Actor]) -> None:
        lost = [actor for actor in survivors if not self.answers(actor)]
        if not lost:
            return
        names = " and ".join(f"{actor.name} ({_state(actor)})" for actor in lost)
        if not self.stage.said_guarded:
            raise InconclusiveError(f"the target dropped {names} before the statement under test was sent")
        named = self.stage.case.named
        raise DeviationError(
            "every session that is not to end goes on",
            f"lost: {names}",
            safety=any(actor.name not in named for actor in lost),
        )


def _state(actor: Actor) -> str:
    hangup = actor.session.hangup if actor.session else None
    return str(hangup) if hangup else "it doesn't answer"
