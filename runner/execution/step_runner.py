"""Runs the steps of a case: sends statements, receives replies, and compares them with the claims."""

from __future__ import annotations

import contextlib
import itertools
import re
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from runner.accounts.accounts_check import DEFINES_OBJECTS
from runner.database.outcome import Lost, NoReply, Ok, Outcome, Rows, ServerError, succeeded
from runner.database.time_limits import Poll
from runner.database.unrelated_errors import is_passing_conflict, took_effect_before
from runner.execution import guard
from runner.execution.adaptive_limits import AdaptiveLimits
from runner.execution.case_errors import DeviationError, InconclusiveError, NotApplicableError, raise_if_run_ends
from runner.execution.case_sessions import REVOKES, CaseSessions
from runner.execution.claim_matching import ClaimMatcher, describe_claim
from runner.execution.judgement_table import StepKind
from runner.execution.process_list_steps import ProcessListSteps
from runner.execution.reply_class import ReplyClass, reply_class
from runner.execution.reply_judge import ReplyJudge, claims_any_error
from runner.execution.same_server import raise_if_moved
from runner.execution.session_checks import SessionChecks
from runner.execution.session_state import CaseSession
from runner.execution.statement_text import Renderer
from runner.language.guarded_statements import is_guarded, statements_under_test
from runner.language.model import (
    ADMINISTRATOR,
    OBSERVED,
    Check,
    Claim,
    Connect,
    Create,
    Disconnect,
    Execute,
    ExpectedReply,
    Pause,
    Receive,
    Repeat,
    Reset,
    Send,
    SendHalf,
    Step,
    Vocabulary,
    Wait,
    When,
    flat,
)

_UNRELATED_ERRORS: Claim = (ExpectedReply("privilege"), ExpectedReply("interrupted"))
"""Errors that don't show which features the server has."""
_DISCONNECTS = {"disconnect": "its client disconnects (COM_QUIT)", "abort": "its client resets the connection"}
_GRANT = re.compile(r"\bGRANT\b", re.IGNORECASE)
_BUFFERS_FILL = 1.0  # seconds for the server to fill all buffers to a client that doesn't read, and then to wait for it
_SLOWLY = 0.5  # seconds before each guarded statement of a case that is run slowly
_NO_REPLY = 0.5  # seconds: on a busy machine, an immediate reply may take nearly as long
_TIMES_LISTED = {"running": 1, "blocked": 3}
"""The number of process lists in a row that show the statement running; an unblocked one would be finished by then."""


class _GuardedReachedError(Exception):
    """The next statement is a guarded one, and none may be sent."""


@dataclass(frozen=True)
class _ReadyStatement:
    """A statement that can be sent: ids are filled in, it is spelled for the target, and the guard has checked it.

    Attributes:
        session: the session that sends it.
        text: the statement.
        manual: the statement with placeholders, to type by hand.
        guarded: whether it is a guarded statement.
        prepared: whether it is sent as a prepared statement.
        named: the sessions whose ids the case names in it.
        kind: the purpose of the step, if it has a claim.
        refused: the server's reply instead of preparing it.
    """

    session: CaseSession
    text: str
    manual: str
    guarded: bool
    prepared: bool
    named: frozenset[str]
    kind: StepKind
    refused: Outcome | None = None


class StepRunner:
    """Runs the steps in one run of a case.

    Args:
        sessions: the sessions of the case.
        session_checks: the checks of the sessions.
        timeouts: the time limits, adapted to the target.
        vocabulary: of the register; it defines the guarded statements.
        slowly: whether to pause before each guarded statement.

    Attributes:
        judge: compares the replies with the claims.
        respelled: statements that the profile spells differently, with the statements that were sent instead.
        refused_for_ended: whether the server refused a guarded statement against its claim, and had closed a session
            that it names, which another client may have killed since the guard's check.
    """

    def __init__(
        self,
        sessions: CaseSessions,
        session_checks: SessionChecks,
        timeouts: AdaptiveLimits,
        vocabulary: Vocabulary,
        *,
        slowly: bool = False,
    ) -> None:
        self._sessions = sessions
        self._session_checks = session_checks
        self._timeouts = timeouts
        self._vocabulary = vocabulary
        self._slowly = slowly
        self._limits = sessions.target.limits
        self._renderer = Renderer(sessions)
        self.matcher = ClaimMatcher(
            sessions.target.profile, sessions.id_of, self._renderer.text, sessions.describe, sessions.user_of
        )
        self._process_lists = ProcessListSteps(sessions, session_checks, self.matcher)
        self.respelled: dict[str, str] = {}
        self.refused_for_ended = False
        self._idle_activity: dict[str, object] = {}
        """The activity of each session in the process list before its statement."""
        self._in_flight: dict[str, _ReadyStatement] = {}
        """The last statement that each session has sent."""
        self._prepared: dict[str, _ReadyStatement] = {}
        """The last prepared statement of each session."""
        self._sends_guarded = True
        tested = any(True for _ in statements_under_test(sessions.case, vocabulary))
        self.judge = ReplyJudge(sessions, self.matcher, before_test=tested)

    def run(self, steps: Sequence[Step]) -> None:
        """Runs steps in order.

        Consecutive statements with ``reply: later`` have to run on the server at the same time: all of them are
        rendered and checked by the guard before the first one is sent.

        Raises:
            DeviationError: a result contradicts a claim.
            InconclusiveError: a step that prepares failed, or the guard rejected a statement.
            NotApplicableError: the server doesn't have the state that the case is about.
        """
        for together, group in itertools.groupby(steps, lambda step: isinstance(step, Send) and step.later):
            if together:
                self._send_together([step for step in group if isinstance(step, Send)])
            else:
                for step in group:
                    self._run_step(step)

    def run_until_guarded(self, steps: Sequence[Step]) -> None:
        """Runs steps in order up to the first guarded statement, which is not sent; raises like ``run``."""
        self._sends_guarded = False
        with contextlib.suppress(_GuardedReachedError):
            self.run(steps)

    def _run_step(self, step: Step) -> None:  # noqa: C901, PLR0912 - a case for each kind of step
        raise_if_run_ends(self._sessions.target)
        match step:
            case Send():
                self._run_statement(step)
            case Receive():
                self._receive_later(step)
            case Connect():
                self._connect(step)
            case Wait():
                self._wait(step)
            case Check():
                self._check_no_reply(step)
            case Pause():
                self._pause(step)
            case Execute():
                self._execute(step)
            case Create():
                self._sessions.fixtures.create_user(self._sessions.by_name[step.session].account)
            case Repeat():
                for _ in range(step.times):
                    self.run(step.steps)
            case When():
                self.run(self._chosen_steps(step))
            case Reset():
                self._reset(step)
            case SendHalf():
                session = self._sessions.by_name[step.session]
                session.required_client.send_half(self._sessions.target.probe)
                self._sessions.transcript.add(session.name, "note", "its client sends the first half of a statement")
            case Disconnect():
                session = self._sessions.by_name[step.session]
                self._sessions.disconnect(session, step.how)
                self._sessions.transcript.add(session.name, "note", _DISCONNECTS[step.how])

    def _chosen_steps(self, step: When) -> Sequence[Step]:
        """The steps that are run after the last reply of a session."""
        reply, condition = self.judge.last_replies[step.session], describe_claim(step.condition)
        fits = self.matcher.fits(reply, step.condition)
        if not fits and (why := self.matcher.undecided(reply, step.condition)) is not None:
            raise InconclusiveError(f"{step.session}: is its last reply {condition}? {reply}, but {why}")
        note = f"its last reply is {'' if fits else 'not '}{condition}"
        self._sessions.transcript.add(step.session, "note", note)
        return step.steps if fits else step.otherwise

    # Statements and replies

    def _run_statement(self, step: Send) -> None:
        ready = self._make_ready(step)
        if step.prepares:
            self._prepare(ready, step)
            return
        since = self._sessions.transcript.now_ms()
        if step.unread:
            self._send_unread(ready, step)
            return
        self._send(ready)
        reply = self._receive(
            ready.session, since, self._timeouts.statement if ready.guarded else self._limits.statement
        )
        reply = self._retry(ready, reply, step.reply)
        self._note_role(step, reply)
        if succeeded(reply) and (_GRANT.search(ready.text) or REVOKES.search(ready.text)):
            self._sessions.wait_for_grants(time.monotonic(), self._session_checks.keep_active)
        if lists := self._process_lists.claims(step.reply):
            reply = self._process_lists.poll(ready.session, ready.text, reply, lists, prepared=ready.prepared)
            if OBSERVED not in step.reply:
                self._process_lists.raise_if_other_server(ready.session, reply, lists)
        if ready.guarded:
            self._timeouts.note_reply(received=not isinstance(reply, NoReply))
            self._session_checks.note_guarded_reply()
        self._note_guarded_reply(ready, reply, step.reply)
        self._raise_if_state_missing(step, reply, f"{step.statement.text} is refused")
        self.judge.compare(ready.session.name, ready.text, reply, step.reply, kind=ready.kind)
        if step.keep is not None:
            self._keep(step.keep, ready, reply)

    def _keep(self, name: str, ready: _ReadyStatement, reply: Outcome) -> None:
        """Keeps the single value of a reply for later claims."""
        values = [value for row in reply.values for value in row] if isinstance(reply, Rows) else []
        if len(values) != 1 or values[0] is None:
            raise InconclusiveError(
                f"preparation failed: {ready.session.name}: {ready.text}: {self.matcher.describe(reply)}, not one value"
            )
        self._renderer.kept[name] = values[0]
        self._sessions.transcript.add(ready.session.name, "note", f"the value is kept as {name}")

    def _note_role(self, step: Send, reply: Outcome) -> None:
        """Notes that a statement created or dropped the role, for the cleanup on servers without a list of roles."""
        words = step.statement.text.upper().split()[:2]
        if words == ["CREATE", "ROLE"] and not isinstance(reply, ServerError):
            self._sessions.fixtures.note_role_created()
        elif words == ["DROP", "ROLE"] and succeeded(reply):
            self._sessions.fixtures.note_role_dropped()

    def _retry(self, ready: _ReadyStatement, reply: Outcome, claim: Claim) -> Outcome:
        """Sends a statement again, as long as its reply is an error that a retry may avoid; returns the last reply.

        A killed session may release its locks as late as it may end: until then, a lock wait may time out.
        """
        affected = self._sessions.history.any_sent and ready.session.name not in self._sessions.case.may_end
        settle = max(0.0, self._session_checks.settle_time - self._session_checks.elapsed) if affected else 0.0
        poll, since = Poll(max(self._limits.retry, settle)), self._sessions.transcript.now_ms()
        defines = DEFINES_OBJECTS.search(ready.text) is not None
        while not ready.guarded and self._is_transient(reply, claim, conflicts=settle > 0, defines=defines):
            if not poll.again():
                break
            self._session_checks.keep_active()
            self._send(ready)
            reply = self._receive(ready.session, since, self._limits.statement)
            if defines and (took_effect_before(ready.text, reply) or self._has_dropped_user(ready, reply)):
                if claim and not self.matcher.fits(reply, claim) and self._drop_created_user(ready):
                    self._send(ready)
                    reply = self._receive(ready.session, since, self._limits.statement)
                else:
                    reply = self._reply_of_earlier_attempt(ready, reply, claim)
        return reply

    def _has_dropped_user(self, ready: _ReadyStatement, reply: Outcome) -> bool:
        """Whether an earlier attempt has dropped the user: the error for that may be the one of a passing conflict."""
        dropped = self._session_of_user_in(ready, "DROP USER") if isinstance(reply, ServerError) else None
        return dropped is not None and self._sessions.fixtures.user_is_listed(dropped.own_account) is False

    def _drop_created_user(self, ready: _ReadyStatement) -> bool:
        """Drops the user that a CREATE USER has created in spite of its error; returns whether that was possible."""
        created = self._session_of_user_in(ready, "CREATE USER")
        if created is None or created.spec.create:
            return False
        self._sessions.transcript.add(
            ADMINISTRATOR, "note", "drops the user, which an attempt with an error has created"
        )
        return not self._sessions.fixtures.drop_user(created.own_account)

    def _session_of_user_in(self, ready: _ReadyStatement, words: str) -> CaseSession | None:
        """The session whose user is named in a statement that begins with ``words``; None if there is none."""
        text = ready.text.casefold()
        named = [each for each in self._sessions.by_name.values() if each.own_account.user.casefold() in text]
        if not named or not text.lstrip().startswith(words.casefold()):
            return None
        return max(named, key=lambda each: len(each.own_account.user))  # a shorter one may be the beginning of its name

    def _reply_of_earlier_attempt(self, ready: _ReadyStatement, reply: Outcome, claim: Claim) -> Outcome:
        """The reply to a definition that is refused because an earlier attempt took effect, in spite of its error."""
        if claim and not self.matcher.fits(reply, claim):
            raise InconclusiveError(f"{ready.session.name}: {ready.text} got an error, and took effect: {reply}")
        return Ok() if not claim or self.matcher.fits(Ok(), claim) else reply

    def _is_transient(self, reply: Outcome, claim: Claim, *, conflicts: bool, defines: bool) -> bool:
        """Whether a reply is an error that a retry may avoid, and not the claimed one.

        Args:
            reply: the reply.
            claim: the claim of the step.
            conflicts: whether a killed session may still hold the locks for which the statement waits.
            defines: whether the statement creates, changes or drops something, or grants it.
        """
        profile = self._sessions.target.profile
        passes = (defines and is_passing_conflict(reply)) or profile.is_transient(reply)
        if claims_any_error(claim):
            return passes
        if self.matcher.fits(reply, claim):
            return False
        return passes or (conflicts and reply_class(reply, profile, fits=False) is ReplyClass.CONFLICT)

    def _send_unread(self, ready: _ReadyStatement, step: Send) -> None:
        """Sends a statement and reads only the beginning of its result set."""
        name, since = ready.session.name, self._sessions.transcript.now_ms()
        self._idle_activity[name] = self._sessions.activity(ready.session)
        self._note_sending(ready)
        self._in_flight[name] = ready
        self._sessions.transcript.add(name, "sends", ready.text, manual=ready.manual)
        reply = ready.session.required_client.send_held(ready.text, self._limits.statement, prepared=ready.prepared)
        if reply is None:
            self._sessions.transcript.add(name, "note", "reads only the beginning of the result set", since=since)
            return
        self._sessions.transcript.add(name, "receives", self._sessions.describe(reply), since=since)
        self._raise_if_state_missing(step, reply, f"{step.statement.text} is refused")
        raise InconclusiveError(f"preparation failed: {name}: {ready.text}: {reply}, not a result set")

    def _raise_if_state_missing(self, step: Send | Wait | Reset, reply: Outcome | None, what: str) -> None:
        """Raises NotApplicableError if the reply shows that the server doesn't have the state of the case."""
        if not step.sets_state or reply is None or (isinstance(step, Send) and step.reply):
            return
        refused = isinstance(reply, ServerError) and not self._sessions.target.profile.is_transient(reply)
        unblocked = isinstance(step, Wait) and step.state == "blocked" and succeeded(reply)
        if unblocked or (refused and not self.matcher.fits(reply, _UNRELATED_ERRORS)):
            raise NotApplicableError(f"the server doesn't have this state: {what} ({reply})")

    def _send_together(self, steps: list[Send]) -> None:
        all_ready = [self._make_ready(step) for step in steps]
        waited_for = {step.session for step in flat(self._sessions.case.steps) if isinstance(step, Wait)}
        for ready in all_ready:
            if ready.session.name in waited_for:
                self._idle_activity[ready.session.name] = self._sessions.activity(ready.session)
        for ready in all_ready:
            self._send(ready)

    def _make_ready(self, step: Send) -> _ReadyStatement:
        session = self._sessions.by_name[step.session]
        rendered = self._renderer.render(step.statement, session.required_client)
        profile = self._sessions.target.profile
        text = profile.spell(rendered.text)
        if (spelling := profile.spelling_of(rendered.text)) is not None and text != rendered.text:
            self.respelled[spelling.statement] = spelling.becomes
        if (because := profile.withholds(text)) is not None:
            # Withheld by its spelling; cases with other withheld statements are not run.
            raise InconclusiveError(f"{text} is not sent: {because}")
        guarded = is_guarded(step.statement, rendered.text, text, self._vocabulary)
        if guarded and not self._sends_guarded:
            raise _GuardedReachedError
        under_test = guarded or self._sessions.case.requirement.is_about(rendered.text)
        ready = _ReadyStatement(
            session,
            text,
            profile.spell(rendered.manual),
            guarded,
            step.prepared,
            step.statement.sessions_named_by_id(),
            StepKind.UNDER_TEST if under_test else StepKind.CHECKS,
        )
        self._check_guard(ready)
        return ready

    def _check_guard(self, ready: _ReadyStatement) -> None:
        if ready.guarded:
            self._pause_for(_SLOWLY if self._slowly else 0.0)
            guard.check(ready.text, ready.session, self._sessions, ready.named, self._vocabulary)
            self._raise_if_closed_before(ready)

    def _note_guarded_reply(self, ready: _ReadyStatement, reply: Outcome, claim: Claim) -> None:
        """Notes the reply; of a refusal that contradicts the claim, looks for another reason.

        Raises:
            InconclusiveError: a server other than that of the process lists may have refused it; or the connection is
                lost because the server had refused an earlier statement.
        """
        if isinstance(reply, Lost):
            self._sessions.raise_if_closed_after_refusal(ready.session)
        if ready.guarded:
            self._note_success_or_refusal(ready, reply)
        if not ready.guarded or not isinstance(reply, ServerError) or not claim or self.matcher.fits(reply, claim):
            return
        clients = [self._sessions.by_name[name].client for name in ready.named - {ready.session.name}]
        self.refused_for_ended |= any(
            client is not None and client.check_connection() is not None for client in clients
        )
        if ready.session.id is not None and ready.session.is_connected:
            raise_if_moved(ready.session, self._sessions)

    def _note_success_or_refusal(self, ready: _ReadyStatement, reply: Outcome) -> None:
        history, profile = self._sessions.history, self._sessions.target.profile
        if succeeded(reply):
            history.note_success(ready.session.name, ready.named)
            return
        # A session that was interrupted was killed: by its own statement, or by another client.
        interrupted = reply_class(reply, profile, fits=False) is ReplyClass.INTERRUPTED
        if isinstance(reply, ServerError) and not interrupted:
            history.note_refusal(ready.session.name)

    def _raise_if_closed_before(self, ready: _ReadyStatement) -> None:
        """Raises InconclusiveError if the target has closed the sender or a named session before the first guarded one.

        Later, if it has closed one of them because it had refused its statement, and this case does not judge that.
        A case that only observes may close it itself, for example by DROP USER: that is one of its outcomes.
        """
        sessions = [self._sessions.by_name[name] for name in sorted(ready.named | {ready.session.name})]
        for session in sessions:
            self._sessions.raise_if_closed_after_refusal(session)
        if self._sessions.history.any_sent or self._sessions.case.outcomes:
            return
        for session in sessions:
            client = session.client
            if client is None or session.disconnected or client.check_connection() is None:
                continue
            raise InconclusiveError(
                f"the target closed {session.name} ({client.connection_end}, after {client.idle:.1f} s without a "
                "statement) before the statement under test was sent"
            )

    def _prepare(self, ready: _ReadyStatement, step: Send) -> None:
        """Prepares a statement. The guard has checked it: a server may execute it at once."""
        self._note_sending(ready)
        name = ready.session.name
        since = self._sessions.transcript.now_ms()
        self._sessions.transcript.add(name, "note", f"prepares for a later execution: {ready.text}")
        reply = ready.session.required_client.prepare(ready.text, self._limits.statement)
        self._sessions.transcript.add(name, "receives", self._sessions.describe(reply), since=since)
        self._raise_if_state_missing(step, reply, f"{step.statement.text} can't be prepared")
        self.judge.compare(name, ready.text, reply, step.reply, kind=ready.kind)
        self._prepared[name] = ready if isinstance(reply, Ok) else replace(ready, refused=reply)

    def _execute(self, step: Execute) -> None:
        ready = self._prepared[step.session]
        reply = ready.refused
        if reply is None:
            self._check_guard(ready)  # the process list may have changed since it was prepared
            since = self._sessions.transcript.now_ms()
            self._send(ready, executes=True)
            reply = self._receive(ready.session, since, self._timeouts.statement)
            if ready.guarded:
                self._session_checks.note_guarded_reply()
            self._note_guarded_reply(ready, reply, step.reply)
        self.judge.compare(step.session, ready.text, reply, step.reply, kind=ready.kind)

    def _send(self, ready: _ReadyStatement, *, executes: bool = False) -> None:
        self._note_sending(ready)
        self._in_flight[ready.session.name] = ready
        self._sessions.transcript.add(ready.session.name, "sends", ready.text, manual=ready.manual)
        if executes:
            ready.session.required_client.send_prepared()
        else:
            ready.session.required_client.send(ready.text, prepared=ready.prepared)

    def _note_sending(self, ready: _ReadyStatement) -> None:
        """Notes that a statement is sent now."""
        if ready.guarded:
            self._sessions.history.note_sent(ready.session, [self._sessions.by_name[name] for name in ready.named])
            self._session_checks.note_guarded_statement()
        elif self._sessions.history.any_sent:
            self._session_checks.note_statement(ready.session)
        if ready.session.required_client.busy:
            raise InconclusiveError(f"{ready.session.name} still waits for a reply at its next step")
        self.judge.note_sending(ready.session.name, ready.kind)

    def _receive_later(self, step: Receive) -> None:
        session = self._sessions.by_name[step.session]
        if not session.required_client.busy:
            raise InconclusiveError(f"{session.name} has no statement in flight ({step.place})")
        # The statement in flight of a session that may end has to be finished within the settle time.
        limit = (
            self._session_checks.settle_time if session.name in self._sessions.case.may_end else self._limits.statement
        )
        reply = self._receive(session, self._sessions.transcript.now_ms(), limit)
        ready = self._in_flight[session.name]
        reply = self._retry(ready, reply, step.reply)
        self._note_guarded_reply(ready, reply, step.reply)
        self.judge.compare(
            session.name, "its statement in flight", reply, step.reply, kind=self.judge.kinds[session.name]
        )

    def _check_no_reply(self, step: Check) -> None:
        """Checks that a statement in flight has no reply for as long as a kill takes here, at least half a second."""
        session, since = self._sessions.by_name[step.session], self._sessions.transcript.now_ms()
        poll = Poll(max(self._timeouts.watch, _NO_REPLY))
        while not session.required_client.has_reply and poll.again():
            self._session_checks.keep_active()
        if not session.required_client.has_reply:
            self._sessions.transcript.add(session.name, "note", "its statement has no reply yet", since=since)
            return
        if session.required_client.check_connection() is not None and session.name not in self._sessions.case.may_end:
            self._session_checks.check_usable([session])
        reply = self._receive(session, since, self._limits.statement)
        self.judge.raise_early_reply(session.name, reply)

    def _receive(self, session: CaseSession, since: float, limit: float) -> Outcome:
        reply = self._session_checks.wait_for_reply(session.required_client, limit)
        self._sessions.transcript.add(session.name, "receives", self._sessions.describe(reply), since=since)
        return reply

    # Logins and waits

    def _connect(self, step: Connect) -> None:
        session = self._sessions.by_name[step.session]
        login_name = self._renderer.text(step.name) if step.name is not None else None
        self._session_checks.forget_end(session)
        self._prepared.pop(session.name, None)
        # A refusal of another spelling of the name says nothing about the user, and there is a way on from it.
        may_be_refused = step.name is not None and any(one.kind == "login-refused" for one in step.reply)
        claims_refusal = may_be_refused or (bool(step.reply) and not self.matcher.fits(Ok(), step.reply))
        reply = self._sessions.logins.connect(
            session, login_name=login_name, has_claim=bool(step.reply), claims_refusal=claims_refusal
        )
        refused = self._sessions.logins.refused_below_earlier_maximum(reply)
        self.judge.compare(
            step.session,
            "its login",
            reply,
            step.reply,
            kind=StepKind.LOGIN,
            as_class=ReplyClass.LOST if refused else None,
        )
        if step.id_differs_from is not None:
            mine, other = self._sessions.id_of(step.session), self._sessions.id_of(step.id_differs_from)
            if mine == other:
                raise DeviationError(
                    f"{step.session} has another id than {step.id_differs_from} had", f"both have {mine}"
                )

    def _reset(self, step: Reset) -> None:
        session = self._sessions.by_name[step.session]
        self._prepared.pop(session.name, None)
        self._session_checks.note_statement(session)
        reply = self._sessions.logins.reset(session, step.to)
        if succeeded(reply):
            return
        what = "COM_RESET_CONNECTION" if step.to is None else "COM_CHANGE_USER"
        self._raise_if_state_missing(step, reply, f"{what} is refused")
        raise InconclusiveError(f"preparation failed: {session.name}: {what}: {reply}")

    def _pause(self, step: Pause) -> None:
        since = self._sessions.transcript.now_ms()
        self._pause_for(step.seconds, step.idle)
        idle = f", in which {' and '.join(sorted(step.idle))} is idle" if step.idle else ""
        self._sessions.transcript.add(ADMINISTRATOR, "note", f"a pause of {step.seconds} s{idle}", since=since)

    def _pause_for(self, seconds: float, idle: Collection[str] = ()) -> None:
        """Waits; sends statements on idle sessions meanwhile, except on those in ``idle``."""
        poll = Poll(seconds)
        while poll.again():
            self._session_checks.keep_active(idle)

    def _wait(self, step: Wait) -> None:
        session = self._sessions.by_name[step.session]
        since = self._sessions.transcript.now_ms()
        if step.state == "gone":
            self._session_checks.wait_for_end(session)
            self._sessions.transcript.add(session.name, "note", "waited until it is gone", since=since)
            return
        start = time.monotonic()
        poll = Poll(self._timeouts.state_limit.current(self._limits.settle))
        seen = 0
        while seen < _TIMES_LISTED[step.state]:
            if session.required_client.check_connection() is not None:
                self._session_checks.check_usable([session])
            if session.required_client.has_reply or not session.required_client.busy:
                reply = session.required_client.received_reply  # check_usable reads it, too
                self._session_checks.check_usable([session])
                over = f"{session.name}'s statement finished before the process list showed it {step.state}"
                self._raise_if_state_missing(step, reply, over)
                raise InconclusiveError(over)
            self._session_checks.keep_active()
            activity = self._sessions.activity(session)
            seen += activity is not None and activity != self._idle_activity.get(session.name)
            if seen < _TIMES_LISTED[step.state] and not poll.again():
                self._timeouts.state_limit.note_exceeded()
                # The server has had the statement for the whole settle time: it runs, though it is not listed.
                note = f"the process list doesn't show it {step.state}; continuing"
                self._sessions.transcript.add(session.name, "note", note, since=since)
                return
        self._timeouts.state_limit.note(time.monotonic() - start)
        fills = Poll(_BUFFERS_FILL if session.required_client.held else 0.0)
        while fills.again():
            self._session_checks.keep_active()
        waited = f"waited until the process list shows it {step.state}"
        self._sessions.transcript.add(session.name, "note", waited, since=since)
