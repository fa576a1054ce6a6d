"""Runs one case: the stage, the steps, who is gone, the verdict, the clearing up."""

from __future__ import annotations

import itertools
import re
import time
from collections import Counter
from dataclasses import dataclass, replace

from runner.execution import guard
from runner.execution.matching import Matcher, describe
from runner.execution.patience import Patience
from runner.execution.rendering import Renderer
from runner.execution.settling import Settling
from runner.execution.stage import Actor, Stage
from runner.execution.transcript import Transcript
from runner.execution.verdict import CaseResult, DeviationError, Ending, InconclusiveError, Verdict
from runner.language.model import ANYTHING, SUCCESS, Await, Case, Connect, Outcome, Reply, Say, Step, Vocabulary, Wait
from runner.target.outcome import Lost, NoReply, ServerError, succeeded
from runner.target.outcome import Outcome as Answer
from runner.target.poll import Poll
from runner.target.target import Target, TargetError

_ROW_LOOK = 0.1  # seconds for the row to go of a session whose connection was gone at the last moment
_PREPARES: Reply = (SUCCESS,)


class Performer:
    """Runs cases on one target; what it learns about the target's speed serves the later cases."""

    def __init__(self, target: Target, vocabulary: Vocabulary) -> None:
        self._target = target
        self._guarded = re.compile(rf"\b{vocabulary.guarded}\b", re.IGNORECASE) if vocabulary.guarded else None
        self._patience = Patience(target.limits)

    def perform(self, case: Case) -> CaseResult:
        """Runs a case as often as it says, and judges it; never raises for what the target does."""
        because = self._target.profile.exempts(case.requirement.id, case.id, case.name)
        if because is not None:
            return replace(_blank(case), verdict=Verdict.NOT_APPLICABLE, reason=because)
        counted: Counter[str] = Counter()
        endings: list[Ending] = []
        start = time.monotonic()
        while True:
            result = _Run(case, self._target, self._guarded, self._patience).result()
            counted.update(result.observed)
            endings.extend(result.endings)
            if result.verdict is not Verdict.OBSERVED or counted.total() >= case.repeat:
                seconds = round(time.monotonic() - start, 3)
                return replace(result, observed=dict(counted), endings=tuple(endings), seconds=seconds)


@dataclass(frozen=True)
class _Line:
    """A statement that is ready to be sent: ids filled in, spelled for the target, past the guard."""

    actor: Actor
    text: str
    manual: str
    guarded: bool
    prepared: bool


class _Run:
    """One run of one case."""

    def __init__(self, case: Case, target: Target, guarded: re.Pattern[str] | None, patience: Patience) -> None:
        self._case = case
        self._target = target
        self._limits = target.limits
        self._guarded = guarded
        self._transcript = Transcript()
        self._stage = Stage(case, target, self._transcript)
        self._patience = patience
        self._settling = Settling(self._stage, patience)
        self._renderer = Renderer(self._stage)
        self._matcher = Matcher(target.profile, self._stage.id_of, self._renderer.text)
        self._idle: dict[str, object] = {}
        self._observed_reply: Answer | None = None
        self._last_error: Answer | None = None

    def result(self) -> CaseResult:
        """Plays the case and judges it."""
        result = _blank(self._case)
        try:
            self._stage.set()
            result = self._judged(result)
        except DeviationError as error:
            result = replace(
                result, verdict=Verdict.DEVIATES, expected=error.expected, came=error.came, safety=error.safety
            )
        except InconclusiveError as error:
            result = replace(result, verdict=Verdict.INCONCLUSIVE, reason=str(error))
        except TargetError as error:
            result = replace(result, verdict=Verdict.INCONCLUSIVE, reason=str(error))
        finally:
            left = self._stage.clear()
        return replace(
            result,
            endings=tuple(self._settling.endings.values()),
            transcript=tuple(self._transcript.events),
            warnings=tuple(left),
        )

    def _judged(self, blank: CaseResult) -> CaseResult:
        try:
            # Statements that are sent one after the other without awaiting the first are meant to meet: all are made
            # ready, and guarded, before the first is sent.
            for together, steps in itertools.groupby(
                self._case.steps, lambda step: isinstance(step, Say) and step.later
            ):
                if together:
                    self._say_together([step for step in steps if isinstance(step, Say)])
                else:
                    for step in steps:
                        self._play(step)
        except DeviationError as error:
            self._add_harm(error)
            raise
        if self._case.outcomes:
            return replace(blank, verdict=Verdict.OBSERVED, observed={self._observe(): 1})
        for name in sorted(self._case.ends):
            self._settling.await_end(self._stage.actors[name])
        self._settling.check_survivors(self._survivors(self._case.ends), watch=not self._case.ends)
        return replace(blank, verdict=Verdict.CONFORMS)

    def _add_harm(self, error: DeviationError) -> None:
        """A step has deviated; if sessions were lost besides, that belongs to the finding, and weighs more."""
        try:
            self._settling.check_survivors(self._survivors(self._case.may_end), watch=False)
        except DeviationError as harm:
            raise DeviationError(
                error.expected, f"{error.came}; {harm.came}", safety=error.safety or harm.safety
            ) from error
        except InconclusiveError:
            return

    def _survivors(self, ended: frozenset[str]) -> list[Actor]:
        return [
            actor
            for actor in self._stage.actors.values()
            if actor.name not in ended and actor.session is not None and not actor.gone
        ]

    # Steps

    def _play(self, step: Step) -> None:
        match step:
            case Say():
                self._say(step)
            case Await():
                self._await(step)
            case Connect():
                self._connect(step)
            case Wait():
                self._wait(step)

    def _say(self, step: Say) -> None:
        line = self._ready(step)
        since = self._transcript.now_ms()
        self._send(line)
        answer = self._hear(line.actor, since, self._patience.statement if line.guarded else self._limits.statement)
        if line.guarded:
            self._patience.note_answer(came=not isinstance(answer, NoReply))
            self._settling.start = time.monotonic()
        self._judge(line.actor.name, line.text, answer, step.reply)

    def _say_together(self, steps: list[Say]) -> None:
        lines = [self._ready(step) for step in steps]
        for line in lines:
            if any(isinstance(step, Wait) and step.session == line.actor.name for step in self._case.steps):
                self._remember_idle(line.actor)
        for line in lines:
            self._send(line)

    def _ready(self, step: Say) -> _Line:
        actor = self._connected(step.session)
        rendered = self._renderer.render(step.statement, actor.session)
        spell = self._target.profile.spell
        text = spell(rendered.text)
        guarded = self._guarded is not None and self._guarded.search(text) is not None
        if guarded:
            guard.check(text, self._stage)
        return _Line(actor, text, spell(rendered.manual), guarded, step.prepared)

    def _send(self, line: _Line) -> None:
        assert line.actor.session is not None  # noqa: S101 - checked when the line was made ready
        if line.guarded:
            self._stage.said_guarded = True
            self._settling.start = time.monotonic()
        self._transcript.add(line.actor.name, "says", line.text, manual=line.manual)
        line.actor.session.send(line.text, prepared=line.prepared)

    def _await(self, step: Await) -> None:
        actor = self._connected(step.session)
        assert actor.session is not None  # noqa: S101 - checked by _connected
        if not actor.session.busy:
            raise InconclusiveError(f"{actor.name} has nothing in flight to be awaited ({step.place})")
        # What a session that is to end still has in flight has to be over when the settle time is.
        limit = self._patience.settle if actor.name in self._case.may_end else self._limits.statement
        answer = self._hear(actor, self._transcript.now_ms(), limit)
        self._judge(actor.name, "its statement in flight", answer, step.reply)

    def _hear(self, actor: Actor, since: float, limit: float) -> Answer:
        assert actor.session is not None  # noqa: S101 - checked by the callers
        answer = actor.session.result(limit)
        self._transcript.add(actor.name, "hears", str(answer), since=since)
        return answer

    def _judge(self, name: str, statement: str, answer: Answer, reply: Reply) -> None:
        if not reply:
            if not self._matcher.fits(answer, _PREPARES):
                raise InconclusiveError(f"preparing failed: {name}: {statement} is answered with {answer}")
            return
        if not self._matcher.fits(answer, reply, self._last_error):
            raise DeviationError(f"{name}: {statement} is answered with {describe(reply)}", self._shown(answer))
        if ANYTHING in reply:
            self._observed_reply = answer
        if isinstance(answer, ServerError):
            self._last_error = answer

    def _shown(self, answer: Answer) -> str:
        classes = self._target.profile.classes_of(answer) if isinstance(answer, ServerError) else []
        return str(answer) + (f" [{', '.join(classes)}]" if classes else "")

    def _connect(self, step: Connect) -> None:
        actor = self._stage.actors[step.session]
        answer = self._stage.connect(actor)
        self._judge(actor.name, "its login", answer, step.reply)
        if step.new_id_than is not None:
            mine, other = self._stage.id_of(step.session), self._stage.id_of(step.new_id_than)
            if mine == other:
                raise DeviationError(f"{step.session} has another id than {step.new_id_than} had", f"both have {mine}")

    def _connected(self, name: str) -> Actor:
        actor = self._stage.actors[name]
        if actor.session is None:
            raise InconclusiveError(f"{name} is not connected when it is its turn")
        return actor

    # Waiting

    def _wait(self, step: Wait) -> None:
        actor = self._connected(step.session)
        if step.state == "gone":
            self._settling.await_end(actor)
            return
        assert actor.session is not None  # noqa: S101 - checked by _connected
        poll = Poll(self._limits.settle)
        needed = 1 if step.state == "running" else 3
        seen = 0
        while seen < needed:
            if actor.session.listen() is not None:
                self._settling.check_survivors([actor], watch=False)
            if actor.session.answered or not actor.session.busy:
                raise InconclusiveError(f"{actor.name}'s statement was over before it could be seen {step.state}")
            shown = self._stage.look(actor)
            rows = [] if shown is None or actor.id is None else shown.with_id(actor.id)
            seen += any(row.activity != self._idle.get(actor.name) for row in rows)
            if not poll.again():
                # The server has had the statement for the whole settle time: it runs, whatever the list says of it.
                self._transcript.add(actor.name, "note", f"the list doesn't tell that it is {step.state}; going on")
                return

    def _remember_idle(self, actor: Actor) -> None:
        shown = self._stage.look(actor)
        rows = [] if shown is None or actor.id is None else shown.with_id(actor.id)
        self._idle[actor.name] = rows[0].activity if rows else None

    # Observing

    def _observe(self) -> str:
        """The name of the outcome that came."""
        reply = self._observed_reply
        if isinstance(reply, NoReply):
            self._settling.check_survivors(self._survivors(self._case.may_end), watch=False)
            return f"no reply within {reply.seconds:g} s"
        possible = [outcome for outcome in self._case.outcomes if self._reply_fits(outcome)]
        hoped = {outcome.ends for outcome in possible if outcome.ends}
        if not possible and (reply is None or succeeded(reply) or isinstance(reply, Lost)):
            hoped = {self._case.may_end}
        ended, trace = self._who_ends(hoped)
        self._settling.check_survivors(self._survivors(self._case.may_end), watch=not ended)
        for outcome in possible:
            if outcome.ends in {None, ended} and outcome.sees in {None, self._sight(ended)}:
                return outcome.name + trace
        gone = ", ".join(sorted(ended)) or "nothing"
        answered = "" if reply is None else f"{self._shown(reply)}; "
        return f"other: {answered}{gone} ended{trace}"

    def _reply_fits(self, outcome: Outcome) -> bool:
        if not outcome.reply or self._observed_reply is None:
            return True
        return self._matcher.fits(self._observed_reply, outcome.reply)

    def _sight(self, ended: frozenset[str]) -> str | None:
        """How the connections of the ended sessions ended, if all in one way."""
        hangups = {actor.session.hangup for name in ended if (actor := self._stage.actors[name]).session is not None}
        kinds = {hangup.kind for hangup in hangups if hangup is not None}
        return kinds.pop() if len(kinds) == 1 else None

    def _who_ends(self, hoped: set[frozenset[str]]) -> tuple[frozenset[str], str]:
        """Which sessions that may end are gone, once they are one of the sets hoped for or the settle time is over."""
        poll = Poll(self._patience.settle)
        may_end = [actor for name in sorted(self._case.may_end) if (actor := self._stage.actors[name]).session]
        while hoped and self._lost(may_end) not in hoped and poll.again():
            self._settling.probe_silent(may_end)
        ended, trace = self._lost(may_end), ""
        for actor in may_end:
            if actor.name in ended:
                try:
                    self._settling.await_end(actor, Poll(max(poll.left, _ROW_LOOK)))
                except DeviationError as error:
                    trace += f" ({error.came})"
        return ended, trace

    @staticmethod
    def _lost(actors: list[Actor]) -> frozenset[str]:
        return frozenset(actor.name for actor in actors if not actor.alive)


def _answered_later(step: Step) -> bool:
    return isinstance(step, Say) and step.later


def _blank(case: Case) -> CaseResult:
    return CaseResult(
        name=case.name,
        case_id=case.id,
        requirement=case.requirement.id,
        level=case.requirement.level,
        title=case.title,
        place=f"{case.place.shown_path}:{case.place.line}",
        verdict=Verdict.INCONCLUSIVE,
    )
