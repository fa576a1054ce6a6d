"""What changed between the records of two runs."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from runner.execution.verdict import CaseResult, Standing, Verdict
from runner.gating.sameness import failure_of, outcome_of, without_times
from runner.language.model import Level
from runner.reporting.record import Record

_ORDER = {level: place for place, level in enumerate(Level)}


class Kind(enum.Enum):
    """How something changed; in the order in which it is shown, what is worst first."""

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


_TURNS: tuple[tuple[Verdict | None, Verdict | None, Kind], ...] = (
    (None, Verdict.NOT_APPLICABLE, Kind.EXEMPTED),  # whoever no longer asks has fixed nothing
    (Verdict.NOT_APPLICABLE, None, Kind.APPLIES),
    (None, Verdict.INCONCLUSIVE, Kind.INCONCLUSIVE),
    (Verdict.INCONCLUSIVE, None, Kind.DECIDED),
    (None, Verdict.DEVIATES, Kind.REGRESSED),
    (Verdict.DEVIATES, None, Kind.FIXED),
)
"""What a case's turn from one verdict to another is; the first line that fits says it, None fits every verdict."""


@dataclass(frozen=True)
class Change:
    """One change of one case, or of a requirement's level.

    Attributes:
        subject: the case's name, or the requirement's where its level changed.
        level: the more binding one of both runs; ending a session that nobody named binds like a must.
        before, after: the verdicts, or the levels; None where there is none.
        was, came: what came in the older and the newer run, for people.
        known: why the newer run's list of known deviations puts up with it; empty if it doesn't.
    """

    kind: Kind
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
        head: what about the runs themselves differs, by what it is: the older value and the newer one.
        same_cases: whether both ran the same case files.
        changes: in the order of ``Kind``, then of requirements and cases.
        alike: how many cases came to the same in both.
    """

    old: Record
    new: Record
    head: Mapping[str, tuple[str, str]]
    same_cases: bool
    changes: tuple[Change, ...]
    alike: int

    def of(self, kind: Kind) -> list[Change]:
        """The changes of one kind."""
        return [change for change in self.changes if change.kind is kind]


def compare(old: Record, new: Record) -> Difference:
    """Compares two runs: case by case, by name; what is in one of them alone is neither a fix nor a regression."""
    before = {result.name: result for result in old.results}
    after = {result.name: result for result in new.results}
    both = before.keys() & after.keys()
    changes = [*_levels(old, new)]
    for name in before.keys() | after.keys():
        changes += _changes(before.get(name), after.get(name))
    rows = {name: place for place, name in enumerate([*new.requirements, *old.requirements])}
    kinds = {kind: place for place, kind in enumerate(Kind)}
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
        min(levels, key=_ORDER.__getitem__),
        before=old.verdict.value if old else None,
        after=new.verdict.value if new else None,
        was=outcome_of(old) if old else "",
        actual=outcome_of(new) if new else "",
        known=new.listing.reason if new and new.listing and new.standing is Standing.KNOWN else "",
    )


def _kind(old: CaseResult | None, new: CaseResult | None) -> Kind | None:
    if old is None:
        return Kind.ADDED
    if new is None:
        return Kind.REMOVED
    if old.verdict is new.verdict:
        return _kind_of_same(old, new)
    fitting = (kind for was, is_, kind in _TURNS if was in {None, old.verdict} and is_ in {None, new.verdict})
    return next(fitting, None)  # conforms and observed: the level's change says it


def _kind_of_same(old: CaseResult, new: CaseResult) -> Kind | None:
    if new.safety and not old.safety:
        return Kind.REGRESSED  # it was wrong, and now it harms others, too
    if failure_of(old) != failure_of(new):
        return Kind.CHANGED
    # How often an outcome came is chance; which ones came is the observation.
    if set(map(without_times, old.observed)) != set(map(without_times, new.observed)):
        return Kind.OBSERVED
    return None


def _levels(old: Record, new: Record) -> Iterator[Change]:
    for name in old.requirements.keys() & new.requirements.keys():
        was, is_ = old.requirements[name].level, new.requirements[name].level
        if was is not is_:
            level = min(was, is_, key=_ORDER.__getitem__)
            yield Change(Kind.LEVEL, name, name, level, was.value, is_.value)


def _head(old: Record, new: Record) -> dict[str, tuple[str, str]]:
    """What differs of the runs themselves."""
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
