"""Determines the outcome of a case that observes: the reply, and the sessions that ended."""

from __future__ import annotations

from runner.database.outcome import Lost, NoReply, Outcome, succeeded
from runner.database.time_limits import Poll
from runner.execution.case_errors import DeviationError
from runner.execution.case_session import CaseSession
from runner.execution.case_sessions import CaseSessions
from runner.execution.claim_matching import ClaimMatcher
from runner.execution.session_checks import SessionChecks
from runner.language.model import KnownOutcome

_ROW_WAIT = 0.1  # seconds for the row, if the connection is gone only at the deadline


class OutcomeFinder:
    """Finds the known outcome of a case that fits one run, after its steps."""

    def __init__(self, sessions: CaseSessions, session_checks: SessionChecks, matcher: ClaimMatcher) -> None:
        self._sessions = sessions
        self._session_checks = session_checks
        self._matcher = matcher

    def outcome(self, reply: Outcome | None) -> str:
        """Waits for the ends of sessions; returns the name of the first known outcome that fits, or a description.

        Args:
            reply: the reply of the step with ``reply: observed``; None if there is no such step.

        Raises:
            DeviationError: a session ended that no known outcome ends.
            InconclusiveError: the ends can't be checked.
        """
        case = self._sessions.case
        if isinstance(reply, NoReply):
            self._session_checks.check_survivors(case.may_end, watch=False)
            return f"no reply within {reply.seconds:g} s"
        possible = [known for known in case.outcomes if self._reply_fits(known, reply)]
        awaited = {known.ends for known in possible if known.ends}
        if not possible and (reply is None or succeeded(reply) or isinstance(reply, Lost)):
            awaited = {case.may_end}
        ended, trace = self._wait_for_ended(awaited)
        self._session_checks.check_survivors(case.may_end, watch=not ended)
        for known in possible:
            if known.ends in {None, ended} and known.connection in {None, self._connection_end_kind(ended)}:
                return known.name + trace
        gone = ", ".join(sorted(ended)) or "nothing"
        reply_text = "" if reply is None else f"{self._matcher.describe(reply)}; "
        return f"other: {reply_text}{gone} ended{trace}"

    def _reply_fits(self, known: KnownOutcome, reply: Outcome | None) -> bool:
        return not known.reply or reply is None or self._matcher.fits(reply, known.reply)

    def _connection_end_kind(self, ended: frozenset[str]) -> str | None:
        """How the connections of the ended sessions ended; None if they differ."""
        kinds = {
            connection_end.kind
            for name in ended
            if (connection_end := self._sessions.by_name[name].required_client.connection_end) is not None
        }
        return kinds.pop() if len(kinds) == 1 else None

    def _wait_for_ended(self, awaited: set[frozenset[str]]) -> tuple[frozenset[str], str]:
        """Waits until the ended sessions are one of the awaited sets, for up to the settle time.

        Returns:
            The ended sessions, and a text about rows that are still there.
        """
        may_end = [
            session for name in sorted(self._sessions.case.may_end) if (session := self._sessions.by_name[name]).client
        ]
        poll = Poll(self._session_checks.settle_time_of(may_end))
        while awaited and _lost(may_end) not in awaited and poll.again():
            self._session_checks.check_for_ends(may_end)
        if awaited and not poll.left:
            self._session_checks.note_not_ended(may_end)
        ended, trace = _lost(may_end), ""
        for session in may_end:
            if session.name in ended:
                try:
                    self._session_checks.wait_for_end(session, Poll(max(poll.left, _ROW_WAIT)))
                except DeviationError as error:
                    trace += f" ({error.deviation.actual})"
        return ended, trace


def _lost(sessions: list[CaseSession]) -> frozenset[str]:
    return frozenset(session.name for session in sessions if not session.is_connected)
