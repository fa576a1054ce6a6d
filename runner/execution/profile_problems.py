"""The problems of a profile, found before a run: unknown names, and spellings that the guard would reject.

An unknown name has no effect, or makes servers deviate. A name is known if the cases of the run or the suite's own
cases have it: one profile can be used with several registers.
"""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from runner.database.profile import Profile, Spelling
from runner.execution.applicability import exempted
from runner.language.default_folders import shown_path
from runner.language.guarded_statements import ShapeProblem, is_guarded, shape_problem
from runner.language.message_text import did_you_mean
from runner.language.model import Case, Send, flat
from runner.language.placeholder_text import Hole, Template
from runner.language.problems import Place, SourceError
from runner.language.suite import Suite, own_suite
from runner.language.yaml_file import Document, KeyPath

_ANY = "\N{OBJECT REPLACEMENT CHARACTER}"
"""Replaces ids, user names and the like; no profile contains this character."""


def check_profile(profile: Profile, suite: Suite, cases: Sequence[Case] | None = None) -> None:
    """Checks every name in a profile, and the guarded statements that its spellings produce.

    Args:
        profile: the profile, read from a file.
        suite: the register and the cases of the run.
        cases: the cases whose statements are sent; None: all of the suite.

    Raises:
        SourceError: the first problem.
    """
    problems = list(profile_problems(profile, suite, cases))
    if len(problems) > 1:
        first = problems[0]
        path = profile.document.path if profile.document is not None else first.place.path
        more = f"kill-session-conformance lint {shown_path(path)} shows all {len(problems)} problems"
        raise SourceError(first.place, first.what, f"{first.hint} ({more})")
    if problems:
        raise problems[0]


def profile_problems(profile: Profile, suite: Suite, cases: Sequence[Case] | None = None) -> list[SourceError]:
    """All problems of a profile, in the order of its file; the arguments are those of ``check_profile``."""
    own = own_suite()
    if profile.document is None or not (own.cases or suite.cases):
        return []  # not from a file, or no cases to check it against
    check = _Check(profile, profile.document, [suite] if suite.folders == own.folders else [own, suite])
    spelled = _problems_of_shapes(profile, profile.document, suite.cases if cases is None else cases)
    return sorted([*check.problems(), *spelled], key=lambda problem: problem.place)


def _problems_of_shapes(profile: Profile, document: Document, cases: Iterable[Case]) -> Iterator[SourceError]:
    """One problem for each reason why the guard would reject statements that a spelling produces."""
    found: dict[tuple[Spelling, str], list[tuple[Case, str, ShapeProblem]]] = {}
    for case in cases:
        if exempted(case, profile) is not None:
            continue
        for step in flat(case.steps):
            if not isinstance(step, Send):
                continue
            statement = step.statement.literal
            spelling, spelled = profile.spelling_of(statement), profile.spell(statement)
            if spelling is None or not is_guarded(step.statement, statement, spelled, case.vocabulary):
                continue
            words, routines = profile.spelled_words, profile.spelled_routines
            if (wrong := shape_problem(spelled, case.vocabulary, words, routines)) is not None:
                found.setdefault((spelling, wrong.what), []).append((case, spelled, wrong))
    for (spelling, _), uses in found.items():
        case, spelled, wrong = uses[0]
        others = len({case.name for case, _, _ in uses}) - 1
        also = f" (also in {others} other case{'s' * (others > 1)})" if others else ""
        yield document.fail(
            ("spellings", profile.spellings.index(spelling), "becomes"),
            f"the case {case.name} is sent as {spelled!r}{also}: {wrong.what}",
            f"change the spelling, or name under lacks what the server doesn't have; {wrong.hint}",
        )


@dataclass(frozen=True)
class _Check:
    """One check of a profile.

    Attributes:
        profile: the profile.
        document: its file.
        suites: the suites that may have a name; of cases with the same name, the last suite's is used.
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
        capabilities = {name for suite in self.suites for name in suite.capabilities}
        yield from self._unknown("lacks", "capability", capabilities)
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

    def _twice(self, keys: KeyPath, rows: Sequence[Any], what: str) -> Iterator[SourceError]:
        for index, row in enumerate(rows):
            if row in rows[:index]:
                place = self.document.place(*keys, rows.index(row))
                yield self.document.fail((*keys, index), f"{what} is already in {place}", "keep one of them")

    # Spellings

    @cached_property
    def _statements(self) -> Mapping[str, Template]:
        return {
            step.statement.text: step.statement
            for case in self._cases.values()
            for step in flat(case.steps)
            if isinstance(step, Send)
        }

    def _withheld(self) -> Iterator[SourceError]:
        """Entries that match no statement: they are misspelt, and would protect no server."""
        if not self.profile.withheld:
            return
        sent = [self.profile.spell(statement.literal) for statement in self._statements.values()]
        for index, each in enumerate(self.profile.withheld):
            if not any(each.statement.search(text) for text in sent):
                what = f"no case sends a statement that matches {each.statement.pattern!r}"
                yield self.document.fail(
                    ("withheld", index, "statement"), what, "correct the expression, or remove the entry"
                )

    def _spellings(self) -> Iterator[SourceError]:
        # The others are derived from sql.
        written = self.profile.spellings[: len(self.document.data.get("spellings", ()))]
        if not written:
            return
        statements = self._statements
        sent = {text for statement in statements.values() for text in self._sent(statement)}
        taken: dict[str, int] = {}
        for index, spelling in enumerate(written):
            keys = ("spellings", index, "statement")
            matched = [text for text in sent if spelling.apply(text) is not None]
            if not matched:
                what = f"no case sends the statement {spelling.statement!r}"
                yield self.document.fail(keys, what, _like(spelling.statement, statements.values()))
            elif all(text in taken for text in matched):
                place = self.document.place("spellings", taken[matched[0]])
                yield self.document.fail(
                    keys, f"never used: {place} already matches all its statements", "move it up, or remove one"
                )
            for text in matched:
                taken.setdefault(text, index)

    def _sent(self, statement: Template) -> Iterator[str]:
        """The texts of a statement that spellings are matched with; several if a word has several spellings."""
        choices = [(piece,) if isinstance(piece, str) else self._filled(piece) for piece in statement.pieces]
        for pieces in itertools.product(*choices):
            yield "".join(pieces).rstrip().removesuffix(";")

    def _filled(self, hole: Hole) -> tuple[str, ...]:
        if hole.word == "table":
            return (self.profile.statement("table_name", administrator=_ANY, name=_ANY),)
        spelled = self.profile.words.get(hole.word or "", (_ANY,))
        return tuple(text.format(seconds=_ANY) for text in spelled)

    # Exemptions

    def _exemptions(self) -> Iterator[SourceError]:
        requirements = {name for suite in self.suites for name in suite.requirements}
        first: dict[tuple[str, str], KeyPath] = {}
        for index, row in enumerate(self._data.get("not_applicable", ())):
            keys: KeyPath = ("not_applicable", index)
            if not row.get("requirements") and not row.get("cases"):
                yield self.document.fail(keys, "has neither requirements nor cases", "add some, or remove the entry")
            for kind, name, place in _named(row, keys):
                if (kind, name) in first:
                    stands = self.document.place(*first[kind, name])
                    yield self.document.fail(place, f"{name} is already in {stands}", "keep one of them")
                    continue
                first[kind, name] = place
                if kind == "requirements" and name not in requirements:
                    yield self.document.fail(place, f"unknown requirement {name!r}", _near(name, requirements))
                if kind == "cases":
                    yield from self._unknown_case(name, place)
        if first:
            yield from self._overlaps(first)
            yield from self._lacking(first)

    def _unknown_case(self, name: str, place: KeyPath) -> Iterator[SourceError]:
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

    def _overlaps(self, named: Mapping[tuple[str, str], KeyPath]) -> Iterator[SourceError]:
        """Cases that two entries exempt: only the first reason would be shown."""
        reported: set[KeyPath] = set()
        for case in self._cases.values():
            wanted = dict.fromkeys((("requirements", case.requirement.id), ("cases", case.id), ("cases", case.name)))
            key_paths = sorted((keys for key in wanted if (keys := named.get(key)) is not None), key=self._position)
            for keys in key_paths[1:]:
                if keys[:2] != key_paths[0][:2] and keys not in reported:
                    reported.add(keys)
                    place = self.document.place(*key_paths[0])
                    what = f"the case {case.name} is already not applicable because of {place}"
                    yield self.document.fail(keys, what, "list each case once, with one reason")

    def _lacking(self, named: Mapping[tuple[str, str], KeyPath]) -> Iterator[SourceError]:
        """Names whose cases all need a capability that the profile lacks: their reason would not be shown."""
        for (_, name), keys in named.items():
            cases = [case for case in self._cases.values() if name in {case.requirement.id, case.id, case.name}]
            lacking = [{*case.needs} & {*self.profile.lacks} for case in cases]
            if cases and all(lacking):
                place = self.document.place("lacks", min(lacking[0]))
                what = f"{name} is already not applicable because of {place}"
                yield self.document.fail(keys, what, "remove it: its cases need what the profile lacks")

    def _position(self, keys: KeyPath) -> Place:
        return self.document.place(*keys)


def _named(row: Mapping[str, Any], keys: KeyPath) -> Iterator[tuple[str, str, KeyPath]]:
    for kind in ("requirements", "cases"):
        for index, name in enumerate(row.get(kind, ())):
            yield kind, name, (*keys, kind, index)


def _near(name: str, known: Iterable[str]) -> str:
    hint = did_you_mean(name, known)
    return (
        hint
        if hint.startswith("did")
        else "kill-session-conformance explain shows requirements and cases; correct the name, or remove it"
    )


def _like(statement: str, statements: Iterable[Template]) -> str:
    """A hint with the most similar statement of the cases."""
    texts = [
        "".join(piece if isinstance(piece, str) else f"{{{piece.text}}}" for piece in template.pieces)
        for template in statements
    ]
    close = difflib.get_close_matches(statement, texts, n=1)
    return f"did you mean {close[0]!r}?" if close else "write it as in the case, or remove the spelling"
