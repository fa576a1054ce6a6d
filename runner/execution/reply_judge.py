"""Classifies a reply: as claimed, another result, a kind of error, a lost connection, or none."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType

from runner.database.outcome import LoginAborted, Lost, NoReply, Ok, Outcome, Rows, ServerError, Unreadable, succeeded
from runner.database.profile import Profile
from runner.database.server_errors import ErrorKind, error_kind_of
from runner.execution.case_errors import DeviationError, InconclusiveError
from runner.execution.case_sessions import CaseSessions
from runner.execution.claims import ClaimMatcher, describe_claim
from runner.language.model import OBSERVED, SUCCESS, Claim, ExpectedReply

_UNSUPPORTED_CLASSES = {"syntax", "unknown-name"}
"""The error classes for statements and names that the server does not know."""
_INTERRUPTED_CLASS = "interrupted"


class ReplyClass(enum.Enum):
    """The classes of replies."""

    FITS = "as claimed"
    OTHER_RESULT = "another result: OK or rows in place of the claim"
    UNSUPPORTED = "an error: the server does not know the statement, or an object in it"
    SHORTAGE = "an error: the server is out of memory, disk space or connections, or is read-only"
    RULES = (
        "an error: the server's rules reject a password or its age, the length of a name, or a connection (TLS, host)"
    )
    CONFLICT = "an error: a conflict with a lock, another transaction, a read-only transaction or a shutdown"
    INTERRUPTED = "an error: the statement or its session was interrupted from outside"
    OTHER_ERROR = "another error"
    LOST = "the connection is lost"
    NO_REPLY = "no reply within the time limit"
    UNREADABLE = "bytes that are not a reply of this protocol, or a login that the client gives up"


def reply_class(reply: Outcome, profile: Profile, *, fits: bool) -> ReplyClass:
    """The class of a reply; ``fits``: whether it fits the claim."""
    if fits:
        return ReplyClass.FITS
    match reply:
        case Ok() | Rows():
            return ReplyClass.OTHER_RESULT
        case ServerError() as error:
            return _error_class(error, profile)
        case Lost(refused=turned_away):
            return ReplyClass.SHORTAGE if turned_away else ReplyClass.LOST
        case NoReply():
            return ReplyClass.NO_REPLY
        case Unreadable() | LoginAborted():
            return ReplyClass.UNREADABLE


def _error_class(error: ServerError, profile: Profile) -> ReplyClass:
    classes = profile.classes_of(error)
    if _INTERRUPTED_CLASS in classes:
        return ReplyClass.INTERRUPTED
    if profile.is_transient(error):
        return ReplyClass.SHORTAGE
    if classes and _UNSUPPORTED_CLASSES.isdisjoint(classes):
        return ReplyClass.OTHER_ERROR  # the profile is more specific than the protocol
    return {
        ErrorKind.UNSUPPORTED: ReplyClass.UNSUPPORTED,
        ErrorKind.SHORTAGE: ReplyClass.SHORTAGE,
        ErrorKind.RULES: ReplyClass.RULES,
        ErrorKind.CONFLICT: ReplyClass.CONFLICT,
        ErrorKind.OTHER: ReplyClass.UNSUPPORTED if classes else ReplyClass.OTHER_ERROR,
    }[error_kind_of(error)]


class StepKind(enum.Enum):
    """The purpose of a step."""

    PREPARES = "prepares: a statement or a login without a claim"
    CHECKS = "checks: an auxiliary statement with a claim"
    UNDER_TEST = "under test: a guarded statement, or one that the requirement is about, with a claim"
    LOGIN = "login: a login with a claim"


class Judgement(enum.Enum):
    """The consequences for the case."""

    CONTINUES = "the case continues"
    DEVIATES = "deviates"
    DEVIATES_TWICE = "deviates if the same happens when the case is repeated, else inconclusive"
    DEVIATES_WITH_THE_SAME = "deviates if the same error is the reply when the case is repeated, else inconclusive"
    INCONCLUSIVE = "inconclusive"


_GO, _DEV, _TWICE, _INC = Judgement.CONTINUES, Judgement.DEVIATES, Judgement.DEVIATES_TWICE, Judgement.INCONCLUSIVE
_SAME = Judgement.DEVIATES_WITH_THE_SAME
_COLUMNS = (StepKind.PREPARES, StepKind.CHECKS, StepKind.UNDER_TEST, StepKind.LOGIN)
_ROWS = {
    ReplyClass.FITS: (_GO, _GO, _GO, _GO),
    ReplyClass.OTHER_RESULT: (_INC, _DEV, _DEV, _DEV),
    # The server has to know the statement under test; the suite chose the statements that prepare and check.
    ReplyClass.UNSUPPORTED: (_INC, _INC, _SAME, _INC),
    # No statement is the cause: none needs much memory, disk space or a new connection.
    ReplyClass.SHORTAGE: (_INC, _INC, _INC, _INC),
    # The server's administrator chose the password rules, and the specification's example has a simple password.
    ReplyClass.RULES: (_INC, _INC, _INC, _INC),
    # The statement under test, or a lock that it left behind, may be the cause of the conflict. A conflict with
    # another client, or a shutdown of the server, does not happen twice at the same step.
    ReplyClass.CONFLICT: (_INC, _TWICE, _TWICE, _TWICE),
    # In a session that has to stay usable: the statement under test has interrupted the wrong session.
    ReplyClass.INTERRUPTED: (_TWICE, _TWICE, _TWICE, _TWICE),
    # No list of errors is complete: a server in trouble, or a proxy, has other ones now and then.
    ReplyClass.OTHER_ERROR: (_INC, _SAME, _SAME, _SAME),
    # For steps that prepare, the check of the other sessions finds a lost connection.
    ReplyClass.LOST: (_INC, _TWICE, _TWICE, _TWICE),
    ReplyClass.NO_REPLY: (_INC, _TWICE, _TWICE, _TWICE),
    ReplyClass.UNREADABLE: (_INC, _INC, _TWICE, _INC),
}
TABLE: Mapping[tuple[StepKind, ReplyClass], Judgement] = MappingProxyType(
    {
        (kind, reply): judgement
        for reply, judgements in _ROWS.items()
        for kind, judgement in zip(_COLUMNS, judgements, strict=True)
    }
)
"""The judgement for each kind of step and each class of reply; docs/case-language.md has the same table."""

BEFORE: Mapping[tuple[StepKind, ReplyClass], Judgement] = MappingProxyType(
    {
        (StepKind.PREPARES, ReplyClass.INTERRUPTED): _INC,
        (StepKind.CHECKS, ReplyClass.CONFLICT): _INC,
        (StepKind.CHECKS, ReplyClass.INTERRUPTED): _INC,
        (StepKind.CHECKS, ReplyClass.LOST): _INC,
        (StepKind.CHECKS, ReplyClass.NO_REPLY): _INC,
    }
)
"""The differences before the first statement under test of the case, which can't be the cause then."""


def judge(kind: StepKind, reply: ReplyClass, *, before: bool) -> Judgement:
    """The consequence of a reply.

    Args:
        kind: the purpose of the step.
        reply: the class of the reply.
        before: whether no statement under test was sent yet in the case, and one will be.
    """
    return BEFORE.get((kind, reply), TABLE[kind, reply]) if before else TABLE[kind, reply]


_SUCCEEDS: Claim = (SUCCESS,)
_ADMINISTRATOR_ERRORS = {"privilege", "not-owner"}
"""Errors that the real administrator would not receive."""
_NO_STATEMENTS = frozenset({"its login", "its statement in flight"})
"""What messages call a reply whose statement was sent by an earlier step: these may be different statements."""
_HURRIED = (
    ", an error that a case does not get if its statements follow one another slowly: the server seems to limit them"
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
                    f"{name}: {statement} gets the reply {describe_claim(claim or _SUCCEEDS)}",
                    self._matcher.describe(reply),
                    no_reply_or_lost=judgement is Judgement.DEVIATES_TWICE,
                    reads_table=kind is StepKind.CHECKS and _shows_table(reply, claim),
                    error=reply.signature if isinstance(reply, ServerError) else "",
                    unknown_error=actual is ReplyClass.OTHER_ERROR and not self._classes_of(reply),
                    login_lost=kind is StepKind.LOGIN and isinstance(reply, Lost),
                    interrupted=actual is ReplyClass.INTERRUPTED,
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
            f"{name}: its statement in flight has no reply yet",
            self._matcher.describe(reply),
            no_reply_or_lost=judgement is Judgement.DEVIATES_TWICE,
            error=reply.signature if isinstance(reply, ServerError) else "",
            interrupted=kind is ReplyClass.INTERRUPTED,
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
