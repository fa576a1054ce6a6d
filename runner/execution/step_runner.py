"""Runs the steps of a case: sends statements, receives replies, and compares them with the claims."""

from __future__ import annotations

import contextlib
import itertools
import re
import time
from collections.abc import Sequence
from dataclasses import replace

from runner.database.outcome import Lost, NoReply, Ok, Outcome, Rows, ServerError, succeeded
from runner.database.time_limits import Poll
from runner.database.unrelated_errors import ErrorKind, error_kind_of
from runner.execution.adaptive_limits import AdaptiveLimits
from runner.execution.case_errors import (
    Deviation,
    DeviationError,
    InconclusiveError,
    NotApplicableError,
    raise_if_run_ends,
)
from runner.execution.case_session import CaseSession
from runner.execution.case_sessions import REVOKES, CaseSessions
from runner.execution.claim_matching import ClaimMatcher, describe_claim
from runner.execution.judgement_table import StepKind
from runner.execution.process_list_steps import ProcessListSteps
from runner.execution.ready_statements import GuardedReachedError, ReadyStatement, ReadyStatements
from runner.execution.reply_class import ReplyClass, reply_class
from runner.execution.reply_judge import ReplyJudge
from runner.execution.same_server import raise_if_moved
from runner.execution.session_checks import SessionChecks
from runner.execution.statement_retries import StatementRetries
from runner.language.guarded_statements import statements_under_test
from runner.language.model import (
    ACCEPTED,
    ADMINISTRATOR,
    ANSWERED,
    KNOWN,
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

_SETS_PROPERTY = re.compile(r"\s*(?:SET|SAVEPOINT|ALTER\s+SESSION)\b", re.IGNORECASE)
_UNRELATED_ERRORS: Claim = (ExpectedReply("privilege"), ExpectedReply("interrupted"))
"""Errors that don't show which features the server has."""
_DISCONNECTS = {"disconnect": "its client disconnects (COM_QUIT)", "abort": "its client resets the connection"}
_GRANT = re.compile(r"\bGRANT\b", re.IGNORECASE)
_BUFFERS_FILL = 1.0  # seconds for the server to fill all buffers to a client that doesn't read, and then to wait for it
_LATE = 1.0  # seconds before each auxiliary statement with a claim of a case that reads late
_NO_REPLY = 0.5  # seconds: on a busy machine, an immediate reply may take nearly as long
_TIMES_LISTED = {"running": 1, "blocked": 3}
"""The number of process lists in a row that show the statement running; an unblocked one would be finished by then."""


class StepRunner:
    """Runs the steps in one run of a case.

    Args:
        sessions: the sessions of the case.
        session_checks: the checks of the sessions.
        timeouts: the time limits, adapted to the target.
        vocabulary: of the register; it defines the guarded statements.
        slowly: whether to pause before each guarded statement.
        reads_late: whether to pause before each auxiliary statement with a claim.

    Attributes:
        judge: compares the replies with the claims.
        statements: makes the statements ready.
        refused_for_ended: whether the server refused a guarded statement against its claim, and had closed a session
            that it names, which another client may have killed since the guard's check.
        last_is_plain: whether the last guarded statement that was sent has the form of the register's example.
        failed_aspect: what a guarded statement lacked against its claim: ACCEPTED, ANSWERED, KNOWN, or empty.
        refused: the named sessions whose last guarded statement was refused, also if the claim allows that, with the
            aspect that it lacked (ACCEPTED or KNOWN) and the error without its variable parts.
    """

    def __init__(
        self,
        sessions: CaseSessions,
        session_checks: SessionChecks,
        timeouts: AdaptiveLimits,
        vocabulary: Vocabulary,
        *,
        slowly: bool = False,
        reads_late: bool = False,
    ) -> None:
        self._sessions = sessions
        self._session_checks = session_checks
        self._timeouts = timeouts
        self._reads_late = reads_late
        self._limits = sessions.target.limits
        self.statements = ReadyStatements(sessions, session_checks, vocabulary, slowly=slowly)
        self.matcher = ClaimMatcher(
            sessions.target.profile, sessions.id_of, self.statements.renderer.text, sessions.describe, sessions.user_of
        )
        self._process_lists = ProcessListSteps(sessions, session_checks, self.matcher)
        self.refused_for_ended = False
        self.last_is_plain = False
        self.failed_aspect = ""
        self.refused: dict[str, tuple[str, str]] = {}
        self._idle_activity: dict[str, object] = {}
        """The activity of each session in the process list before its statement."""
        self._in_flight: dict[str, ReadyStatement] = {}
        """The last statement that each session has sent."""
        self._prepared: dict[str, ReadyStatement] = {}
        """The last prepared statement of each session."""
        self._retries = StatementRetries(sessions, session_checks, self.matcher, self._send_again)
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
        self.statements.sends_guarded = False
        with contextlib.suppress(GuardedReachedError):
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
        ready = self.statements.make(step)
        if step.prepares:
            self._prepare(ready, step)
            return
        self._session_checks.pause(_LATE if self._reads_late and step.reply and ready.kind is StepKind.CHECKS else 0.0)
        since = self._sessions.transcript.now_ms()
        if step.unread:
            self._send_unread(ready, step)
            return
        self._send(ready)
        reply = self._receive(
            ready.session, since, self._timeouts.statement if ready.guarded else self._limits.statement
        )
        reply = self._retries.retry(ready, reply, step.reply)
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

    def _keep(self, name: str, ready: ReadyStatement, reply: Outcome) -> None:
        """Keeps the single value of a reply for later claims."""
        values = [value for row in reply.values for value in row] if isinstance(reply, Rows) else []
        if len(values) != 1 or values[0] is None:
            raise InconclusiveError(
                f"preparation failed: {ready.session.name}: {ready.text}: {self.matcher.describe(reply)}, not one value"
            )
        self.statements.renderer.kept[name] = values[0]
        self._sessions.transcript.add(ready.session.name, "note", f"the value is kept as {name}")

    def _note_role(self, step: Send, reply: Outcome) -> None:
        """Notes that a statement created or dropped the role, for the cleanup on servers without a list of roles."""
        words = step.statement.text.upper().split()[:2]
        if words == ["CREATE", "ROLE"] and not isinstance(reply, ServerError):
            self._sessions.fixtures.note_role_created()
        elif words == ["DROP", "ROLE"] and succeeded(reply):
            self._sessions.fixtures.note_role_dropped()

    def _send_unread(self, ready: ReadyStatement, step: Send) -> None:
        """Sends a statement and reads only the beginning of its result set."""
        name, since = ready.session.name, self._sessions.transcript.now_ms()
        self._idle_activity[name] = self._sessions.activity(ready.session)
        self._note_sending(ready)
        self._in_flight[name] = ready
        self._sessions.transcript.add(name, "sends", ready.text, manual=ready.manual)
        reply = ready.session.required_client.send_and_read_beginning(
            ready.text, self._limits.statement, prepared=ready.prepared
        )
        if reply is None:
            self._sessions.transcript.add(name, "note", "reads only the beginning of the result set", since=since)
            return
        self._sessions.transcript.add(name, "receives", self._sessions.describe(reply), since=since)
        self._raise_if_state_missing(step, reply, f"{step.statement.text} is refused")
        raise InconclusiveError(f"preparation failed: {name}: {ready.text}: {reply}, not a result set")

    def _raise_if_state_missing(self, step: Send | Wait | Reset, reply: Outcome | None, what: str) -> None:
        """Raises NotApplicableError if the reply shows that the server doesn't have the state of the case."""
        if reply is None or (isinstance(step, Send) and step.reply):
            return
        if not step.sets_state and not self._is_unknown_setting(step, reply):
            return
        refused = isinstance(reply, ServerError) and not self._sessions.target.profile.is_transient(reply)
        unblocked = isinstance(step, Wait) and step.state == "blocked" and succeeded(reply)
        if unblocked or (refused and not self.matcher.fits(reply, _UNRELATED_ERRORS)):
            raise NotApplicableError(f"the server doesn't have this state: {what} ({reply})")

    def _is_unknown_setting(self, step: Send | Wait | Reset, reply: Outcome) -> bool:
        """Whether the server doesn't know a statement that only sets a property of its session, before the test."""
        sets = isinstance(step, Send) and _SETS_PROPERTY.match(step.statement.text) is not None
        unknown = isinstance(reply, ServerError) and error_kind_of(reply) is ErrorKind.UNSUPPORTED
        return sets and unknown and not self._sessions.history.any_sent

    def _send_together(self, steps: list[Send]) -> None:
        all_ready = [self.statements.make(step) for step in steps]
        waited_for = {step.session for step in flat(self._sessions.case.steps) if isinstance(step, Wait)}
        for ready in all_ready:
            if ready.session.name in waited_for:
                self._idle_activity[ready.session.name] = self._sessions.activity(ready.session)
        for ready in all_ready:
            self._send(ready)

    def _note_guarded_reply(self, ready: ReadyStatement, reply: Outcome, claim: Claim) -> None:
        """Notes the reply; of a refusal that contradicts the claim, looks for another reason.

        Raises:
            InconclusiveError: a server other than that of the process lists may have refused it; or the connection is
                lost because the server had refused an earlier statement.
        """
        if isinstance(reply, Lost):
            self._sessions.raise_if_closed_after_refusal(ready.session)
        if not ready.guarded:
            return
        if not isinstance(reply, NoReply):
            self._sessions.history.note_reply(ready.session.name)
        self._note_success_or_refusal(ready, reply)
        contradicts = bool(claim) and not self.matcher.fits(reply, claim)
        if not isinstance(reply, ServerError):
            self.refused = {name: why for name, why in self.refused.items() if name not in ready.named}
            if contradicts and isinstance(reply, NoReply):
                self.failed_aspect = ANSWERED
            return
        clients = [self._sessions.by_name[name].client for name in ready.named - {ready.session.name}]
        ended = any(client is not None and client.check_connection() is not None for client in clients)
        # The guard has just found the id in the process list.
        presumed = self._sessions.case.requirement.presumed
        classes = self._sessions.target.profile.classes_of(reply)
        unknown = presumed is not None and presumed.unknown_error in classes
        aspect = KNOWN if unknown and ready.named and not ended else ACCEPTED
        self.refused.update(dict.fromkeys(ready.named, (aspect, reply.signature)))
        if not contradicts:
            return
        self.refused_for_ended |= ended
        self.failed_aspect = aspect
        if ready.session.id is not None and ready.session.is_connected:
            raise_if_moved(ready.session, self._sessions)

    def _note_success_or_refusal(self, ready: ReadyStatement, reply: Outcome) -> None:
        history, profile = self._sessions.history, self._sessions.target.profile
        if succeeded(reply):
            history.note_success(ready.session.name, ready.named)
            return
        # A session that was interrupted was killed: by its own statement, or by another client.
        interrupted = reply_class(reply, profile, fits=False) is ReplyClass.INTERRUPTED
        if isinstance(reply, ServerError) and not interrupted:
            history.note_refusal(ready.session.name, ready.named)

    def _prepare(self, ready: ReadyStatement, step: Send) -> None:
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
            self.statements.check_guard(ready)  # the process list may have changed since it was prepared
            since = self._sessions.transcript.now_ms()
            self._send(ready, executes=True)
            reply = self._receive(ready.session, since, self._timeouts.statement)
            if ready.guarded:
                self._session_checks.note_guarded_reply()
            self._note_guarded_reply(ready, reply, step.reply)
        self.judge.compare(step.session, ready.text, reply, step.reply, kind=ready.kind)

    def _send(self, ready: ReadyStatement, *, executes: bool = False) -> None:
        self._note_sending(ready)
        self._in_flight[ready.session.name] = ready
        self._sessions.transcript.add(ready.session.name, "sends", ready.text, manual=ready.manual)
        if executes:
            ready.session.required_client.send_prepared()
        else:
            ready.session.required_client.send(ready.text, prepared=ready.prepared)

    def _note_sending(self, ready: ReadyStatement) -> None:
        """Notes that a statement is sent now."""
        if ready.guarded:
            self.last_is_plain = ready.plain
            self._sessions.history.note_sent(ready.session, [self._sessions.by_name[name] for name in ready.named])
            self._session_checks.note_guarded_statement()
        else:
            self.statements.has_state.add(ready.session.name)
            if self._sessions.history.any_sent:
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
        reply = self._retries.retry(ready, reply, step.reply)
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

    def _send_again(self, ready: ReadyStatement, since: float) -> Outcome:
        self._send(ready)
        return self._receive(ready.session, since, self._limits.statement)

    def _receive(self, session: CaseSession, since: float, limit: float) -> Outcome:
        reply = self._session_checks.wait_for_reply(session.required_client, limit)
        self._sessions.transcript.add(session.name, "receives", self._sessions.describe(reply), since=since)
        return reply

    # Logins and waits

    def _connect(self, step: Connect) -> None:
        session = self._sessions.by_name[step.session]
        login_name = self.statements.renderer.text(step.name) if step.name is not None else None
        self._session_checks.forget_end(session)
        self._prepared.pop(session.name, None)
        # A refusal of another spelling of the name says nothing about the user, and there is a way on from it.
        may_be_refused = step.name is not None and any(one.kind == "login-refused" for one in step.reply)
        claims_refusal = may_be_refused or (bool(step.reply) and not self.matcher.fits(Ok(), step.reply))
        reply = self._sessions.logins.connect(
            session,
            login_name=login_name,
            client_kind=step.client,
            has_claim=bool(step.reply),
            claims_refusal=claims_refusal,
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
                expected = f"{step.session} has another id than {step.id_differs_from} had"
                raise DeviationError(Deviation(expected, f"both have {mine}"))

    def _reset(self, step: Reset) -> None:
        session = self._sessions.by_name[step.session]
        self._prepared.pop(session.name, None)
        self.statements.has_state.add(session.name)
        self._session_checks.note_statement(session)
        reply = self._sessions.logins.reset(session, step.to)
        if succeeded(reply):
            return
        what = "COM_RESET_CONNECTION" if step.to is None else "COM_CHANGE_USER"
        self._raise_if_state_missing(step, reply, f"{what} is refused")
        raise InconclusiveError(f"preparation failed: {session.name}: {what}: {reply}")

    def _pause(self, step: Pause) -> None:
        since = self._sessions.transcript.now_ms()
        self._session_checks.pause(step.seconds, step.idle)
        idle = f", in which {' and '.join(sorted(step.idle))} is idle" if step.idle else ""
        self._sessions.transcript.add(ADMINISTRATOR, "note", f"a pause of {step.seconds} s{idle}", since=since)

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
                note = f"the process list doesn't show it {step.state}; the case continues"
                self._sessions.transcript.add(session.name, "note", note, since=since)
                return
        self._timeouts.state_limit.note(time.monotonic() - start)
        fills = Poll(_BUFFERS_FILL if session.required_client.held else 0.0)
        while fills.again():
            self._session_checks.keep_active()
        waited = f"waited until the process list shows it {step.state}"
        self._sessions.transcript.add(session.name, "note", waited, since=since)
