"""The changes between the records of two runs, case by case, and their kinds."""

from __future__ import annotations

import enum
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass

from runner.execution.case_result import CaseResult, Standing, Verdict
from runner.language.message_text import did_you_mean, shorten
from runner.language.model import Level
from runner.reporting.escaping import code
from runner.reporting.placeholders import without_durations_and_names
from runner.reporting.record import Record


class ChangeKind(enum.Enum):
    """The kinds of changes, worst first: the order in which they are shown."""

    REGRESSED = "regressed"
    INCONCLUSIVE = "inconclusive"
    CHANGED = "changed"
    FIXED = "fixed"
    DECIDED = "decided"
    EXEMPTED = "exempted"
    APPLIES = "applies"
    LEVEL = "level"
    REMOVED = "removed"
    ADDED = "added"
    OBSERVED = "observed"


_TURNS: tuple[tuple[Verdict | None, Verdict | None, ChangeKind], ...] = (
    (None, Verdict.NOT_APPLICABLE, ChangeKind.EXEMPTED),  # a case that is not run any more is not fixed
    (Verdict.NOT_APPLICABLE, None, ChangeKind.APPLIES),
    (None, Verdict.INCONCLUSIVE, ChangeKind.INCONCLUSIVE),
    (Verdict.INCONCLUSIVE, None, ChangeKind.DECIDED),
    (None, Verdict.DEVIATES, ChangeKind.REGRESSED),
    (Verdict.DEVIATES, None, ChangeKind.FIXED),
)
"""The kind of a change from one verdict to another. The first line that fits counts; None fits every verdict."""


@dataclass(frozen=True)
class Change:
    """One change of one case, or of a requirement's level.

    Attributes:
        subject: the name of the case, or of the requirement whose level changed.
        level: the stricter one of both runs; must if an unrelated session was killed.
        before, after: the verdicts, or the levels; None if the case is not in this run.
        was, actual: the outcome in the older and in the newer run, as text for users.
        known: the reason in the newer run's list of known deviations; empty if it isn't listed.
    """

    kind: ChangeKind
    subject: str
    requirement: str
    level: Level
    before: str | None
    after: str | None
    was: str = ""
    actual: str = ""
    known: str = ""


@dataclass(frozen=True)
class Difference:
    """Two runs compared.

    Attributes:
        head: differences of target, options and cases, by name: the older and the newer value.
        same_cases: whether both ran the same case files.
        changes: in the order of ``ChangeKind``, then of requirements and cases.
        alike: the number of cases with the same outcome in both.
    """

    old: Record
    new: Record
    head: Mapping[str, tuple[str, str]]
    same_cases: bool
    changes: tuple[Change, ...]
    alike: int

    def of(self, kind: ChangeKind) -> list[Change]:
        """The changes of one kind."""
        return [change for change in self.changes if change.kind is kind]


def compare(old: Record, new: Record) -> Difference:
    """Compares two runs case by case, by name. A case that is in one run only is neither fixed nor regressed."""
    before = {result.name: result for result in old.results}
    after = {result.name: result for result in new.results}
    both = before.keys() & after.keys()
    changes = [*_levels(old, new)]
    for name in before.keys() | after.keys():
        changes += _changes(before.get(name), after.get(name))
    rows = {name: place for place, name in enumerate([*new.requirements, *old.requirements])}
    kinds = {kind: place for place, kind in enumerate(ChangeKind)}
    changes.sort(key=lambda change: (kinds[change.kind], rows.get(change.requirement, len(rows)), change.subject))
    moved = {change.subject for change in changes}
    return Difference(
        old,
        new,
        head=_head(old, new),
        same_cases=old.run.cases_digest == new.run.cases_digest,
        changes=tuple(changes),
        alike=len(both - moved),
    )


def _changes(old: CaseResult | None, new: CaseResult | None) -> Iterator[Change]:
    one = new or old
    if one is None:
        return
    kind = _kind(old, new)
    if kind is None:
        return
    levels = [result.binding for result in (old, new) if result is not None]
    yield Change(
        kind,
        one.name,
        one.requirement,
        min(levels, key=lambda level: level.rank),
        before=old.verdict.value if old else None,
        after=new.verdict.value if new else None,
        was=old.outcome_text if old else "",
        actual=new.outcome_text if new else "",
        known=new.listing.reason if new and new.listing and new.standing is Standing.KNOWN else "",
    )


def _kind(old: CaseResult | None, new: CaseResult | None) -> ChangeKind | None:
    if old is None:
        return ChangeKind.ADDED
    if new is None:
        return ChangeKind.REMOVED
    if old.verdict is new.verdict:
        return _kind_of_same(old, new)
    fitting = (kind for was, now, kind in _TURNS if was in {None, old.verdict} and now in {None, new.verdict})
    return next(fitting, None)  # conforms and observed: shown as a change of the level


def _kind_of_same(old: CaseResult, new: CaseResult) -> ChangeKind | None:
    if new.safety and not old.safety:
        return ChangeKind.REGRESSED  # it failed before, and now an unrelated session is killed, too
    if failure_of(old) != failure_of(new):
        return ChangeKind.CHANGED
    # The counts of outcomes are chance; the set of outcomes is the observation.
    if set(map(without_durations_and_names, old.observed)) != set(map(without_durations_and_names, new.observed)):
        return ChangeKind.OBSERVED
    return None


def _levels(old: Record, new: Record) -> Iterator[Change]:
    for name in old.requirements.keys() & new.requirements.keys():
        was, now = old.requirements[name].level, new.requirements[name].level
        if was is not now:
            level = min(was, now, key=lambda level: level.rank)
            yield Change(ChangeKind.LEVEL, name, name, level, was.value, now.value)


def _head(old: Record, new: Record) -> dict[str, tuple[str, str]]:
    """Differences of target, options and cases."""
    values = {
        "target": (_target(old), _target(new)),
        "profile": (old.target.profile, new.target.profile),
        "route": (old.target.route, new.target.route),
        "TLS": (old.target.tls or "none", new.target.tls or "none"),
        "suite": (old.run.suite, new.run.suite),
        "cases": (old.run.cases_digest, new.run.cases_digest),
        "cases run": (_extent(old), _extent(new)),
        "strict": (str(old.run.strict).lower(), str(new.run.strict).lower()),
        "settle": (f"{old.run.settle:g} s", f"{new.run.settle:g} s"),
        "statement limit": (f"{old.run.statement_limit:g} s", f"{new.run.statement_limit:g} s"),
    }
    return {what: pair for what, pair in values.items() if pair[0] != pair[1]}


def _target(record: Record) -> str:
    target = record.target
    return target.name if target.version in target.name else f"{target.name} ({target.version})"


def _extent(record: Record) -> str:
    return f"{len(record.results)} of {record.run.cases}"


def failure_of(result: CaseResult) -> tuple[object, ...] | None:
    """The parts of a failure that are compared; None if the case didn't fail.

    The claim is one of them: the same reply in another phase of the case is another failure.
    """
    if result.verdict is Verdict.DEVIATES:
        return (
            result.verdict,
            result.safety,
            without_durations_and_names(result.expected),
            without_durations_and_names(result.actual),
        )
    if result.verdict is Verdict.INCONCLUSIVE:
        return (result.verdict, without_durations_and_names(result.reason))
    return None


DEFAULT_POLICY = "regressed:should,inconclusive:must"
"""A must or should that regressed, and a must that became inconclusive."""


class PolicyError(ValueError):
    """A policy contains an unknown word; the message lists the valid ones."""


@dataclass(frozen=True)
class Policy:
    """The kinds of changes that fail the build, with the lowest level of each."""

    levels: Mapping[ChangeKind, Level]

    @classmethod
    def parse(cls, text: str) -> Policy:
        """Reads ``regressed:should,inconclusive``. A kind without a level fails at all levels; ``none``: nothing fails.

        Raises:
            PolicyError: a word is neither a kind nor a level.
        """
        kinds = {kind.value: kind for kind in ChangeKind}
        known_levels = {level.value: level for level in Level}
        levels: dict[ChangeKind, Level] = {}
        for word in text.split(",") if text.strip() != "none" else []:
            name, colon, level = word.strip().partition(":")
            if name not in kinds:
                raise PolicyError(f"unknown kind of change {name!r}; {did_you_mean(name, [*kinds, 'none'])}")
            if colon and level not in known_levels:
                raise PolicyError(f"unknown level {level!r}; {did_you_mean(level, known_levels)}")
            levels[kinds[name]] = known_levels[level] if colon else Level.OBSERVE
        return cls(levels)

    def fails(self, change: Change) -> bool:
        """Whether a change fails the build."""
        from_level = self.levels.get(change.kind)
        return from_level is not None and change.level.rank <= from_level.rank

    def failing(self, difference: Difference) -> list[Change]:
        """The changes that fail the build."""
        return [change for change in difference.changes if self.fails(change)]


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


def as_text(difference: Difference, policy: Policy) -> Iterator[str]:
    """One screen: the head, a line for each cause, the conclusion."""
    yield from _head_lines(difference)
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


def _head_lines(difference: Difference) -> Iterator[str]:
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


def conclusion(difference: Difference, policy: Policy) -> str:
    """The comparison in a sentence."""
    failing = policy.failing(difference)
    counts = ", ".join(f"{len(difference.of(kind))} {kind.value}" for kind in ChangeKind if difference.of(kind))
    verdict = f"fails: {len(failing)} changes selected by --fail-on" if failing else "passes"
    return f"{verdict} ({counts or 'no differences'}; {difference.alike} cases unchanged)"


def as_markdown(difference: Difference, policy: Policy) -> Iterator[str]:
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


def as_json(difference: Difference, policy: Policy) -> Iterator[str]:
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


FORMATS: dict[str, Callable[[Difference, Policy], Iterator[str]]] = {
    "text": as_text,
    "markdown": as_markdown,
    "json": as_json,
}
