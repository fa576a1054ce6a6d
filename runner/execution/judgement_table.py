"""The table of judgements: what a reply decides, by the kind of the step and the class of the reply.

A case deviates only because of the statement under test. A step that prepares the test or checks its effect can fail
because of the server's grammar or state; then the case is inconclusive.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType

from runner.execution.reply_class import ReplyClass


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
        (StepKind.CHECKS, ReplyClass.OTHER_ERROR): _INC,
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
