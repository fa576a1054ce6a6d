"""Plays a case's steps: renders, guards, sends, awaits, and compares what came with what the step claims."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from runner.database.outcome import NoReply, Ok, Outcome, Rows, ServerError, succeeded
from runner.database.poll import Poll
from runner.database.processlist import ProcessList
from runner.execution import guard
from runner.execution.judgement import AnswerClass, Judgement, StepKind, answer_class, judge
from runner.execution.matching import Matcher, describe
from runner.execution.patience import Patience
from runner.execution.rendering import Renderer
from runner.execution.route import other_server
from runner.execution.settling import Settling
from runner.execution.spelling import is_guarded
from runner.execution.stage import Actor, Stage
from runner.execution.verdict import DeviationError, InconclusiveError, NotApplicableError
from runner.language.model import (
    ANYTHING,
    SUCCESS,
    Await,
    Connect,
    Create,
    Execute,
    Expect,
    Leave,
    Repeat,
    Reply,
    Say,
    Step,
    Vocabulary,
    Wait,
    flat,
)

_PREPARES: Reply = (SUCCESS,)
_HINDRANCES: Reply = (Expect("privilege"), Expect("interrupted"))
"""Errors that say nothing about what the server can do."""
_OF_THE_ADMINISTRATOR = {"privilege", "not-owner"}
"""Errors that another administrator would not get."""
_LEAVING = {"disconnect": "its client disconnects (COM_QUIT)", "abort": "its client resets the connection"}
_LOOKS_UNTIL = {"running": 1, "blocked": 3}
"""How often the list has to show that a statement runs: one that is not blocked would be over by then."""


@dataclass(frozen=True)
class _Line:
    """A statement that is ready to be sent: ids filled in, spelled for the target, past the guard."""

    actor: Actor
    text: str
    manual: str
    guarded: bool
    prepared: bool
    named: frozenset[str]
    """The sessions whose ids the case names in it."""
    kind: StepKind
    """What it is for, if a step claims something of its answer."""
    refused: Outcome | None = None
    """What the server answered instead of preparing it."""


class Player:
    """Plays the steps of one run of a case.

    Args:
        stage: the sessions.
        settling: waits for ends, and knows since when.
        patience: the time limits, as far as this target deserves them.
        vocabulary: says which statements can end sessions.
    """

    def __init__(self, stage: Stage, settling: Settling, patience: Patience, vocabulary: Vocabulary) -> None:
        self._stage = stage
        self._settling = settling
        self._patience = patience
        self._vocabulary = vocabulary
        self._limits = stage.target.limits
        self._renderer = Renderer(stage)
        self.matcher = Matcher(stage.target.profile, stage.id_of, self._renderer.text, stage.shown)
        self.observed: Outcome | None = None
        """What came where a step says ``reply: any``."""
        self.respelled: dict[str, str] = {}
        """Statements that the profile spells otherwise, and what was sent instead."""
        self._last_error: Outcome | None = None
        self._last_rows: Outcome | None = None
        self._idle: dict[str, object] = {}
        self._prepared: dict[str, _Line] = {}
        """The statement that a session has prepared last."""
        self._kinds: dict[str, StepKind] = {}
        """What the last statement of each session is for, if a step claims something of its answer."""

    def play(self, steps: Sequence[Step]) -> None:
        """Plays steps in order.

        Consecutive statements whose replies come later are meant to meet on the server: all are made ready and guarded
        before the first of them is sent.

        Raises:
            DeviationError: something came that a step's claim excludes.
            InconclusiveError: a step that prepares failed, or the guard held a statement back.
        """
        for together, group in itertools.groupby(steps, lambda step: isinstance(step, Say) and step.later):
            if together:
                self._say_together([step for step in group if isinstance(step, Say)])
            else:
                for step in group:
                    self._play(step)

    def _play(self, step: Step) -> None:
        self._stage.go_on()
        match step:
            case Say():
                self._say(step)
            case Await():
                self._await(step)
            case Connect():
                self._connect(step)
            case Wait():
                self._wait(step)
            case Execute():
                self._execute(step)
            case Create():
                self._stage.provisions.create(self._stage.actors[step.session].account)
            case Repeat():
                for _ in range(step.times):
                    self.play(step.steps)
            case Leave():
                actor = self._stage.actors[step.session]
                self._stage.leave(actor, step.how)
                self._stage.transcript.add(actor.name, "note", _LEAVING[step.how])

    # Saying and hearing

    def _say(self, step: Say) -> None:
        line = self._ready(step)
        if step.prepares:
            self._prepare(line, step.reply)
            return
        since = self._stage.transcript.now_ms()
        if step.unread:
            self._leave_unread(line, step)
            return
        self._send(line)
        answer = self._hear(line.actor, since, self._patience.statement if line.guarded else self._limits.statement)
        poll = Poll(self._limits.retry)
        while not line.guarded and self._passes(answer, step.reply) and poll.again():
            self._settling.keep_active()
            self._send(line)
            answer = self._hear(line.actor, since, self._limits.statement)
        self._note_role(step, answer)
        if lists := self._lists(step.reply):
            answer = self._listed(line, answer, lists)
            if ANYTHING not in step.reply:
                self._refuse_other_server(line, answer, lists)
        if line.guarded:
            self._patience.note_answer(answered=not isinstance(answer, NoReply))
            self._settling.start = time.monotonic()
        self._refuse_state(step, answer, f"{step.statement.text} is refused")
        self._judge(line.actor.name, line.text, answer, step.reply, kind=line.kind)

    def _note_role(self, step: Say, answer: Outcome) -> None:
        """Notes whether there is a role, for the cleanup on servers that have no list of roles."""
        words = step.statement.text.upper().split()[:2]
        if words == ["CREATE", "ROLE"] and not isinstance(answer, ServerError):
            self._stage.provisions.role_taken = True
        elif words == ["DROP", "ROLE"] and succeeded(answer):
            self._stage.provisions.role_taken = False

    def _passes(self, answer: Outcome, reply: Reply) -> bool:
        """Whether an answer is not what is claimed and goes away when the statement is sent again."""
        claimed = not _claims_any_error(reply) and self.matcher.fits(answer, reply)
        return self._stage.target.profile.passes(answer) and not claimed

    def _lists(self, reply: Reply) -> Reply:
        """The alternatives of a reply, or of the case's outcomes, that say what a list shows."""
        outcomes = self._stage.case.outcomes if ANYTHING in reply else ()
        alternatives = (*reply, *itertools.chain.from_iterable(outcome.reply for outcome in outcomes))
        return tuple(expect for expect in alternatives if expect.listed)

    def _leave_unread(self, line: _Line, step: Say) -> None:
        """Sends a statement whose result set stays on the wire."""
        name, since = line.actor.name, self._stage.transcript.now_ms()
        self._idle[name] = self._stage.activity(line.actor)
        self._begins(line)
        self._stage.transcript.add(name, "sends", line.text, manual=line.manual)
        answer = line.actor.online.send_held(line.text, self._limits.statement, prepared=line.prepared)
        if answer is None:
            self._stage.transcript.add(name, "note", "reads only the beginning of the result set", since=since)
            return
        self._stage.transcript.add(name, "receives", self._stage.shown(answer), since=since)
        self._refuse_state(step, answer, f"{step.statement.text} is refused")
        raise InconclusiveError(f"preparation failed: {name}: {line.text}: {answer}, not a result set")

    def _refuse_state(self, step: Say | Wait, answer: Outcome | None, what: str) -> None:
        """Gives up a case whose state can't be brought about, if the server's answer says that it doesn't have it."""
        if not step.sets_state or answer is None or (isinstance(step, Say) and step.reply):
            return
        refused = isinstance(answer, ServerError) and not self._stage.target.profile.passes(answer)
        unblocked = isinstance(step, Wait) and step.state == "blocked" and succeeded(answer)
        if unblocked or (refused and not self.matcher.fits(answer, _HINDRANCES)):
            raise NotApplicableError(f"the server doesn't have this state: {what} ({answer})")

    def _listed(self, line: _Line, answer: Outcome, reply: Reply) -> Outcome:
        """What a list shows in the end: it may show what was a moment ago, so it is asked for the settle time."""
        poll = Poll(self._limits.settle)
        since = self._stage.transcript.now_ms()
        times = 0
        while isinstance(answer, Rows) and not self.matcher.fits(answer, reply) and poll.again():
            line.actor.online.send(line.text, prepared=line.prepared)
            answer = line.actor.online.result(self._limits.statement)
            self._settling.keep_active()
            times += 1
        if times:
            self._stage.transcript.add(
                line.actor.name, "note", f"sent {times} more times, because the process list may lag"
            )
            self._stage.transcript.add(line.actor.name, "receives", self._stage.shown(answer), since=since)
        return answer

    def _refuse_other_server(self, line: _Line, answer: Outcome, lists: Reply) -> None:
        """Decides nothing by rows that a list lacks, where it may be the list of another server."""
        if not isinstance(answer, Rows) or self.matcher.fits(answer, lists):
            return
        listed = {row.session for expect in lists for row in expect.listed}
        actors = [self._stage.actors[name] for name in sorted(listed)]
        if (doubt := other_server(line.actor, ProcessList.read(answer), actors)) is not None:
            raise InconclusiveError(doubt)

    def _say_together(self, steps: list[Say]) -> None:
        lines = [self._ready(step) for step in steps]
        waited_for = {step.session for step in flat(self._stage.case.steps) if isinstance(step, Wait)}
        for line in lines:
            if line.actor.name in waited_for:
                self._idle[line.actor.name] = self._stage.activity(line.actor)
        for line in lines:
            self._send(line)

    def _ready(self, step: Say) -> _Line:
        actor = self._stage.actors[step.session]
        rendered = self._renderer.render(step.statement, actor.online)
        profile = self._stage.target.profile
        text = profile.spell(rendered.text)
        if (spelling := profile.spelling_of(rendered.text)) is not None and text != rendered.text:
            self.respelled[spelling.statement] = spelling.becomes
        if (because := profile.withholds(text)) is not None:
            raise InconclusiveError(f"{text} is not sent: {because}")  # as it was spelled; else no case gets here
        guarded = is_guarded(step.statement, rendered.text, text, self._vocabulary)
        about = guarded or self._stage.case.requirement.is_about(rendered.text)
        line = _Line(
            actor,
            text,
            profile.spell(rendered.manual),
            guarded,
            step.prepared,
            step.statement.named_sessions(),
            StepKind.UNDER_TEST if about else StepKind.LOOKS,
        )
        self._check(line)
        return line

    def _check(self, line: _Line) -> None:
        if line.guarded:
            guard.check(line.text, line.actor, self._stage, line.named, self._vocabulary)

    def _prepare(self, line: _Line, reply: Reply) -> None:
        """Has a session prepare a statement; a server that would execute it at once passes the guard like any."""
        self._begins(line)
        name = line.actor.name
        since = self._stage.transcript.now_ms()
        self._stage.transcript.add(name, "note", f"prepares for a later execution: {line.text}")
        answer = line.actor.online.prepare(line.text, self._limits.statement)
        self._stage.transcript.add(name, "receives", self._stage.shown(answer), since=since)
        self._judge(name, line.text, answer, reply, kind=line.kind)
        self._prepared[name] = line if isinstance(answer, Ok) else replace(line, refused=answer)

    def _execute(self, step: Execute) -> None:
        line = self._prepared[step.session]
        answer = line.refused
        if answer is None:
            self._check(line)  # the list may have changed since it was prepared
            since = self._stage.transcript.now_ms()
            self._send(line, executes=True)
            answer = self._hear(line.actor, since, self._patience.statement)
            if line.guarded:
                self._settling.start = time.monotonic()
        self._judge(step.session, line.text, answer, step.reply, kind=line.kind)

    def _send(self, line: _Line, *, executes: bool = False) -> None:
        self._begins(line)
        self._stage.transcript.add(line.actor.name, "sends", line.text, manual=line.manual)
        if executes:
            line.actor.online.send_prepared()
        else:
            line.actor.online.send(line.text, prepared=line.prepared)

    def _begins(self, line: _Line) -> None:
        """Notes, right before it is sent, that a statement is under way."""
        if line.guarded:
            self._stage.note_guarded(line.actor, line.named)
            self._settling.start = time.monotonic()
            self._settling.prompted.clear()
        elif self._stage.said_guarded:
            self._settling.prompted.add(line.actor.name)
        if line.actor.online.busy:
            raise InconclusiveError(f"{line.actor.name} still waits for a reply at its next step")
        self._kinds[line.actor.name] = line.kind

    def _await(self, step: Await) -> None:
        actor = self._stage.actors[step.session]
        if not actor.online.busy:
            raise InconclusiveError(f"{actor.name} has no statement in flight to await ({step.place})")
        # What a session that is to end still has in flight has to be over when the settle time is.
        limit = self._settling.settle if actor.name in self._stage.case.may_end else self._limits.statement
        answer = self._hear(actor, self._stage.transcript.now_ms(), limit)
        self._judge(actor.name, "its statement in flight", answer, step.reply, kind=self._kinds[actor.name])

    def _hear(self, actor: Actor, since: float, limit: float) -> Outcome:
        answer = self._settling.answer(actor.online, limit)
        self._stage.transcript.add(actor.name, "receives", self._stage.shown(answer), since=since)
        return answer

    def _judge(
        self,
        name: str,
        statement: str,
        answer: Outcome,
        reply: Reply,
        *,
        kind: StepKind,
        as_class: AnswerClass | None = None,
    ) -> None:
        """Does what the table of judgements says; ``as_class``: the answer's class where its text does not tell it."""
        before: Outcome | None = self._last_error
        if isinstance(answer, Rows):
            before, self._last_rows = self._last_rows, answer
        fits = self.matcher.fits(answer, reply or _PREPARES, before)
        actual = as_class or answer_class(answer, self._stage.target.profile, fits=fits)
        if _claims_any_error(reply) and actual is AnswerClass.FITS:
            # A claim of any error, or of any reply, is not met by an answer that tells nothing about the statement.
            plain = answer_class(answer, self._stage.target.profile, fits=False)
            actual = plain if plain in {AnswerClass.SHORTAGE, AnswerClass.UNREADABLE} else actual
        kind = kind if reply and ANYTHING not in reply else StepKind.PREPARES
        judgement = judge(kind, actual, sent_guarded=self._stage.said_guarded)
        if kind is StepKind.PREPARES and judgement is Judgement.DEVIATES_TWICE and not self._goes_on(name):
            judgement = Judgement.INCONCLUSIVE
        self._refuse_no_administrator(name, statement, answer, fits=fits and not _claims_any_error(reply))
        match judgement:
            case Judgement.GOES_ON:
                pass
            case Judgement.INCONCLUSIVE:
                preparing = "" if reply else "preparation failed: "
                raise InconclusiveError(f"{preparing}{name}: {statement}: {self.matcher.shown(answer)}")
            case Judgement.DEVIATES | Judgement.DEVIATES_TWICE:
                if (why := self.matcher.undecided(answer, reply)) is not None:
                    raise InconclusiveError(f"{name}: {statement}: {answer}, but {why}")
                raise DeviationError(
                    f"{name}: {statement} gets the reply {describe(reply or _PREPARES)}",
                    self.matcher.shown(answer),
                    missing=judgement is Judgement.DEVIATES_TWICE,
                )
        if ANYTHING in reply:
            self.observed = answer
        if isinstance(answer, ServerError):
            self._last_error = answer

    def _refuse_no_administrator(self, name: str, statement: str, answer: Outcome, *, fits: bool) -> None:
        """Decides nothing by a refusal of the DSN's user where such servers have another administrator (PUR-2)."""
        target = self._stage.target
        if fits or not self._stage.actors[name].account.administrator or not isinstance(answer, ServerError):
            return
        if not _OF_THE_ADMINISTRATOR.intersection(target.profile.classes_of(answer)):
            return
        if (others := target.profile.other_administrators(target.dsn.account)) is not None:
            raise InconclusiveError(
                f"{name}: {statement}: {answer}; but the DSN's user {target.dsn.account} is not the "
                f"administrator: on this kind of server only {others} may kill the sessions of all users"
            )

    def _goes_on(self, name: str) -> bool:
        """Whether a session is to go on, and has just sent a statement that ends none."""
        return name not in self._stage.case.may_end and self._kinds.get(name) is not StepKind.UNDER_TEST

    # Logging in and waiting

    def _connect(self, step: Connect) -> None:
        actor = self._stage.actors[step.session]
        typed = self._renderer.text(step.name) if step.name is not None else None
        self._settling.begin_anew(actor)
        self._prepared.pop(actor.name, None)
        answer = self._stage.connect(actor, typed=typed, claimed=bool(step.reply))
        refused = self._stage.refused_although_it_had_more(answer)
        self._judge(
            step.session,
            "its login",
            answer,
            step.reply,
            kind=StepKind.LOGIN,
            as_class=AnswerClass.LOST if refused else None,
        )
        if step.new_id_than is not None:
            mine, other = self._stage.id_of(step.session), self._stage.id_of(step.new_id_than)
            if mine == other:
                raise DeviationError(f"{step.session} has another id than {step.new_id_than} had", f"both have {mine}")

    def _wait(self, step: Wait) -> None:
        actor = self._stage.actors[step.session]
        if step.state == "gone":
            self._settling.await_end(actor)
            return
        start = time.monotonic()
        poll = Poll(self._patience.states.of(self._limits.settle))
        seen = 0
        while seen < _LOOKS_UNTIL[step.state]:
            if actor.online.listen() is not None:
                self._settling.check([actor])
            if actor.online.answered or not actor.online.busy:
                answer = actor.online.arrived  # the check takes it
                self._settling.check([actor])
                over = f"{actor.name}'s statement finished before the process list showed it {step.state}"
                self._refuse_state(step, answer, over)
                raise InconclusiveError(over)
            self._settling.keep_active()
            activity = self._stage.activity(actor)
            seen += activity is not None and activity != self._idle.get(actor.name)
            if seen < _LOOKS_UNTIL[step.state] and not poll.again():
                self._patience.states.note_in_vain()
                # The server has had the statement for the whole settle time: it runs, whatever the list says of it.
                note = f"the process list doesn't show it {step.state}; continuing"
                self._stage.transcript.add(actor.name, "note", note)
                return
        self._patience.states.note(time.monotonic() - start)


def _claims_any_error(reply: Reply) -> bool:
    """Whether any error is as claimed, so that one that tells nothing about the statement would fit too."""
    return ANYTHING in reply or Expect("error") in reply
