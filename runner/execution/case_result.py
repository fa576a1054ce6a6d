"""The result of a case, its known deviation, and the rule for the exit code."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Any

from runner.execution.transcript import Event
from runner.language.model import Level


class Verdict(enum.Enum):
    """The verdicts. A target deviates only if the case could be run and its result contradicts a claim."""

    CONFORMS = "conforms"
    DEVIATES = "deviates"
    INCONCLUSIVE = "inconclusive"
    OBSERVED = "observed"
    NOT_APPLICABLE = "not applicable"

    @property
    def failed(self) -> bool:
        """Whether it is "deviates" or "inconclusive"."""
        return self in {Verdict.DEVIATES, Verdict.INCONCLUSIVE}


class Standing(enum.Enum):
    """The result of comparing a case with the known deviations. All but the first two are stale and fail the run."""

    UNLISTED = "unlisted"
    KNOWN = "known"
    DIFFERENT = "different"
    GONE = "gone"
    EXPIRED = "expired"


def fails(verdict: Verdict, level: Level, standing: Standing, *, strict: bool) -> bool:
    """Whether a result makes the exit code of the run 1. No other function decides that."""
    if standing is not Standing.UNLISTED:
        return standing is not Standing.KNOWN
    if not verdict.failed:
        return False
    return level is Level.MUST or (strict and level is Level.SHOULD)


@dataclass(frozen=True)
class ListedEntry:
    """An entry of the known deviations that is about a result.

    Attributes:
        standing: the result of the comparison.
        entry: the position of the entry: file, line and column.
        reason, link: the reason in the entry for accepting the failure, and its link.
        note: why the entry is stale and what to do, in a sentence; empty for a known deviation.
    """

    standing: Standing
    entry: str
    reason: str
    link: str = ""
    note: str = ""

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> ListedEntry:
        """Reads the listing that ``CaseResult.as_dict`` has written."""
        return cls(**{**data, "standing": Standing(data["standing"])})


@dataclass(frozen=True)
class Ending:
    """How a session ended.

    Attributes:
        session: the session's name.
        manner: how the connection ended for its client.
        connection_ms, row_ms: milliseconds from the reply to the statement until the connection and the row were found
            gone. None for a connection that was closed only when the suite sent a statement on it.
    """

    session: str
    manner: str
    connection_ms: float | None
    row_ms: float | None = None


@dataclass(frozen=True)
class CaseResult:
    """The result of a case, in plain values that workers can send.

    Attributes:
        expected, actual: the claim and the result, if the case deviates.
        safety: whether an unrelated session was lost.
        survived: whether a session stayed usable that the statement should kill, though its reply was a success.
        unreached: whether the target was unusable before or during the case; such a result counts at every level.
        observed: the number of runs with each outcome, if the case observes.
        identifiers: the values of this run by placeholder, such as ``id of victim``; without them, two runs can be
            compared.
        respelled: statements of the case that the profile spells differently, with the spellings that were sent.
        listing: the entry of the known deviations, if there is one; it does not change the verdict.
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
    survived: bool = False
    unreached: bool = False
    observed: dict[str, int] = field(default_factory=dict)
    endings: tuple[Ending, ...] = ()
    transcript: tuple[Event, ...] = ()
    warnings: tuple[str, ...] = ()
    identifiers: dict[str, str] = field(default_factory=dict)
    respelled: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    listing: ListedEntry | None = None

    @property
    def failed(self) -> bool:
        """Whether it deviates or is inconclusive."""
        return self.verdict.failed

    @property
    def outcome_text(self) -> str:
        """The outcome in one line: the actual result, the observation, or the reason of an inconclusive case."""
        if self.verdict is Verdict.DEVIATES:
            return self.actual
        if self.verdict is Verdict.OBSERVED:
            return ", ".join(sorted(self.observed))
        return self.reason

    @property
    def file_and_line(self) -> tuple[str, int]:
        """The file and the line of the case: results are shown in this order."""
        file, _, line = self.place.rpartition(":")
        return file, int(line) if line.isdecimal() else 0

    @property
    def effective_level(self) -> Level:
        """The level for the exit code.

        It is *must* if an unrelated session was lost, if a session survived a statement that should have killed it, or
        if the target was unusable.
        """
        return Level.MUST if self.safety or self.survived or self.unreached else self.level

    @property
    def standing(self) -> Standing:
        """The result of comparing it with the known deviations."""
        return self.listing.standing if self.listing else Standing.UNLISTED

    def fails(self, *, strict: bool) -> bool:
        """Whether this result makes the exit code of the run 1."""
        return fails(self.verdict, self.effective_level, self.standing, strict=strict)

    def as_dict(self) -> dict[str, Any]:
        """The result in the types of JSON."""
        # Not dataclasses.asdict: it copies each value, which took a twentieth of a run's processor time.
        return {
            **vars(self),
            "level": self.level.value,
            "verdict": self.verdict.value,
            "endings": [vars(ending) for ending in self.endings],
            "transcript": [vars(event) for event in self.transcript],
            "listing": {**vars(self.listing), "standing": self.standing.value} if self.listing else None,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> CaseResult:
        """Reads the result that ``as_dict`` has written."""
        return cls(
            **{
                **data,
                "level": Level(data["level"]),
                "verdict": Verdict(data["verdict"]),
                "endings": tuple(Ending(**row) for row in data["endings"]),
                "transcript": tuple(Event(**row) for row in data["transcript"]),
                "warnings": tuple(data["warnings"]),
                "listing": ListedEntry.from_dict(data["listing"]) if data.get("listing") else None,
            }
        )
