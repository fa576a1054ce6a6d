"""Steps that send SHOW PROCESSLIST; they are sent again while the list lags.

Behind a load balancer, the list may be that of a server on which the sessions of the case don't run.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection

from runner.database.outcome import Outcome, Rows
from runner.database.process_list import ProcessList
from runner.database.time_limits import Poll
from runner.execution.case_errors import InconclusiveError
from runner.execution.case_session import CaseSession
from runner.execution.case_sessions import CaseSessions
from runner.execution.claim_matching import ClaimMatcher
from runner.execution.same_server import other_server
from runner.execution.session_checks import SessionChecks
from runner.language.model import OBSERVED, Claim


class ProcessListSteps:
    """The steps of a case with claims about rows of sessions.

    Args:
        sessions: the sessions of the case.
        session_checks: the checks of the sessions.
        matcher: compares outcomes with claims.
    """

    def __init__(self, sessions: CaseSessions, session_checks: SessionChecks, matcher: ClaimMatcher) -> None:
        self._sessions = sessions
        self._session_checks = session_checks
        self._matcher = matcher

    def claims(self, claim: Claim) -> Claim:
        """The alternatives of a claim, or of the case's known outcomes, about the rows of a process list."""
        outcomes = self._sessions.case.outcomes if OBSERVED in claim else ()
        alternatives = (*claim, *itertools.chain.from_iterable(outcome.reply for outcome in outcomes))
        return tuple(alternative for alternative in alternatives if alternative.listed)

    def poll(self, session: CaseSession, text: str, reply: Outcome, lists: Claim, *, prepared: bool) -> Outcome:
        """Sends a SHOW PROCESSLIST again until its reply fits the claim, for up to the settle time.

        Args:
            session: the session that sends it.
            text: the statement.
            reply: its first reply.
            lists: the alternatives about rows of sessions.
            prepared: whether it is sent as a prepared statement.

        Returns:
            The last reply.
        """
        poll, times = Poll(self._sessions.target.limits.settle), 0
        since = self._sessions.transcript.now_ms()
        while isinstance(reply, Rows) and not self._matcher.fits(reply, lists) and poll.again():
            reply = session.required_client.execute(text, self._sessions.target.limits.statement, prepared=prepared)
            self._session_checks.keep_active()
            times += 1
        if times:
            note = f"sent {times} more times, because the process list may lag"
            self._sessions.transcript.add(session.name, "note", note)
            self._sessions.transcript.add(session.name, "receives", self._sessions.describe(reply), since=since)
        return reply

    def raise_if_other_server(self, session: CaseSession, reply: Outcome, lists: Claim) -> None:
        """Raises InconclusiveError if a process list lacks rows and may be another server's."""
        if not isinstance(reply, Rows) or self._matcher.fits(reply, lists):
            return
        listed = {row.session for alternative in lists for row in alternative.listed if not row.absent}
        sessions = [self._sessions.by_name[name] for name in sorted(listed)]
        if sessions and (doubt := other_server(session, ProcessList.read(reply), sessions)) is not None:
            raise InconclusiveError(doubt)
        if sessions and (doubt := self._shown_to_administrator_only(session, ProcessList.read(reply), sessions)):
            raise InconclusiveError(doubt)

    def _shown_to_administrator_only(
        self, reader: CaseSession, process_list: ProcessList, expected: Collection[CaseSession]
    ) -> str:
        """The reason if a user sees only its own session, and the administrator all expected ones; empty otherwise.

        The specification does not state which sessions of others a user sees.
        """
        if reader.account.administrator or [row.id for row in process_list.rows] != [reader.id]:
            return ""
        administrators = self._sessions.target.process_list()
        hidden = [session for session in expected if session is not reader]
        if not hidden or not all(session.id and administrators.with_id(session.id) for session in hidden):
            return ""
        names = " and ".join(session.name for session in hidden)
        return (
            f"the server shows the user of {reader.name} no session but {reader.name} itself; only the "
            f"administrator's process list shows {names}"
        )
