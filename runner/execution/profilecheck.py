"""Holds a profile against the cases: a name in it that nothing knows has no effect, or makes servers deviate.

What a profile names is known if the run's cases know it, or the suite's own: so one profile serves several registers.
"""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from runner.database.profile import Profile
from runner.language.model import Case, Say, flat
from runner.language.problems import Place, SourceError, did_you_mean
from runner.language.suite import Suite, own_suite
from runner.language.template import Hole, Template
from runner.language.yamlfile import Document, Path_

_ANY = "\N{OBJECT REPLACEMENT CHARACTER}"
"""What stands for an id, a user's name and the like: no text that a profile holds."""


def check_profile(profile: Profile, suite: Suite) -> None:
    """Checks every name in a profile.

    Args:
        profile: as it was read from a file.
        suite: what the run answers to.

    Raises:
        SourceError: the first problem.
    """
    problems = list(profile_problems(profile, suite))
    if len(problems) > 1:
        first = problems[0]
        more = f"kill-session-conformance lint {first.place.shown_path} shows all {len(problems)} problems"
        raise SourceError(first.place, first.what, f"{first.hint} ({more})")
    if problems:
        raise problems[0]


def profile_problems(profile: Profile, suite: Suite) -> list[SourceError]:
    """All that is wrong with the names in a profile, in the order of its file."""
    own = own_suite()
    if profile.document is None or not (own.cases or suite.cases):
        return []  # it is no file's, or nothing is there to hold it against
    check = _Check(profile, profile.document, [suite] if suite.folders == own.folders else [own, suite])
    return sorted(check.problems(), key=lambda problem: problem.place)


@dataclass(frozen=True)
class _Check:
    """One check.

    Args:
        suites: what may know a name; of cases with one name, the last suite's counts.
    """

    profile: Profile
    document: Document
    suites: Sequence[Suite]

    @cached_property
    def _cases(self) -> Mapping[str, Case]:
        return {case.name: case for suite in self.suites for case in suite.cases}

    @property
    def _data(self) -> Mapping[str, Any]:
        data: Mapping[str, Any] = self.document.data
        return data

    def problems(self) -> Iterator[SourceError]:
        """All problems, section by section."""
        classes = {name for suite in self.suites for name in suite.error_classes}
        yield from self._unknown("errors", "error class", classes)
        yield from self._unknown("words", "word", {name for suite in self.suites for name in suite.words})
        granted = {name for suite in self.suites for name in suite.privileges}
        yield from self._unknown("privileges", "privilege", granted)
        for name, rows in self._data["errors"].items():
            yield from self._twice(("errors", name), rows, "this description")
        yield from self._twice(("retry",), self._data.get("retry", ()), "this description")
        yield from self._spellings()
        yield from self._withheld()
        yield from self._exemptions()

    def _unknown(self, section: str, kind: str, known: Iterable[str]) -> Iterator[SourceError]:
        names = set(known)
        for name in self._data.get(section, {}):
            if name not in names:
                yield self.document.fail((section, name), f"unknown {kind} {name!r}", did_you_mean(name, names))

    def _twice(self, way: Path_, rows: Sequence[Any], what: str) -> Iterator[SourceError]:
        for index, row in enumerate(rows):
            if row in rows[:index]:
                place = self.document.place(*way, rows.index(row))
                yield self.document.fail((*way, index), f"{what} is already in {place}", "keep one of them")

    # Spellings

    @cached_property
    def _statements(self) -> Mapping[str, Template]:
        return {
            step.statement.text: step.statement
            for case in self._cases.values()
            for step in flat(case.steps)
            if isinstance(step, Say)
        }

    def _withheld(self) -> Iterator[SourceError]:
        """What withholds nothing is misspelt, and would protect no server."""
        sent = [self.profile.spell(statement.literal) for statement in self._statements.values()]
        for index, each in enumerate(self.profile.withheld):
            if not any(each.statement.search(text) for text in sent):
                what = f"no case sends a statement that matches {each.statement.pattern!r}"
                yield self.document.fail(
                    ("withheld", index, "statement"), what, "correct the expression, or remove the entry"
                )

    def _spellings(self) -> Iterator[SourceError]:
        statements = self._statements
        sent = {text for statement in statements.values() for text in self._sent(statement)}
        taken: dict[str, int] = {}
        written = self.profile.spellings[: len(self.document.data.get("spellings", ()))]  # the others follow from sql
        for index, spelling in enumerate(written):
            way = ("spellings", index, "statement")
            matched = [text for text in sent if spelling.apply(text) is not None]
            if not matched:
                what = f"no case sends the statement {spelling.statement!r}"
                yield self.document.fail(way, what, _like(spelling.statement, statements.values()))
            elif all(text in taken for text in matched):
                place = self.document.place("spellings", taken[matched[0]])
                yield self.document.fail(
                    way, f"never used: {place} already matches all its statements", "move it up, or remove one"
                )
            for text in matched:
                taken.setdefault(text, index)

    def _sent(self, statement: Template) -> Iterator[str]:
        """A statement as the spellings are held against it; several if a word in it has several spellings."""
        choices = [(piece,) if isinstance(piece, str) else self._filled(piece) for piece in statement.pieces]
        for pieces in itertools.product(*choices):
            yield "".join(pieces).rstrip().removesuffix(";")

    def _filled(self, hole: Hole) -> tuple[str, ...]:
        if hole.word == "table":
            return (self.profile.statement("table_name", administrator=_ANY, name=_ANY),)
        spelled = self.profile.words.get(hole.word or "", (_ANY,))
        return tuple(text.format(seconds=_ANY) for text in spelled)

    # What does not apply

    def _exemptions(self) -> Iterator[SourceError]:
        requirements = {name for suite in self.suites for name in suite.requirements}
        first: dict[tuple[str, str], Path_] = {}
        for index, row in enumerate(self._data.get("not_applicable", ())):
            way: Path_ = ("not_applicable", index)
            if not row.get("requirements") and not row.get("cases"):
                yield self.document.fail(way, "has neither requirements nor cases", "add some, or remove the entry")
            for kind, name, place in _named(row, way):
                if (kind, name) in first:
                    stands = self.document.place(*first[kind, name])
                    yield self.document.fail(place, f"{name} is already in {stands}", "keep one of them")
                    continue
                first[kind, name] = place
                if kind == "requirements" and name not in requirements:
                    yield self.document.fail(place, f"unknown requirement {name!r}", _near(name, requirements))
                if kind == "cases":
                    yield from self._unknown_case(name, place)
        yield from self._overlaps(first)

    def _unknown_case(self, name: str, place: Path_) -> Iterator[SourceError]:
        ids = {case.id for case in self._cases.values()}
        if name in ids or name in self._cases:
            return
        case_id = name.partition("[")[0]
        if case_id not in ids:
            yield self.document.fail(place, f"unknown case {name!r}", _near(name, {*ids, *self._cases}))
            return
        names = [case.name for case in self._cases.values() if case.id == case_id and case.label]
        hint = did_you_mean(name, names) if names else "the case has no parameters: write its id only"
        yield self.document.fail(place, f"the case {case_id} has no parameters {name!r}", hint)

    def _overlaps(self, named: Mapping[tuple[str, str], Path_]) -> Iterator[SourceError]:
        """Cases that two entries set aside: only the first one's reason is ever seen."""
        told: set[Path_] = set()
        for case in self._cases.values():
            wanted = dict.fromkeys((("requirements", case.requirement.id), ("cases", case.id), ("cases", case.name)))
            ways = sorted((way for key in wanted if (way := named.get(key)) is not None), key=self._position)
            for way in ways[1:]:
                if way[:2] != ways[0][:2] and way not in told:
                    told.add(way)
                    place = self.document.place(*ways[0])
                    what = f"the case {case.name} is already not applicable because of {place}"
                    yield self.document.fail(way, what, "list each case once, with one reason")

    def _position(self, way: Path_) -> Place:
        return self.document.place(*way)


def _named(row: Mapping[str, Any], way: Path_) -> Iterator[tuple[str, str, Path_]]:
    for kind in ("requirements", "cases"):
        for index, name in enumerate(row.get(kind, ())):
            yield kind, name, (*way, kind, index)


def _near(name: str, known: Iterable[str]) -> str:
    hint = did_you_mean(name, known)
    return (
        hint
        if hint.startswith("did")
        else "kill-session-conformance explain shows requirements and cases; correct the name, or remove it"
    )


def _like(statement: str, statements: Iterable[Template]) -> str:
    """The statement of the cases that is most like this one."""
    texts = [
        "".join(piece if isinstance(piece, str) else f"{{{piece.text}}}" for piece in template.pieces)
        for template in statements
    ]
    close = difflib.get_close_matches(statement, texts, n=1)
    return f"did you mean {close[0]!r}?" if close else "write it as in the case, or remove the spelling"
