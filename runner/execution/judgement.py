"""What an answer to a step decides: one table, by the kind of the step and the class of the answer.

A case deviates only by what the statement under test did. A step that prepares the test or looks at its effect can fail
because of the server's grammar or its state; then the case is undecided.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType

from runner.database.errorkinds import ErrorKind, kind_of
from runner.database.outcome import GivenUp, Lost, NoReply, Ok, Outcome, Rows, ServerError, Unreadable
from runner.database.profile import Profile

SYNTAX_CLASS = "syntax"
_UNKNOWN_CLASSES = {SYNTAX_CLASS, "unknown-name"}
"""A profile's classes of errors for what the server does not know: a statement, or a name in it."""
INTERRUPTED_CLASS = "interrupted"


class StepKind(enum.Enum):
    """What a step is for."""

    PREPARES = "prepares: a statement or a login without a claim"
    LOOKS = "checks: an auxiliary statement with a claim"
    UNDER_TEST = "under test: a guarded statement, or one that the requirement is about, with a claim"
    LOGIN = "login: a login with a claim"


class AnswerClass(enum.Enum):
    """What came, as far as the verdict depends on it."""

    FITS = "as claimed"
    OTHER_RESULT = "another result: OK or rows in place of the claim"
    UNSUPPORTED = "an error: the server does not know the statement, or an object in it"
    SHORTAGE = "an error: the server is out of memory, disk space or connections"
    RULES = "an error: the server's rules reject a password"
    CONFLICT = "an error: a conflict with a lock, another transaction, a read-only mode or a shutdown"
    INTERRUPTED = "an error: the statement or its session was interrupted from outside"
    OTHER_ERROR = "another error"
    LOST = "the connection is lost"
    NO_REPLY = "no reply within the time limit"
    UNREADABLE = "bytes that are not a reply of this protocol, or a login that the client gives up"


class Judgement(enum.Enum):
    """What follows for the case."""

    GOES_ON = "the case continues"
    DEVIATES = "deviates"
    DEVIATES_TWICE = "deviates if the same happens when the case is repeated, else inconclusive"
    INCONCLUSIVE = "inconclusive"


_GO, _DEV, _TWICE, _INC = Judgement.GOES_ON, Judgement.DEVIATES, Judgement.DEVIATES_TWICE, Judgement.INCONCLUSIVE
_COLUMNS = (StepKind.PREPARES, StepKind.LOOKS, StepKind.UNDER_TEST, StepKind.LOGIN)
_ROWS = {
    AnswerClass.FITS: (_GO, _GO, _GO, _GO),
    AnswerClass.OTHER_RESULT: (_INC, _DEV, _DEV, _DEV),
    # The statement under test has to be known; how a test is prepared and looked at is the suite's choice.
    AnswerClass.UNSUPPORTED: (_INC, _INC, _DEV, _INC),
    # No statement answers so by its own fault: nothing in it needs memory, disk space or a new connection.
    AnswerClass.SHORTAGE: (_INC, _INC, _INC, _INC),
    # Which passwords a server takes is its administrator's choice, and the page's example has a simple one.
    AnswerClass.RULES: (_INC, _INC, _INC, _INC),
    # A statement under test may be the cause of the conflict, and so may what it left behind: a lock that is not free.
    # A conflict with somebody else's work, or a server that is going down, does not come twice at the same step.
    AnswerClass.CONFLICT: (_INC, _TWICE, _TWICE, _TWICE),
    # Where it hits a session that is to go on, the statement under test has interrupted the wrong one.
    AnswerClass.INTERRUPTED: (_TWICE, _TWICE, _TWICE, _TWICE),
    AnswerClass.OTHER_ERROR: (_INC, _DEV, _DEV, _DEV),
    # A lost connection of a session that prepares is found by the look at the sessions that are to go on.
    AnswerClass.LOST: (_INC, _TWICE, _TWICE, _TWICE),
    AnswerClass.NO_REPLY: (_INC, _TWICE, _TWICE, _TWICE),
    AnswerClass.UNREADABLE: (_INC, _INC, _TWICE, _INC),
}
TABLE: Mapping[tuple[StepKind, AnswerClass], Judgement] = MappingProxyType(
    {
        (kind, answer): judgement
        for answer, judgements in _ROWS.items()
        for kind, judgement in zip(_COLUMNS, judgements, strict=True)
    }
)
"""The verdict for each kind of step and each class of answer; docs/case-language.md has the same table."""

BEFORE: Mapping[AnswerClass, Judgement] = MappingProxyType({AnswerClass.INTERRUPTED: _INC})
"""What differs for steps that prepare, as long as no statement that can end sessions was sent in the case."""


def answer_class(answer: Outcome, profile: Profile, *, fits: bool) -> AnswerClass:
    """The class of an answer; ``fits`` tells whether it is what the step claims."""
    if fits:
        return AnswerClass.FITS
    match answer:
        case Ok() | Rows():
            return AnswerClass.OTHER_RESULT
        case ServerError() as error:
            return _error_class(error, profile)
        case Lost(turned_away=turned_away):
            return AnswerClass.SHORTAGE if turned_away else AnswerClass.LOST
        case NoReply():
            return AnswerClass.NO_REPLY
        case Unreadable() | GivenUp():
            return AnswerClass.UNREADABLE


def _error_class(error: ServerError, profile: Profile) -> AnswerClass:
    classes = profile.classes_of(error)
    if INTERRUPTED_CLASS in classes:
        return AnswerClass.INTERRUPTED
    if profile.passes(error):
        return AnswerClass.SHORTAGE
    if classes and _UNKNOWN_CLASSES.isdisjoint(classes):
        return AnswerClass.OTHER_ERROR  # the profile knows it better than the protocol does
    return {
        ErrorKind.UNSUPPORTED: AnswerClass.UNSUPPORTED,
        ErrorKind.SHORTAGE: AnswerClass.SHORTAGE,
        ErrorKind.RULES: AnswerClass.RULES,
        ErrorKind.CONFLICT: AnswerClass.CONFLICT,
        ErrorKind.OTHER: AnswerClass.UNSUPPORTED if classes else AnswerClass.OTHER_ERROR,
    }[kind_of(error)]


def judge(kind: StepKind, answer: AnswerClass, *, sent_guarded: bool) -> Judgement:
    """What an answer to a step decides.

    Args:
        kind: what the step is for.
        answer: the class of what came.
        sent_guarded: whether a statement that can end sessions was sent in the case before.
    """
    if kind is StepKind.PREPARES and not sent_guarded and answer in BEFORE:
        return BEFORE[answer]
    return TABLE[kind, answer]
