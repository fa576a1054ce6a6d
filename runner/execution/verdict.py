"""What a case comes to."""

from __future__ import annotations

import enum
from dataclasses import asdict, dataclass, field
from typing import Any

from runner.database.outcome import Outcome
from runner.execution.transcript import Event
from runner.language.model import Level


class Verdict(enum.Enum):
    """The verdicts. Only a target that was given its fair chance and failed it deviates."""

    CONFORMS = "conforms"
    DEVIATES = "deviates"
    INCONCLUSIVE = "inconclusive"
    OBSERVED = "observed"
    NOT_APPLICABLE = "not applicable"


class Standing(enum.Enum):
    """What a list of known deviations makes of a result; all but the first two fail a run: the list is not true."""

    UNLISTED = "unlisted"
    KNOWN = "known"
    DIFFERENT = "different"
    GONE = "gone"
    EXPIRED = "expired"


def fails(verdict: Verdict, binding: Level, standing: Standing, *, strict: bool) -> bool:
    """Whether a run's exit code is 1 for a result: nothing else decides that."""
    if standing is not Standing.UNLISTED:
        return standing is not Standing.KNOWN
    if verdict not in {Verdict.DEVIATES, Verdict.INCONCLUSIVE}:
        return False
    return binding is Level.MUST or (strict and binding is Level.SHOULD)


@dataclass(frozen=True)
class Listing:
    """What a list of known deviations says of a result.

    Attributes:
        entry: where the entry stands: file, line and column.
        reason, link: why it is put up with, as the entry says.
        note: why the entry is stale and what to do, in a sentence; empty for a known deviation.
    """

    standing: Standing
    entry: str
    reason: str
    link: str = ""
    note: str = ""

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Listing:
        """The listing that ``CaseResult.as_dict`` wrote."""
        return cls(**{**data, "standing": Standing(data["standing"])})


class DeviationError(Exception):
    """The target did something else than the case claims.

    Args:
        expected: what was claimed, for people.
        came: what came instead.
        safety: whether a session ended that no statement named: binding whatever the requirement's level (PAR-1).
        missing: whether it rests on what did not come, or on a lost connection: a network in trouble does that too.
    """

    def __init__(self, expected: str, actual: str, *, safety: bool = False, missing: bool = False) -> None:
        super().__init__(expected, actual)
        self.expected = expected
        self.actual = actual
        self.safety = safety
        self.missing = missing


class InconclusiveError(Exception):
    """The environment kept the case from being decided; the message says how.

    Attributes:
        outcome: the server's answer that did, if one did.
    """

    def __init__(self, message: str, outcome: Outcome | None = None) -> None:
        super().__init__(message)
        self.outcome = outcome


class NotApplicableError(Exception):
    """The server has no such state as the case is about; the message gives its answer."""


@dataclass(frozen=True)
class Ending:
    """How a session ended.

    Attributes:
        manner: what its client saw.
        connection_ms, row_ms: milliseconds from the statement's answer until its connection and its row were seen gone.
            No duration is known of a connection that closed only when the suite sent a statement on it.
    """

    session: str
    manner: str
    connection_ms: float | None
    row_ms: float | None = None


@dataclass(frozen=True)
class CaseResult:
    """A case's verdict with all that it rests on; it holds only plain values, so that workers can hand it over.

    Attributes:
        identifiers: what stands in the texts as ``<id of victim>``, ``<user of victim>`` and the like: another run has
            others, and two runs can be compared without them.
        respelled: statements of the case that the profile spells otherwise, and what was sent instead; with holes as
            the profile names them.
        listing: what the list of known deviations says of it, if it does; the verdict is what came all the same.
    """

    name: str
    case_id: str
    requirement: str
    level: Level
    title: str
    place: str
    verdict: Verdict
    reason: str = ""
    expected: str = ""
    actual: str = ""
    safety: bool = False
    unreached: bool = False
    """Whether the target could not be used when it was the case's turn, or in its middle: that is no level's matter."""
    observed: dict[str, int] = field(default_factory=dict)
    endings: tuple[Ending, ...] = ()
    transcript: tuple[Event, ...] = ()
    warnings: tuple[str, ...] = ()
    identifiers: dict[str, str] = field(default_factory=dict)
    respelled: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    listing: Listing | None = None

    @property
    def failed(self) -> bool:
        """Whether it deviates or is inconclusive."""
        return self.verdict in {Verdict.DEVIATES, Verdict.INCONCLUSIVE}

    @property
    def binding(self) -> Level:
        """The level that decides about the exit code: ending a session that was not named is never a mere should.

        Nor is anything decided by a run whose target could not be used any more.
        """
        return Level.MUST if self.safety or self.unreached else self.level

    @property
    def standing(self) -> Standing:
        """What the list of known deviations makes of it."""
        return self.listing.standing if self.listing else Standing.UNLISTED

    def fails(self, *, strict: bool) -> bool:
        """Whether the run's exit code is 1 for this result."""
        return fails(self.verdict, self.binding, self.standing, strict=strict)

    def as_dict(self) -> dict[str, Any]:
        """The result in JSON's types."""
        listing = {**asdict(self.listing), "standing": self.standing.value} if self.listing else None
        return {**asdict(self), "level": self.level.value, "verdict": self.verdict.value, "listing": listing}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> CaseResult:
        """The result that ``as_dict`` wrote."""
        return cls(
            **{
                **data,
                "level": Level(data["level"]),
                "verdict": Verdict(data["verdict"]),
                "endings": tuple(Ending(**row) for row in data["endings"]),
                "transcript": tuple(Event(**row) for row in data["transcript"]),
                "warnings": tuple(data["warnings"]),
                "listing": Listing.from_dict(data["listing"]) if data.get("listing") else None,
            }
        )
