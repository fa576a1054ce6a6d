"""Statements that are ready to be sent: values filled in, spelled for the target, and checked by the guard."""

from __future__ import annotations

import re
from dataclasses import dataclass

from runner.database.outcome import Outcome, succeeded
from runner.execution import guard
from runner.execution.case_errors import InconclusiveError
from runner.execution.case_session import CaseSession
from runner.execution.case_sessions import CaseSessions
from runner.execution.judgement_table import StepKind
from runner.execution.session_checks import SessionChecks
from runner.execution.statement_text import Renderer
from runner.language.guarded_statements import is_guarded
from runner.language.model import Send, Vocabulary

_ID = re.compile(r"\$\{\w+\.id\}")
_SLOWLY = 0.5  # seconds before each guarded statement of a case that is run slowly


class GuardedReachedError(Exception):
    """The next statement is a guarded one, and none may be sent."""


@dataclass(frozen=True)
class ReadyStatement:
    """A statement that can be sent: ids are filled in, it is spelled for the target, and the guard has checked it.

    Attributes:
        session: the session that sends it.
        text: the statement.
        manual: the statement with placeholders, to type by hand.
        guarded: whether it is a guarded statement.
        prepared: whether it is sent as a prepared statement.
        named: the sessions whose ids the case names in it.
        kind: the purpose of the step, if it has a claim.
        plain: whether it has the form of the register's example.
        refused: the server's reply instead of preparing it.
    """

    session: CaseSession
    text: str
    manual: str
    guarded: bool
    prepared: bool
    named: frozenset[str]
    kind: StepKind
    plain: bool
    refused: Outcome | None = None


class ReadyStatements:
    """Makes the statements of one run of a case ready.

    Args:
        sessions: the sessions of the case.
        session_checks: the checks of the sessions.
        vocabulary: of the register; it defines the guarded statements.
        slowly: whether to pause before each guarded statement.

    Attributes:
        renderer: fills in the values.
        respelled: statements that the profile spells differently, with the statements that are sent instead.
        has_state: sessions that have sent a statement that is not guarded, or have another user than at their login.
        sends_guarded: whether guarded statements may be sent.
    """

    def __init__(
        self, sessions: CaseSessions, session_checks: SessionChecks, vocabulary: Vocabulary, *, slowly: bool
    ) -> None:
        self._sessions = sessions
        self._session_checks = session_checks
        self._vocabulary = vocabulary
        self._slowly = slowly
        self.renderer = Renderer(sessions)
        self.respelled: dict[str, str] = {}
        self.has_state: set[str] = set()
        self.sends_guarded = True

    def make(self, step: Send) -> ReadyStatement:
        """Fills a statement in and checks it; if its session was closed after a refusal, after another login.

        Raises:
            GuardedReachedError: it is a guarded one, and none may be sent.
            InconclusiveError: the guard rejects it, the profile withholds it, or the target has closed its session.
        """
        try:
            return self._fill_in(step)
        except InconclusiveError:
            if not self._connects_again(self._sessions.by_name[step.session]):
                raise
        return self._fill_in(step)

    def _connects_again(self, session: CaseSession) -> bool:
        """Logs a session in again that the server closed after it had refused its statement; returns whether it could.

        A session that has sent anything else is not replaced: a new one may lack a state that the case needs.
        """
        if session.name in self.has_state | self._sessions.case.may_end:
            return False
        if not self._sessions.closed_after_refusal(session):
            return False
        self._session_checks.forget_end(session)
        what = "the server closed its connection after a refusal; the session logs in again"
        self._sessions.transcript.add(session.name, "note", what)
        return succeeded(self._sessions.logins.connect(session))

    def _fill_in(self, step: Send) -> ReadyStatement:
        session = self._sessions.by_name[step.session]
        rendered = self.renderer.render(step.statement, session.required_client)
        profile = self._sessions.target.profile
        text = profile.spell(rendered.text)
        if (spelling := profile.spelling_of(rendered.text)) is not None and text != rendered.text:
            self.respelled[spelling.statement] = spelling.becomes
        if (because := profile.withholds(text)) is not None:
            # Withheld by its spelling; cases with other withheld statements are not run.
            raise InconclusiveError(f"{text} is not sent: {because}")
        guarded = is_guarded(step.statement, rendered.text, text, self._vocabulary)
        if guarded and not self.sends_guarded:
            raise GuardedReachedError
        under_test = guarded or self._sessions.case.requirement.is_about(rendered.text)
        ready = ReadyStatement(
            session,
            text,
            profile.spell(rendered.manual),
            guarded,
            step.prepared,
            step.statement.sessions_named_by_id(),
            StepKind.UNDER_TEST if under_test else StepKind.CHECKS,
            _ID.sub("${victim.id}", step.statement.text).rstrip("; ") == self._vocabulary.example.statement,
        )
        self.check_guard(ready)
        return ready

    def check_guard(self, ready: ReadyStatement) -> None:
        """Checks a guarded statement right before it is sent; raises InconclusiveError like ``make``."""
        if ready.guarded:
            self._session_checks.pause(_SLOWLY if self._slowly else 0.0)
            guard.check(ready.text, ready.session, self._sessions, ready.named, self._vocabulary)
            self._raise_if_closed_before(ready)

    def _raise_if_closed_before(self, ready: ReadyStatement) -> None:
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
