"""Reads a case file into cases: expands parameters and checks every name that the schema can't."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from runner.language.model import (
    ADMINISTRATOR,
    Await,
    Case,
    Connect,
    Expect,
    Level,
    ListedSession,
    Outcome,
    Register,
    Reply,
    Say,
    SessionSpec,
    Step,
    Wait,
)
from runner.language.problems import SourceError, did_you_mean
from runner.language.register import FORMAT, REGISTER_NAME, find_register
from runner.language.template import Template, parse_template, substitute
from runner.language.yamlfile import Document, Path_, read_document

REPLY_WORDS = ("ok", "rows", "success", "error", "same-error", "connection-lost", "any")
_STEP_WORDS = frozenset({"reply", "prepared", "await", "wait", "connect", "new_id_than"})
_CASE_WORDS = frozenset({"table", "role"})


def is_case_file(path: Path) -> bool:
    """Whether a path is a file of cases: YAML in a folder called cases or below one, the register apart."""
    return path.suffix == ".yaml" and path.name != REGISTER_NAME and "cases" in path.parent.parts


def case_files(folder: Path) -> list[Path]:
    """The case files in a folder and below it, in order."""
    return sorted(path for path in folder.rglob("*.yaml") if is_case_file(path.resolve()))


def load_cases(path: Path) -> list[Case]:
    """Reads all cases of a file, each once for every combination of its parameters.

    Raises:
        SourceError: something in the file is not in the language; it says where and what to do.
    """
    document = read_document(path, "case-format.schema.json")
    if document.data["format"] != FORMAT:
        raise document.fail(
            ("format",), f"format {document.data['format']} is not known here", f"this runner reads format {FORMAT}"
        )
    register = find_register(path)
    cases: list[Case] = []
    seen: dict[str, Path_] = {}
    for index, raw in enumerate(document.data["cases"]):
        way: Path_ = ("cases", index)
        if raw["id"] in seen:
            raise document.fail((*way, "id"), f"the id {raw['id']!r} is taken by an earlier case", "ids are unique")
        seen[raw["id"]] = way
        cases.extend(_CaseReader(document, register, way, raw).read())
    return cases


def refuse_duplicates(cases: Iterable[Case]) -> None:
    """Checks that no two files use one case id: ids are how reports of years are compared.

    Raises:
        SourceError: at the second use.
    """
    first: dict[str, Case] = {}
    for case in cases:
        earlier = first.setdefault(case.id, case)
        if earlier.place.path != case.place.path:
            raise SourceError(case.place, f"the id {case.id!r} is taken in {earlier.place}", "ids are unique")


@dataclass(frozen=True)
class _CaseReader:
    """Reads one case; ``way`` is where it stands in the document."""

    document: Document
    register: Register
    way: Path_
    raw: Mapping[str, Any]

    def read(self) -> Iterator[Case]:
        """The case once for each combination of its parameters."""
        parameters = self.raw.get("parameters", {})
        labelled = [list(_labelled(values)) for values in parameters.values()]
        for combination in itertools.product(*labelled):
            values = dict(zip(parameters, (value for _, value in combination), strict=True))
            labels = dict(zip(parameters, (label for label, _ in combination), strict=True))
            yield replace(self, raw={**_filled(self.raw, values), "title": substitute(self.raw["title"], labels)}).case(
                "-".join(labels.values())
            )

    def case(self, label: str) -> Case:
        raw = self.raw
        if raw["requirement"] not in self.register.requirements:
            known = self.register.requirements
            raise self._fail(
                ("requirement",),
                f"no requirement is called {raw['requirement']!r}",
                did_you_mean(raw["requirement"], known),
            )
        requirement = self.register.requirements[raw["requirement"]]
        sessions = self._sessions()
        names = [spec.name for spec in sessions]
        steps = tuple(self._step(("steps", index), step, names) for index, step in enumerate(raw["steps"]))
        ends = frozenset(self._known(name, names, ("ends",)) for name in raw.get("ends", ()))
        outcomes = tuple(
            Outcome(
                name,
                self._reply(("observe", name, "reply"), outcome["reply"], names) if "reply" in outcome else (),
                frozenset(self._known(ended, names, ("observe", name, "ends")) for ended in outcome["ends"])
                if "ends" in outcome
                else None,
                outcome.get("sees"),
            )
            for name, outcome in raw.get("observe", {}).items()
        )
        self._check_observing(requirement.level, outcomes, steps)
        return Case(
            id=raw["id"],
            requirement=requirement,
            title=raw["title"],
            note=raw.get("note", ""),
            sessions=sessions,
            table=tuple((row[0], row[1]) for row in raw["table"]) if "table" in raw else None,
            steps=steps,
            ends=ends,
            outcomes=outcomes,
            repeat=raw.get("repeat", 1),
            place=self.document.place(*self.way),
            label=label,
        )

    def _check_observing(self, level: Level, outcomes: tuple[Outcome, ...], steps: tuple[Step, ...]) -> None:
        if (level is Level.OBSERVE) != bool(outcomes):
            raise self._fail(
                ("observe",) if outcomes else ("requirement",),
                f"the requirement's level is {level.value}, and the case has {'' if outcomes else 'no '}observe",
                "cases of a requirement to observe have outcomes under observe; others claim replies and ends",
            )
        if "repeat" in self.raw and not outcomes:
            raise self._fail(("repeat",), "only a case that observes can repeat", "use parameters, or leave it out")
        if "ends" in self.raw and outcomes:
            raise self._fail(("ends",), "a case that observes says in its outcomes what ends", "move it there")
        open_steps = sum(any(expect.kind == "any" for expect in step.reply) for step in steps if hasattr(step, "reply"))
        if outcomes and any(outcome.reply for outcome in outcomes) and open_steps != 1:
            raise self._fail(
                ("observe",),
                f"{open_steps} steps say reply: any",
                "exactly one does: the outcomes' replies are its reply",
            )

    def _sessions(self) -> tuple[SessionSpec, ...]:
        own = "sessions" in self.raw
        raw = self.raw["sessions"] if own else self.document.data.get("sessions")
        if raw is None:
            raise self._fail((), "the case has no sessions", "name them in the case, or for all cases at the top")
        base: Path_ = (*self.way, "sessions") if own else ("sessions",)
        specs: dict[str, SessionSpec] = {}
        for name, spec in raw.items():
            if name in _STEP_WORDS or name == ADMINISTRATOR:
                raise self.document.fail((*base, name), f"a session can't be called {name!r}", "the word has a meaning")
            user = spec.get("user")
            if user is not None and user != ADMINISTRATOR and user not in specs:
                raise self.document.fail(
                    (*base, name, "user"),
                    f"no earlier session is called {user!r}",
                    did_you_mean(user, [*specs, ADMINISTRATOR]),
                )
            if user is not None and ("grants" in spec or "create" in spec):
                raise self.document.fail(
                    (*base, name), "a session of another one's user has no grants of its own", f"grant them to {user!r}"
                )
            root = specs[user].same_user_as or user if user in specs else user
            specs[name] = SessionSpec(
                name,
                root,
                tuple(spec.get("grants", ())),
                spec.get("connect", True) and spec.get("create", True),
                spec.get("create", True),
            )
        return tuple(specs.values())

    def _step(self, way: Path_, raw: Mapping[str, Any], names: list[str]) -> Step:
        place = self.document.place(*self.way, *way)
        speakers = [key for key in raw if key not in _STEP_WORDS]
        verbs = [key for key in ("await", "wait", "connect") if key in raw] + speakers
        if len(verbs) != 1:
            raise self._fail(
                (*way, verbs[1]) if verbs else way,
                f"a step does one thing, this one {'does ' + str(len(verbs)) if verbs else 'does none'}",
                "a session's name with its statement, or one of await, wait, connect",
            )
        verb = verbs[0]
        self._only(
            way,
            raw,
            verb,
            {"await": ("reply",), "wait": (), "connect": ("reply", "new_id_than")}.get(verb, ("reply", "prepared")),
        )
        if verb == "wait":
            ((session, state),) = raw["wait"].items()
            return Wait(self._known(session, names, (*way, "wait", session)), state, place)
        later = raw.get("reply") == "later"
        reply = () if later or "reply" not in raw else self._reply((*way, "reply"), raw["reply"], names)
        if verb == "await":
            return Await(self._known(raw["await"], names, (*way, "await")), reply, place)
        if verb == "connect":
            older = raw.get("new_id_than")
            if older is not None:
                self._known(older, names, (*way, "new_id_than"))
            return Connect(self._known(raw["connect"], names, (*way, "connect")), reply, older, place)
        session = self._known(verb, names, (*way, verb))
        statement = self._template((*way, verb), raw[verb], names)
        return Say(session, statement, reply, later, raw.get("prepared", False), place)

    def _only(self, way: Path_, raw: Mapping[str, Any], verb: str, allowed: tuple[str, ...]) -> None:
        for key in raw:
            if key != verb and key not in allowed:
                raise self._fail((*way, key), f"{key!r} doesn't go with {verb!r}", did_you_mean(key, allowed))

    def _reply(self, way: Path_, raw: Any, names: list[str]) -> Reply:
        alternatives = raw if isinstance(raw, list) else [raw]
        return tuple(self._expect(way, alternative, names) for alternative in alternatives)

    def _expect(self, way: Path_, raw: Any, names: list[str]) -> Expect:
        if isinstance(raw, str):
            known = (*REPLY_WORDS, *self.register.vocabulary.errors)
            if raw not in known:
                raise self._fail(way, f"no reply is called {raw!r}", did_you_mean(raw, (*known, "later")))
            return Expect(raw)
        ((kind, details),) = raw.items()
        if kind == "ok":
            return Expect("ok", affected=details.get("affected"), warnings=details.get("warnings"))
        rows = details.get("values")
        listed = tuple(
            ListedSession(
                self._known(session, names, way),
                tuple(
                    (column, None if wanted is None else self._template(way, str(wanted), names))
                    for column, wanted in fields.items()
                ),
            )
            for session, fields in details.get("sessions", {}).items()
        )
        return Expect(
            "rows",
            values=None
            if rows is None
            else tuple(tuple(None if value is None else str(value) for value in row) for row in rows),
            columns=tuple(details.get("columns", ())),
            listed=listed,
        )

    def _template(self, way: Path_, text: str, names: list[str]) -> Template:
        try:
            template = parse_template(text)
        except ValueError as error:
            raise self._fail(way, str(error), "see docs/case-language.md") from error
        for hole in template.holes:
            if hole.session is not None:
                self._known(hole.session, names, way)
            words = {*_CASE_WORDS, *self.register.vocabulary.words}
            if hole.word is not None and hole.word not in words:
                known = {*words, *self.raw.get("parameters", {})}
                raise self._fail(way, f"nothing is called ${{{hole.word}}}", did_you_mean(hole.word, known))
            if hole.word == "table" and "table" not in self.raw:
                raise self._fail(way, "${table} is used, but the case makes no table", "add table: [[1, 0]]")
        return template

    def _known(self, name: str, names: list[str], way: Path_) -> str:
        if name not in names:
            words = [*names, *_STEP_WORDS] if way[:1] == ("steps",) else names
            raise self._fail(way, f"no session is called {name!r}", did_you_mean(name, words))
        return name

    def _fail(self, way: Path_, what: str, hint: str) -> SourceError:
        return self.document.fail((*self.way, *way), what, hint)


def _filled(value: Any, parameters: Mapping[str, str]) -> Any:
    """A part of a case with its parameters filled in, in keys too: a parameter may say which session speaks."""
    if isinstance(value, dict):
        return {
            key if key == "parameters" else substitute(key, parameters): _filled(inner, parameters)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [_filled(inner, parameters) for inner in value]
    return substitute(value, parameters) if isinstance(value, str) else value


def _labelled(values: Any) -> Iterator[tuple[str, str]]:
    pairs = values.items() if isinstance(values, dict) else ((value, value) for value in values)
    for label, value in pairs:
        yield re.sub(r"[\s\[\]]+", "_", str(label)), str(value)
