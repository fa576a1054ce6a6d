"""The changes between the records of two runs, case by case, and their kinds."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from runner.execution.case_result import CaseResult, Standing, Verdict
from runner.language.model import Level
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
    levels = [result.effective_level for result in (old, new) if result is not None]
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
