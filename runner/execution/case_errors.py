"""The exceptions that end a case: it deviates, can't be decided, or doesn't apply."""

from __future__ import annotations

from dataclasses import dataclass

from runner.database.outcome import Outcome
from runner.database.target import Target


@dataclass(frozen=True)
class Deviation:
    """A result that contradicts a claim of the case.

    Attributes:
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

    expected: str = ""
    actual: str = ""
    safety: bool = False
    survived: bool = False
    not_ended: bool = False
    no_reply_or_lost: bool = False
    reads_table: bool = False
    error: str = ""
    unknown_error: bool = False
    login_lost: bool = False
    interrupted: bool = False

    def and_also(self, other: Deviation) -> Deviation:
        """A deviation by this result and another one, about sessions; lost unrelated sessions are stated first."""
        worse_first = (other, self) if other.safety and not self.safety else (self, other)
        return Deviation(
            f"{self.expected}; {other.expected}",
            "; ".join(each.actual for each in worse_first),
            safety=self.safety or other.safety,
            survived=self.survived or other.survived,
            not_ended=self.not_ended or other.not_ended,
            no_reply_or_lost=self.no_reply_or_lost or other.no_reply_or_lost,
            interrupted=self.interrupted or other.interrupted,
        )


NO_DEVIATION = Deviation()


class DeviationError(Exception):
    """The case deviates.

    Attributes:
        deviation: the claim and the result.
    """

    def __init__(self, deviation: Deviation) -> None:
        super().__init__(deviation.expected, deviation.actual)
        self.deviation = deviation


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
