"""Judges replies: raises what the table of judgements demands for a reply that doesn't fit its claim."""

from __future__ import annotations

from runner.database.outcome import Lost, NoReply, Outcome, Rows, ServerError, succeeded
from runner.execution.case_errors import Deviation, DeviationError, InconclusiveError
from runner.execution.case_sessions import CaseSessions
from runner.execution.claim_matching import ClaimMatcher, describe_claim
from runner.execution.judgement_table import Judgement, StepKind, judge
from runner.execution.reply_class import ReplyClass, reply_class
from runner.language.model import OBSERVED, SUCCESS, Claim, ExpectedReply

_SUCCEEDS: Claim = (SUCCESS,)
_ADMINISTRATOR_ERRORS = {"privilege", "not-owner"}
"""Errors that the real administrator would not receive."""
_NO_STATEMENTS = frozenset({"its login", "its statement in flight"})
"""What messages call a reply whose statement was sent by an earlier step: these may be different statements."""
_HURRIED = (
    ", an error that a case does not get when it is run with pauses: the server seems to limit the number of statements"
)
_WAITING = " (if it has to wait for another session, the step needs reply: later)"


class ReplyJudge:
    """Judges the replies in one run of a case.

    Args:
        sessions: the sessions of the case.
        matcher: compares outcomes with claims.
        before_test: whether the case has a statement under test.

    Attributes:
        observed: the reply of the step with ``reply: observed``; None before.
        last_replies: the last reply that each session received.
        accepted_error: the last error to a statement under test that may have any reply, without its variable parts.
        privileges_may_lag: whether a statement under test got the reply of a server on which a GRANT or REVOKE has no
            effect yet: it was refused for a privilege though its user has grants, or succeeded though its privilege
            was revoked, against its claim.
        kinds: the purpose of the last statement of each session, if its step has a claim.
    """

    def __init__(self, sessions: CaseSessions, matcher: ClaimMatcher, *, before_test: bool) -> None:
        self._sessions = sessions
        self._matcher = matcher
        self._before_test = before_test
        """Whether no statement under test was sent yet, and one will be."""
        self.observed: Outcome | None = None
        self.last_replies: dict[str, Outcome] = {}
        self.kinds: dict[str, StepKind] = {}
        self.accepted_error = ""
        self.privileges_may_lag = False
        self._succeeded: set[str] = set()
        """Statements that have succeeded in this run of the case."""
        self._last_error: Outcome | None = None
        self._last_rows: Outcome | None = None

    def note_sending(self, name: str, kind: StepKind) -> None:
        """Notes that a session sends a statement now, and its purpose."""
        self.kinds[name] = kind
        self._before_test &= kind is not StepKind.UNDER_TEST

    def compare(
        self,
        name: str,
        statement: str,
        reply: Outcome,
        claim: Claim,
        *,
        kind: StepKind,
        as_class: ReplyClass | None = None,
    ) -> None:
        """Compares a reply with its claim, and raises what the table of judgements demands.

        Args:
            name: the session's name.
            statement: the statement, for messages.
            reply: the reply.
            claim: the claim; empty for a step that prepares.
            kind: the purpose of the step.
            as_class: the class of the reply, if its text doesn't show it.

        Raises:
            DeviationError: the reply contradicts the claim.
            InconclusiveError: the case can't be decided.
        """
        self.last_replies[name] = reply
        before: Outcome | None = self._last_error
        if isinstance(reply, Rows):
            before, self._last_rows = self._last_rows, reply
        fits = self._matcher.fits(reply, claim or _SUCCEEDS, before)
        actual = as_class or self._class_of(statement, reply, claim, fits=fits)
        if kind is StepKind.UNDER_TEST and (not fits or claims_any_error(claim)):
            self.accepted_error = reply.signature if fits and isinstance(reply, ServerError) else self.accepted_error
            self.privileges_may_lag |= self._as_before_grant(name, reply)
            self.privileges_may_lag |= not fits and succeeded(reply) and self._sessions.revokes
        kind = kind if claim and OBSERVED not in claim else StepKind.PREPARES
        judgement = judge(kind, actual, before=self._before_test)
        if kind is StepKind.PREPARES and judgement is Judgement.DEVIATES_TWICE and not self._must_stay_usable(name):
            judgement = Judgement.INCONCLUSIVE
        self._raise_if_not_administrator(name, statement, reply, fits=fits and not claims_any_error(claim))
        match judgement:
            case Judgement.CONTINUES:
                pass
            case Judgement.INCONCLUSIVE:
                preparing = "" if claim else "preparation failed: "
                hint = _WAITING if isinstance(reply, NoReply) and self._before_test else ""
                hint = _HURRIED if self._is_passing(reply) else hint
                raise InconclusiveError(f"{preparing}{name}: {statement}: {self._matcher.describe(reply)}{hint}", reply)
            case Judgement.DEVIATES | Judgement.DEVIATES_TWICE | Judgement.DEVIATES_WITH_THE_SAME:
                if (why := self._matcher.undecided(reply, claim)) is not None:
                    raise InconclusiveError(f"{name}: {statement}: {reply}, but {why}")
                raise DeviationError(
                    Deviation(
                        f"{name}: {statement} gets the reply {describe_claim(claim or _SUCCEEDS)}",
                        self._matcher.describe(reply),
                        no_reply_or_lost=judgement is Judgement.DEVIATES_TWICE,
                        reads_table=kind is StepKind.CHECKS and _shows_table(reply, claim),
                        error=reply.signature if isinstance(reply, ServerError) else "",
                        unknown_error=actual is ReplyClass.OTHER_ERROR and not self._classes_of(reply),
                        login_lost=kind is StepKind.LOGIN and isinstance(reply, Lost),
                        interrupted=actual is ReplyClass.INTERRUPTED,
                    )
                )
        if OBSERVED in claim:
            self.observed = reply
        if isinstance(reply, ServerError):
            self._last_error = reply

    def _class_of(self, statement: str, reply: Outcome, claim: Claim, *, fits: bool) -> ReplyClass:
        profile = self._sessions.target.profile
        actual, plain = (reply_class(reply, profile, fits=each) for each in (fits, False))
        if self._is_passing(reply):
            return ReplyClass.SHORTAGE
        if succeeded(reply) and statement not in _NO_STATEMENTS:
            self._succeeded.add(statement)
        if actual is ReplyClass.FITS and claims_any_error(claim):
            # A claim of any error, or of any reply, is not met by an error that is unrelated to the statement.
            return plain if plain in {ReplyClass.SHORTAGE, ReplyClass.UNREADABLE} else actual
        if actual is ReplyClass.UNSUPPORTED and statement in self._succeeded:
            return ReplyClass.OTHER_ERROR  # the server did support it: a privilege or an object is gone
        return actual

    def _classes_of(self, reply: Outcome) -> list[str]:
        return self._sessions.target.profile.classes_of(reply) if isinstance(reply, ServerError) else []

    def _is_passing(self, reply: Outcome) -> bool:
        """Whether a reply is an error that depends on how fast statements follow one another."""
        return isinstance(reply, ServerError) and reply.signature in self._sessions.target.facts.passing_errors

    def raise_early_reply(self, name: str, reply: Outcome) -> None:
        """Raises the error for a reply to a statement that has to have none yet.

        Raises:
            DeviationError: the reply shows an effect of the statement under test.
            InconclusiveError: it shows none, or is a conflict of its own.
        """
        kind = reply_class(reply, self._sessions.target.profile, fits=False)
        judgement = judge(StepKind.CHECKS, kind, before=self._before_test)
        # How long a statement may wait for a lock is the server's choice: its own limit is no effect of a kill.
        if judgement is Judgement.INCONCLUSIVE or kind is ReplyClass.CONFLICT:
            raise InconclusiveError(f"{name}: its statement in flight: {self._matcher.describe(reply)}")
        raise DeviationError(
            Deviation(
                f"{name}: its statement in flight has no reply yet",
                self._matcher.describe(reply),
                no_reply_or_lost=judgement is Judgement.DEVIATES_TWICE,
                error=reply.signature if isinstance(reply, ServerError) else "",
                interrupted=kind is ReplyClass.INTERRUPTED,
            )
        )

    def _raise_if_not_administrator(self, name: str, statement: str, reply: Outcome, *, fits: bool) -> None:
        """Raises InconclusiveError if the DSN's user is refused, and another user is the administrator."""
        target = self._sessions.target
        if fits or not self._sessions.by_name[name].account.administrator or not isinstance(reply, ServerError):
            return
        if not _ADMINISTRATOR_ERRORS.intersection(target.profile.classes_of(reply)):
            return
        if (others := target.profile.other_administrators(target.dsn.account)) is not None:
            raise InconclusiveError(
                f"{name}: {statement}: {reply}; but the DSN's user {target.dsn.account} is not the "
                f"administrator: on this kind of server only {others} may kill the sessions of all users"
            )

    def _as_before_grant(self, name: str, reply: Outcome) -> bool:
        """Whether a statement is refused for a privilege, though its user was granted some."""
        refused = isinstance(reply, ServerError) and "privilege" in self._sessions.target.profile.classes_of(reply)
        return refused and self._sessions.has_grants(name)

    def _must_stay_usable(self, name: str) -> bool:
        """Whether a session has to stay usable, and its last statement was not the one under test."""
        return name not in self._sessions.case.may_end and self.kinds.get(name) is not StepKind.UNDER_TEST


def _shows_table(reply: Outcome, claim: Claim) -> bool:
    return isinstance(reply, Rows) and not any(alternative.listed for alternative in claim)


def claims_any_error(claim: Claim) -> bool:
    """Whether any error fits the claim, also one that is unrelated to the statement."""
    return OBSERVED in claim or ExpectedReply("error") in claim
