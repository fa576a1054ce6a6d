"""The exceptions that end a case: it deviates, can't be decided, or doesn't apply."""

from __future__ import annotations

from runner.database.outcome import Outcome
from runner.database.target import Target


class DeviationError(Exception):
    """The result contradicts a claim of the case.

    Args:
        expected: the text of the claim.
        actual: the text of the result.
        safety: whether an unrelated session was lost, which fails the run at every level.
        survived: whether a session stays usable that the statement should kill, though its reply was a success, which
            fails the run at every level, too.
        not_ended: whether a session that should be killed is still connected or listed after the settle time.
        no_reply_or_lost: whether a reply is missing or a connection is lost, which a network in trouble may cause, too.
        reads_table: whether the result is what a SELECT shows of a table, which may be older than the last commit.
        error: the error in place of the claimed reply, without its variable parts; empty if there is none.
        unknown_error: whether neither the profile nor ``error_kind_of`` knows that error.
        login_lost: whether the connection was lost during a login.
        interrupted: whether a statement of a session that has to stay usable was interrupted.
    """

    def __init__(
        self,
        expected: str,
        actual: str,
        *,
        safety: bool = False,
        survived: bool = False,
        not_ended: bool = False,
        no_reply_or_lost: bool = False,
        reads_table: bool = False,
        error: str = "",
        unknown_error: bool = False,
        login_lost: bool = False,
        interrupted: bool = False,
    ) -> None:
        super().__init__(expected, actual)
        self.expected = expected
        self.actual = actual
        self.safety = safety
        self.survived = survived
        self.not_ended = not_ended
        self.no_reply_or_lost = no_reply_or_lost
        self.reads_table = reads_table
        self.error = error
        self.unknown_error = unknown_error
        self.login_lost = login_lost
        self.interrupted = interrupted


class InconclusiveError(Exception):
    """The case can't be decided; the message states the reason.

    Attributes:
        outcome: the server's reply that is the reason, if there is one.
    """

    def __init__(self, message: str, outcome: Outcome | None = None) -> None:
        super().__init__(message)
        self.outcome = outcome


class NotApplicableError(Exception):
    """The server doesn't have the state or the quoted names that the case is about; the message has its reply."""


def raise_if_run_ends(target: Target) -> None:
    """Ends the case if the run ends now.

    Raises:
        InconclusiveError: the run ends; the message is not shown.
    """
    if target.facts.cut_off.is_set():
        raise InconclusiveError("the run was ended")
