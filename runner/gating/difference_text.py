"""The difference of two runs as text for the console, as Markdown and as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict

from runner.gating.change_policy import ChangePolicy
from runner.gating.difference import Change, ChangeKind, Difference
from runner.language.message_text import shorten
from runner.reporting.escaping import code
from runner.reporting.placeholders import without_durations_and_names

_TITLES = {
    ChangeKind.REGRESSED: "regressed",
    ChangeKind.INCONCLUSIVE: "newly inconclusive",
    ChangeKind.CHANGED: "fails in another way than before",
    ChangeKind.FIXED: "fixed",
    ChangeKind.DECIDED: "newly decided",
    ChangeKind.EXEMPTED: "no longer applicable (not a fix)",
    ChangeKind.APPLIES: "applicable now, not applicable before",
    ChangeKind.LEVEL: "another requirement level",
    ChangeKind.REMOVED: "in the older run only (not a fix)",
    ChangeKind.ADDED: "in the newer run only (not a regression)",
    ChangeKind.OBSERVED: "another observation (never fails)",
}
_LINE = 160
_MOST_LINES = 8  # of a kind, on the screen
_MOST_ROWS = 300  # GitHub refuses comments beyond 65536 characters
_OTHER_CASES = "the case files differ: a change may be caused by the cases, not by the target"


def as_text(difference: Difference, policy: ChangePolicy) -> Iterator[str]:
    """One screen: the head, a line for each cause, the conclusion."""
    yield from _head(difference)
    for kind in ChangeKind:
        changes = difference.of(kind)
        if not changes:
            continue
        mark = "  [fails]" if any(map(policy.fails, changes)) else ""
        yield ""
        yield f"{_TITLES[kind]}: {len(changes)}{mark}"
        groups = list(_alike(changes))
        for group in groups[:_MOST_LINES]:
            yield "  " + shorten(_line(group), _LINE)
            if kind is ChangeKind.CHANGED:
                yield "    " + shorten(f"before: {group[0].was}", _LINE)
        if len(groups) > _MOST_LINES:
            rest = sum(map(len, groups[_MOST_LINES:]))
            yield f"  ... and {rest} more: see --format markdown or json"
    yield ""
    yield conclusion(difference, policy)


def _head(difference: Difference) -> Iterator[str]:
    old, new = difference.old, difference.new
    yield f"old: {old.target.name}, {old.run.started[:19]}, {len(old.results)} cases"
    yield f"new: {new.target.name}, {new.run.started[:19]}, {len(new.results)} cases"
    for what, (was, now) in difference.head.items():
        yield f"  {what}: {_short(was)} -> {_short(now)}"
    if not difference.same_cases:
        yield _OTHER_CASES


def _short(value: str) -> str:
    return value[: len("sha256:") + 12] if value.startswith("sha256:") else value


def _alike(changes: list[Change]) -> Iterator[list[Change]]:
    """Changes with the same cause, grouped."""
    groups: dict[tuple[object, ...], list[Change]] = {}
    for change in changes:
        texts = (without_durations_and_names(change.was), without_durations_and_names(change.actual))
        key = (change.requirement, change.level, change.before, change.after, change.known, *texts)
        groups.setdefault(key, []).append(change)
    yield from groups.values()


def _line(group: list[Change]) -> str:
    first = group[0]
    if first.kind is ChangeKind.LEVEL:
        return f"{first.subject}: {_arrow(first)}"
    more = f" and {len(group) - 1} more" if len(group) > 1 else ""
    what = f"{first.requirement} ({first.level.value}) {first.subject}{more}: {_arrow(first)}"
    return f"{what}{_actual(first)}"


def _actual(change: Change) -> str:
    """The actual result, or the earlier one if the case doesn't fail any more."""
    text = f": {change.actual}" if change.actual else f" (was: {change.was})" if change.was else ""
    return text + (f" (known: {change.known})" if change.known else "")


def _arrow(change: Change) -> str:
    if change.before is None or change.after is None:
        return str(change.before or change.after)
    return change.after if change.before == change.after else f"{change.before} -> {change.after}"


def conclusion(difference: Difference, policy: ChangePolicy) -> str:
    """The comparison in a sentence."""
    failing = policy.failing(difference)
    counts = ", ".join(f"{len(difference.of(kind))} {kind.value}" for kind in ChangeKind if difference.of(kind))
    verdict = f"fails: {len(failing)} changes selected by --fail-on" if failing else "passes"
    return f"{verdict} ({counts or 'no differences'}; {difference.alike} cases unchanged)"


def as_markdown(difference: Difference, policy: ChangePolicy) -> Iterator[str]:
    """A comment for a pull request: tables with all changes."""
    old, new = difference.old, difference.new
    yield f"### Conformance: {conclusion(difference, policy)}"
    yield ""
    yield "| | older run | newer run |"
    yield "|---|---|---|"
    yield f"| started | {old.run.started[:19]} | {new.run.started[:19]} |"
    if "target" not in difference.head:
        yield f"| target | {code(old.target.name)} | the same |"
    for what, (was, now) in difference.head.items():
        yield f"| {what} | {code(_short(was))} | {code(_short(now))} |"
    if not difference.same_cases:
        yield ""
        yield f"**{_OTHER_CASES[0].upper()}{_OTHER_CASES[1:]}.**"
    rows = 0
    for kind in ChangeKind:
        changes = difference.of(kind)
        if not changes:
            continue
        mark = " (fails)" if any(map(policy.fails, changes)) else ""
        yield ""
        yield f"**{_TITLES[kind][0].upper()}{_TITLES[kind][1:]}: {len(changes)}{mark}**"
        yield ""
        yield "| requirement | case | before | after | actual |"
        yield "|---|---|---|---|---|"
        for change in changes[: max(0, _MOST_ROWS - rows)]:
            yield (
                f"| {change.requirement} ({change.level.value}) | {code(change.subject)} | {change.before or '-'} | "
                f"{change.after or '-'} | {code(_actual(change).removeprefix(': ').strip())} |"
            )
        rows += len(changes)
    if rows > _MOST_ROWS:
        yield ""
        yield f"{rows - _MOST_ROWS} more: see `--format json`."


def as_json(difference: Difference, policy: ChangePolicy) -> Iterator[str]:
    """One JSON document with all changes, for programs."""
    old, new = difference.old, difference.new
    document = {
        "format": 1,
        "fails": bool(policy.failing(difference)),
        "fail_on": {kind.value: level.value for kind, level in policy.levels.items()},
        "old": {"target": asdict(old.target), "run": asdict(old.run)},
        "new": {"target": asdict(new.target), "run": asdict(new.run)},
        "head": {what: {"old": was, "new": now} for what, (was, now) in difference.head.items()},
        "same_cases": difference.same_cases,
        "alike": difference.alike,
        "changes": [
            {
                **asdict(change),
                "kind": change.kind.value,
                "level": change.level.value,
                "fails": policy.fails(change),
            }
            for change in difference.changes
        ],
    }
    yield json.dumps(document, indent=1, ensure_ascii=False)


FORMATS: dict[str, Callable[[Difference, ChangePolicy], Iterator[str]]] = {
    "text": as_text,
    "markdown": as_markdown,
    "json": as_json,
}
