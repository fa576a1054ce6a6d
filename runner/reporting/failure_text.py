"""The text of a failure: expected and actual result, transcript, and the statements to reproduce it by hand."""

from __future__ import annotations

from runner.execution.case_result import CaseResult, Verdict
from runner.execution.transcript import Event
from runner.language.message_text import shorten

_LINE = 150
_TRANSCRIPT = (
    "transcript (ms since the start of the case; > sent, < received, [duration]; prepares: sent before the steps, "
    "for this case or an earlier one)"
)
_BY_HAND = (
    "by hand (open one client per session, with autocommit on; run the lines of all sessions in the order of their "
    "numbers)"
)


def failure_text(result: CaseResult, rerun: str) -> str:
    """The text of a failed case, with all that is needed to check and reproduce it.

    Args:
        result: of a case that deviates, is inconclusive, or has a stale entry in the list of known deviations.
        rerun: the command that runs this case alone.
    """
    harm = "the statement affected sessions that it does not name" if result.safety else ""
    harm = harm or ("the reply was a success, and the named session stays usable" if result.survived else "")
    binding = f" ({harm}: the case fails the run like a must)" if harm else ""
    parts = [
        f"{result.requirement} ({result.level.value}): {result.title}",
        f"case:     {result.case_id}, {result.place}",
        f"verdict:  {result.verdict.value}{binding}",
    ]
    if result.verdict is Verdict.DEVIATES:
        parts += [f"expected: {result.expected}", f"actual:   {result.actual}"]
    elif result.reason:
        parts += [f"reason:   {result.reason}"]
    if result.listing and result.listing.note:
        parts += [f"listed:   {result.listing.note}"]
    parts += [f"rerun:    {rerun}"]
    if not result.failed:
        return "\n".join(parts)  # only the entry in the list is wrong: no evidence is needed
    parts += ["", _TRANSCRIPT, *_transcript(result.transcript)]
    if any(event.manual for event in result.transcript):
        parts += ["", _BY_HAND, *_by_hand(result.transcript)]
    return "\n".join(parts)


def _transcript(events: tuple[Event, ...]) -> list[str]:
    width = max((len(event.session) for event in events), default=0)
    lines = []
    for event in events:
        took = f"  [{event.took_ms:g} ms]" if event.took_ms is not None else ""
        arrow = {"sends": "> ", "receives": "< "}.get(event.kind, f"{event.kind}: ")
        lines.append(f"{event.at_ms:>9.1f}  {event.session:<{width}}  {arrow}{shorten(event.text, _LINE)}{took}")
    return lines


def _by_hand(events: tuple[Event, ...]) -> list[str]:
    lines: list[str] = []
    numbered = [event for event in events if event.manual or event.action]
    for session in dict.fromkeys(event.session for event in numbered):
        lines.append(f"  -- {session}")
        for number, event in enumerate(numbered, 1):
            if event.session == session:
                lines.append(f"  /* {number:>2} */ {_typed(event)}")
    return lines


def _typed(event: Event) -> str:
    if event.kind == "connects":
        return f"-- {event.action}; its id in SHOW PROCESSLIST is <id of {event.session}>"
    if event.action:
        return f"-- {event.action}"
    text = event.manual.rstrip()
    return text if text.endswith(";") else text + ";"
