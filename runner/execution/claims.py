"""Compares the outcomes of steps with the claims of the case."""

from __future__ import annotations

from collections.abc import Callable

from runner.database.outcome import Lost, NoReply, Ok, Outcome, Rows, ServerError, succeeded
from runner.database.process_list import ProcessList, is_odps
from runner.database.profile import Profile
from runner.database.server_errors import ODPS_LIST
from runner.database.time_limits import AdaptiveLimits, Poll
from runner.execution.case_errors import DeviationError
from runner.execution.case_session import CaseSession
from runner.execution.case_sessions import CaseSessions
from runner.execution.session_checks import SessionChecks
from runner.language.model import Claim, ExpectedReply, KnownOutcome, ListedSession
from runner.language.placeholder_text import Template


class ClaimMatcher:
    """Compares outcomes with claims.

    Args:
        profile: defines the error classes.
        id_of: returns the id of a session of the case.
        render: returns a template's text with its values.
        describe_outcome: returns the text of an outcome.
        user_of: returns the user of a session; without it, the id alone identifies a row.
    """

    def __init__(
        self,
        profile: Profile,
        id_of: Callable[[str], str],
        render: Callable[[Template], str],
        describe_outcome: Callable[[Outcome], str] = str,
        user_of: Callable[[str], str] | None = None,
    ) -> None:
        self._user_of = user_of
        self._describe_outcome = describe_outcome
        self._profile = profile
        self._id_of = id_of
        self._render = render

    def fits(self, outcome: Outcome, claim: Claim, before: Outcome | None = None) -> bool:
        """Whether an alternative of the claim fits; ``before`` is the outcome for ``same-error`` and ``same-rows``."""
        return any(self._fits(outcome, alternative, before) for alternative in claim)

    def undecided(self, outcome: Outcome, claim: Claim) -> str | None:
        """The reason why the comparison is undecidable; None if it isn't.

        Either the profile does not define the claimed error class, or the outcome is ODP's own process list.
        """
        if isinstance(outcome, Rows) and is_odps(ProcessList.read(outcome)):
            return ODPS_LIST
        if not isinstance(outcome, ServerError):
            return None
        named = (alternative.error_class for alternative in claim if alternative.error_class is not None)
        return next((gap for name in named if (gap := self._profile.missing_error_class(name)) is not None), None)

    def describe(self, outcome: Outcome) -> str:
        """The text of an outcome, with the error classes of an error."""
        classes = self._profile.classes_of(outcome) if isinstance(outcome, ServerError) else []
        return self._describe_outcome(outcome) + (f" [{', '.join(classes)}]" if classes else "")

    def _fits(  # noqa: PLR0911 - one case per word of the language
        self, outcome: Outcome, alternative: ExpectedReply, before: Outcome | None
    ) -> bool:
        match alternative.kind:
            case "observed":
                return True
            case "success":
                return succeeded(outcome)
            case "error":
                return isinstance(outcome, ServerError)
            case "same-error":
                return _same_error(outcome, before)
            case "same-rows":
                return isinstance(outcome, Rows) and isinstance(before, Rows) and outcome.values == before.values
            case "connection-lost":
                return isinstance(outcome, Lost)
            case "ok":
                return isinstance(outcome, Ok) and (
                    alternative.affected in {None, outcome.affected}
                    and alternative.warnings in {None, outcome.warnings}
                )
            case "rows":
                return isinstance(outcome, Rows) and self._rows_fit(outcome, alternative)
            case error_class:
                return isinstance(outcome, ServerError) and error_class in self._profile.classes_of(outcome)

    def _rows_fit(self, rows: Rows, alternative: ExpectedReply) -> bool:
        if alternative.values is not None and rows.values != tuple(
            tuple(None if value is None else self._render(value) for value in row) for row in alternative.values
        ):
            return False
        if rows.columns[: len(alternative.columns)] != alternative.columns:
            return False
        process_list = ProcessList.read(rows) if alternative.listed else None
        return all(process_list is not None and self._lists(process_list, listed) for listed in alternative.listed)

    def _lists(self, process_list: ProcessList, listed: ListedSession) -> bool:
        found = process_list.with_id(self._id_of(listed.session))
        if listed.absent:  # another user's session may have got the id
            user = self._user_of(listed.session) if self._user_of else None
            own = found if user is None else [row for row in process_list.of_user(user) if row in found]
            return not own
        if len(found) != 1:
            return False
        for column, template in listed.fields:
            wanted = None if template is None else self._render(template)
            got = found[0].get(column)
            # A server may cut a long statement in INFO, and show the tenant after a name; nothing else may differ.
            cut = column.casefold() == "info" and bool(got) and wanted is not None and wanted.startswith(got or "")
            named = column.casefold() == "user" and got is not None and got.partition("@")[0] == wanted
            if got != wanted and not cut and not named:
                return False
        return True


def _same_error(outcome: Outcome, before: Outcome | None) -> bool:
    if not isinstance(outcome, ServerError) or not isinstance(before, ServerError):
        return False
    return (outcome.code, outcome.sqlstate) == (before.code, before.sqlstate)


def describe_claim(claim: Claim) -> str:
    """The text of a claim."""
    return " or ".join(map(str, claim))


_ROW_WAIT = 0.1  # seconds for the row, if the connection is gone only at the deadline


class OutcomeFinder:
    """Finds the known outcome of a case that fits one run, after its steps."""

    def __init__(
        self, sessions: CaseSessions, session_checks: SessionChecks, timeouts: AdaptiveLimits, matcher: ClaimMatcher
    ) -> None:
        self._sessions = sessions
        self._session_checks = session_checks
        self._timeouts = timeouts
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
        poll = Poll(self._timeouts.settle)
        may_end = [
            session for name in sorted(self._sessions.case.may_end) if (session := self._sessions.by_name[name]).client
        ]
        while awaited and _lost(may_end) not in awaited and poll.again():
            self._session_checks.check_for_ends(may_end)
        ended, trace = _lost(may_end), ""
        for session in may_end:
            if session.name in ended:
                try:
                    self._session_checks.wait_for_end(session, Poll(max(poll.left, _ROW_WAIT)))
                except DeviationError as error:
                    trace += f" ({error.actual})"
        return ended, trace


def _lost(sessions: list[CaseSession]) -> frozenset[str]:
    return frozenset(session.name for session in sessions if not session.is_connected)
