"""Sends a statement of a case again if its reply is an error that a retry may avoid."""

from __future__ import annotations

from collections.abc import Callable

from runner.accounts.accounts_check import DEFINES_OBJECTS
from runner.database.outcome import Ok, Outcome, ServerError
from runner.database.time_limits import Poll
from runner.database.unrelated_errors import is_passing_conflict, took_effect_before
from runner.execution.case_errors import InconclusiveError
from runner.execution.case_session import CaseSession
from runner.execution.case_sessions import CaseSessions
from runner.execution.claim_matching import ClaimMatcher
from runner.execution.ready_statements import ReadyStatement
from runner.execution.reply_class import ReplyClass, reply_class
from runner.execution.reply_judge import claims_any_error
from runner.execution.session_checks import SessionChecks
from runner.language.model import ADMINISTRATOR, Claim


class StatementRetries:
    """The retries in one run of a case.

    Args:
        sessions: the sessions of the case.
        session_checks: the checks of the sessions.
        matcher: compares replies with claims.
        send_again: sends a statement and returns its reply; the time since which it is awaited, in ms, is for the
            transcript.
    """

    def __init__(
        self,
        sessions: CaseSessions,
        session_checks: SessionChecks,
        matcher: ClaimMatcher,
        send_again: Callable[[ReadyStatement, float], Outcome],
    ) -> None:
        self._sessions = sessions
        self._session_checks = session_checks
        self._matcher = matcher
        self._send_again = send_again

    def retry(self, ready: ReadyStatement, reply: Outcome, claim: Claim) -> Outcome:
        """Sends a statement again, as long as its reply is an error that a retry may avoid; returns the last reply.

        A killed session may release its locks as late as it may end: until then, a lock wait may time out.
        """
        history, may_end = self._sessions.history, self._sessions.case.may_end
        affected = history.any_sent and ready.session.name not in may_end & history.named  # named: killed itself
        settle = max(0.0, self._session_checks.settle_time - self._session_checks.elapsed) if affected else 0.0
        poll, since = Poll(max(self._sessions.target.limits.retry, settle)), self._sessions.transcript.now_ms()
        defines = DEFINES_OBJECTS.search(ready.text) is not None
        while not ready.guarded and self._is_transient(reply, claim, conflicts=settle > 0, defines=defines):
            if not poll.again():
                break
            self._session_checks.keep_active()
            reply = self._send_again(ready, since)
            if defines and (took_effect_before(ready.text, reply) or self._has_dropped_user(ready, reply)):
                if claim and not self._matcher.fits(reply, claim) and self._drop_created_user(ready):
                    reply = self._send_again(ready, since)
                else:
                    reply = self._reply_of_earlier_attempt(ready, reply, claim)
        return reply

    def _has_dropped_user(self, ready: ReadyStatement, reply: Outcome) -> bool:
        """Whether an earlier attempt has dropped the user: the error for that may be the one of a passing conflict."""
        dropped = self._session_of_user_in(ready, "DROP USER") if isinstance(reply, ServerError) else None
        return dropped is not None and self._sessions.fixtures.user_is_listed(dropped.own_account) is False

    def _drop_created_user(self, ready: ReadyStatement) -> bool:
        """Drops the user that a CREATE USER has created in spite of its error; returns whether that was possible."""
        created = self._session_of_user_in(ready, "CREATE USER")
        if created is None or created.spec.create:
            return False
        self._sessions.transcript.add(
            ADMINISTRATOR, "note", "drops the user, which an attempt with an error has created"
        )
        return not self._sessions.fixtures.drop_user(created.own_account)

    def _session_of_user_in(self, ready: ReadyStatement, words: str) -> CaseSession | None:
        """The session whose user is named in a statement that begins with ``words``; None if there is none."""
        text = ready.text.casefold()
        named = [each for each in self._sessions.by_name.values() if each.own_account.user.casefold() in text]
        if not named or not text.lstrip().startswith(words.casefold()):
            return None
        return max(named, key=lambda each: len(each.own_account.user))  # a shorter one may be the beginning of its name

    def _reply_of_earlier_attempt(self, ready: ReadyStatement, reply: Outcome, claim: Claim) -> Outcome:
        """The reply to a definition that is refused because an earlier attempt took effect, in spite of its error."""
        if claim and not self._matcher.fits(reply, claim):
            raise InconclusiveError(f"{ready.session.name}: {ready.text} got an error, and took effect: {reply}")
        return Ok() if not claim or self._matcher.fits(Ok(), claim) else reply

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
        if self._matcher.fits(reply, claim):
            return False
        return passes or (conflicts and reply_class(reply, profile, fits=False) is ReplyClass.CONFLICT)
