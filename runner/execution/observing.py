"""Names the outcome of a case that observes: the reply that came, and who ended."""

from __future__ import annotations

from runner.database.outcome import Lost, NoReply, Outcome, succeeded
from runner.database.poll import Poll
from runner.execution.matching import Matcher
from runner.execution.patience import Patience
from runner.execution.settling import Settling
from runner.execution.stage import Actor, Stage
from runner.execution.verdict import DeviationError
from runner.language.model import Outcome as KnownOutcome

_ROW_LOOK = 0.1  # seconds for the row to go of a session whose connection was gone at the last moment


class Observer:
    """Looks, after the steps of one run, which of the case's known outcomes came."""

    def __init__(self, stage: Stage, settling: Settling, patience: Patience, matcher: Matcher) -> None:
        self._stage = stage
        self._settling = settling
        self._patience = patience
        self._matcher = matcher

    def outcome(self, reply: Outcome | None) -> str:
        """The name of the first known outcome that fits, or a description of what came instead.

        Args:
            reply: what came where a step says ``reply: any``, if one does.

        Raises:
            DeviationError: a session ended that no known outcome ends.
        """
        case = self._stage.case
        if isinstance(reply, NoReply):
            self._settling.check_survivors(case.may_end, watch=False)
            return f"no reply within {reply.seconds:g} s"
        possible = [known for known in case.outcomes if self._reply_fits(known, reply)]
        hoped = {known.ends for known in possible if known.ends}
        if not possible and (reply is None or succeeded(reply) or isinstance(reply, Lost)):
            hoped = {case.may_end}
        ended, trace = self._who_ends(hoped)
        self._settling.check_survivors(case.may_end, watch=not ended)
        for known in possible:
            if known.ends in {None, ended} and known.connection in {None, self._sight(ended)}:
                return known.name + trace
        gone = ", ".join(sorted(ended)) or "nothing"
        answered = "" if reply is None else f"{self._matcher.shown(reply)}; "
        return f"other: {answered}{gone} ended{trace}"

    def _reply_fits(self, known: KnownOutcome, reply: Outcome | None) -> bool:
        return not known.reply or reply is None or self._matcher.fits(reply, known.reply)

    def _sight(self, ended: frozenset[str]) -> str | None:
        """How the connections of the ended sessions ended, if all in one way."""
        kinds = {hangup.kind for name in ended if (hangup := self._stage.actors[name].online.hangup) is not None}
        return kinds.pop() if len(kinds) == 1 else None

    def _who_ends(self, hoped: set[frozenset[str]]) -> tuple[frozenset[str], str]:
        """Which sessions that may end are gone, once they are one of the sets hoped for or the settle time is over."""
        poll = Poll(self._patience.settle)
        may_end = [actor for name in sorted(self._stage.case.may_end) if (actor := self._stage.actors[name]).session]
        while hoped and _lost(may_end) not in hoped and poll.again():
            self._settling.look_for_ends(may_end)
        ended, trace = _lost(may_end), ""
        for actor in may_end:
            if actor.name in ended:
                try:
                    self._settling.await_end(actor, Poll(max(poll.left, _ROW_LOOK)))
                except DeviationError as error:
                    trace += f" ({error.actual})"
        return ended, trace


def _lost(actors: list[Actor]) -> frozenset[str]:
    return frozenset(actor.name for actor in actors if not actor.alive)
