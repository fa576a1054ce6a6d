"""A verdict's evidence for a report page: expected and actual result, transcript, statements to type by hand.

Many cases have the same preparation: it is shown once, and the cases refer to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from runner.execution.case_result import CaseResult, Ending, Verdict
from runner.execution.transcript import Event
from runner.language.message_text import plural
from runner.publishing import wording
from runner.reporting import escaping

_MOST_LINES = 300
_MOST_ENDINGS = 12
_ARROWS = {"connects": "•", "sends": "→", "prepares": "→", "receives": "←", "ends": "✕", "note": "·"}
_LETTERS = {"connects": "l", "sends": "s", "prepares": "s", "receives": "h", "ends": "e", "note": "n"}


@dataclass(frozen=True)
class Line:
    """A line of the transcript; ``letter`` is the code of its kind in the page."""

    at_ms: float
    session: str
    letter: str
    arrow: str
    text: str
    took_ms: float | None


@dataclass(frozen=True)
class Preparation:
    """The statements that prepare a case, without times; ``by_hand`` has them to type."""

    number: int
    lines: tuple[tuple[str, str, str], ...]
    by_hand: str


@dataclass(frozen=True)
class Evidence:
    """A case as shown in the page of its target."""

    result: CaseResult
    anchor: str
    expected: str
    actual: tuple[str, ...]
    repeated: int
    preparation: Preparation | None
    prepared_ms: float
    lines: tuple[Line, ...]
    lines_left_out: int
    by_hand: str


class Preparations:
    """The preparations of one run, numbered in the order of their first use."""

    def __init__(self) -> None:
        self._known: dict[tuple[tuple[str, str, str], ...], Preparation] = {}

    @property
    def all(self) -> list[Preparation]:
        """All preparations so far."""
        return list(self._known.values())

    def of(self, events: list[Event]) -> Preparation | None:
        """The preparation that consists of these events; None if there are none."""
        if not events:
            return None
        lines = tuple((event.session, _ARROWS[event.kind], event.text) for event in events[:_MOST_LINES])
        if lines not in self._known:
            script = "\n".join(_script(events[:_MOST_LINES]))
            self._known[lines] = Preparation(len(self._known) + 1, lines, script)
        return self._known[lines]


def evidence(result: CaseResult, preparations: Preparations) -> Evidence:
    """The evidence for the verdict of a case."""
    setup = [event for event in result.transcript if event.setup and event.kind != "connects"]
    own = [event for event in result.transcript if not event.setup or event.kind == "connects"]
    times = [event.at_ms for event in result.transcript if event.setup]
    return Evidence(
        result=result,
        anchor=escaping.anchor(result.name),
        expected=_expected(result),
        actual=tuple(_actual(result)),
        repeated=sum(result.observed.values()),
        preparation=preparations.of(setup),
        prepared_ms=max(times, default=0.0),
        lines=tuple(
            Line(event.at_ms, event.session, _LETTERS[event.kind], _ARROWS[event.kind], event.text, event.took_ms)
            for event in own[:_MOST_LINES]
        ),
        lines_left_out=max(0, len(own) - _MOST_LINES),
        by_hand="\n".join(_script(own[:_MOST_LINES])),
    )


def _expected(result: CaseResult) -> str:
    if result.verdict is Verdict.DEVIATES:
        return result.expected
    if result.verdict is Verdict.OBSERVED:
        return "nothing: the specification is silent"
    return result.title


def _actual(result: CaseResult) -> Iterator[str]:
    match result.verdict:
        case Verdict.DEVIATES:
            yield result.actual
        case Verdict.INCONCLUSIVE:
            yield f"inconclusive: {result.reason}"
        case Verdict.NOT_APPLICABLE:
            yield f"not applicable: {result.reason}"
        case Verdict.CONFORMS:
            yield "as expected"
        case Verdict.OBSERVED:
            for name, count in sorted(result.observed.items(), key=lambda pair: (-pair[1], pair[0]))[:_MOST_ENDINGS]:
                yield f"{name} ({plural(count, 'time')})" if sum(result.observed.values()) > 1 else name
    yield from map(_ending, result.endings[:_MOST_ENDINGS])
    if len(result.endings) > _MOST_ENDINGS:
        yield f"{len(result.endings) - _MOST_ENDINGS} more ends of sessions"
    yield from (f"not removed: {warning}" for warning in result.warnings[:_MOST_ENDINGS])


def _ending(ending: Ending) -> str:
    row = f", its row after {wording.milliseconds(ending.row_ms)}" if ending.row_ms is not None else ""
    if ending.connection_ms is None:
        return f"{ending.session} ended ({ending.manner}): its connection closed at its next statement{row}"
    gone = wording.milliseconds(ending.connection_ms)
    return f"{ending.session} ended ({ending.manner}): its connection was closed after {gone}{row}"


def _script(events: list[Event]) -> Iterator[str]:
    """The statements to type, in order, each with its session in a comment."""
    for event in events:
        if event.kind == "connects":
            yield f"-- {event.session}: {event.action}; its id is in SHOW PROCESSLIST"
        elif event.action:
            yield f"-- {event.session}: {event.action}"
        elif event.manual:
            text = event.manual.rstrip()
            yield f"/* {event.session} */ {text}{'' if text.endswith(';') else ';'}"
