"""Reads one case: every name in it is checked, which the schema can't."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runner.language.casefolders import REGISTER_NAME
from runner.language.model import (
    ADMINISTRATOR,
    REPLY_WORDS,
    Await,
    Case,
    Connect,
    Create,
    Execute,
    Expect,
    Leave,
    Level,
    ListedSession,
    Outcome,
    Register,
    Repeat,
    Reply,
    Say,
    SessionSpec,
    Step,
    Wait,
    flat,
)
from runner.language.problems import Place, SourceError, did_you_mean
from runner.language.shape import fault
from runner.language.template import Template, parse_template
from runner.language.yamlfile import Document, Path_

_VERBS = {
    "abort": (),
    "await": ("reply",),
    "connect": ("reply", "as", "new_id_than"),
    "create": (),
    "disconnect": (),
    "execute": ("reply",),
    "repeat": ("steps",),
    "wait": (),
}
"""What a step does that sends no new statement, and which words may go with it."""
_STEP_WORDS = frozenset(
    {"reply", "prepared", "prepare", "do", *_VERBS, *itertools.chain.from_iterable(_VERBS.values())}
)
_CASE_WORDS = frozenset({"table", "role"})


@dataclass(frozen=True)
class RawStep:
    """A step as a file has it, its parameters filled in.

    Attributes:
        way: where it stands, from the case on.
        sets_state: whether it stands in a parameter's value, and a step ``do`` has put it in its place.
    """

    way: Path_
    data: Mapping[str, Any]
    sets_state: bool = False


@dataclass(frozen=True)
class CaseReader:
    """Reads one case.

    Args:
        document: the file, for the places of what is wrong.
        register: the requirements and words that the case may name.
        way: where the case stands in the document.
        raw: what it says, its parameters filled in.
        steps: its steps, those of its states included.
    """

    document: Document
    register: Register
    way: Path_
    raw: Mapping[str, Any]
    steps: tuple[RawStep, ...]

    def read(self, label: str) -> Case:
        """The case; ``label`` tells its parameters.

        Raises:
            SourceError: it names what is not there, or doesn't fit together.
        """
        raw = self.raw
        if raw["requirement"] not in self.register.requirements:
            known = self.register.requirements
            raise self._fail(
                ("requirement",),
                f"unknown requirement {raw['requirement']!r}",
                did_you_mean(raw["requirement"], known),
            )
        requirement = self.register.requirements[raw["requirement"]]
        sessions = self._sessions()
        names = [spec.name for spec in sessions]
        steps = tuple(self._step(step, names) for step in self.steps)
        self._check_executing(steps)
        ends = frozenset(self._known(name, names, ("ends",)) for name in raw.get("ends", ()))
        outcomes = tuple(
            Outcome(
                name,
                self._reply(("observe", name, "reply"), outcome["reply"], names) if "reply" in outcome else (),
                frozenset(self._known(ended, names, ("observe", name, "ends")) for ended in outcome["ends"])
                if "ends" in outcome
                else None,
                outcome.get("connection"),
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
            alone=raw.get("alone", self.document.data.get("alone", False)),
            watch=raw.get("watch", 0),
            settle_times=raw.get("settle_times", 1),
            place=self.document.place(*self.way),
            vocabulary=self.register.vocabulary,
            label=label,
        )

    def _check_observing(self, level: Level, outcomes: tuple[Outcome, ...], steps: tuple[Step, ...]) -> None:
        if (level is Level.OBSERVE) != bool(outcomes):
            raise self._fail(
                ("observe",) if outcomes else ("requirement",),
                f"the requirement's level is {level.value}, and the case has {'' if outcomes else 'no '}observe",
                "cases of level observe list outcomes under observe; other cases claim replies and ends",
            )
        if "repeat" in self.raw and not outcomes:
            raise self._fail(("repeat",), "only a case of level observe can repeat", "use parameters, or remove it")
        if "ends" in self.raw and outcomes:
            raise self._fail(
                ("ends",), "a case of level observe lists the ended sessions in its outcomes", "move it there"
            )
        if not outcomes and any(expect.kind == "any" for step in flat(steps) for expect in getattr(step, "reply", ())):
            raise self._fail(("steps",), "a step has reply: any, which can't fail", "list the allowed replies")
        open_steps = sum(
            any(expect.kind == "any" for expect in step.reply) for step in flat(steps) if hasattr(step, "reply")
        )
        if outcomes and any(outcome.reply for outcome in outcomes) and open_steps != 1:
            raise self._fail(
                ("observe",),
                f"{open_steps} steps have reply: any",
                "exactly one step needs it: the outcomes list its replies",
            )

    def _sessions(self) -> tuple[SessionSpec, ...]:
        own = "sessions" in self.raw
        raw = self.raw["sessions"] if own else self.document.data.get("sessions")
        if raw is None:
            raise self._fail(
                (), "the case has no sessions", "define them in the case, or for all cases at the top of the file"
            )
        base: Path_ = (*self.way, "sessions") if own else ("sessions",)
        specs: dict[str, SessionSpec] = {}
        for name, spec in raw.items():
            if name in _STEP_WORDS or name == ADMINISTRATOR:
                raise self.document.fail(
                    (*base, name), f"a session can't have the name {name!r}", "the word is reserved"
                )
            user = spec.get("user")
            if user is not None and user != ADMINISTRATOR and user not in specs:
                raise self.document.fail(
                    (*base, name, "user"),
                    f"there is no earlier session {user!r}",
                    did_you_mean(user, [*specs, ADMINISTRATOR]),
                )
            base_name = spec.get("name_extends")
            ours = [name for name, spec in specs.items() if spec.same_user_as != ADMINISTRATOR]
            if base_name is not None and base_name not in ours:
                raise self.document.fail(
                    (*base, name, "name_extends"),
                    f"there is no earlier session {base_name!r} with a user of the case",
                    did_you_mean(base_name, ours),
                )
            if user is not None and not {"grants", "create", "name_extends"}.isdisjoint(spec):
                raise self.document.fail(
                    (*base, name),
                    "a session of an existing user has no grants and no name_extends",
                    f"move them to {user!r}",
                )
            root = specs[user].same_user_as or user if user in specs else user
            specs[name] = SessionSpec(
                name,
                root,
                tuple(spec.get("grants", ())),
                spec.get("connect", True) and spec.get("create", True),
                spec.get("create", True),
                base_name,
            )
        return tuple(specs.values())

    def _check_executing(self, steps: tuple[Step, ...]) -> None:
        """Checks that what is executed was prepared, since its session connected last."""
        preparing: set[str] = set()
        for step in flat(steps):
            match step:
                case Say(prepares=True):
                    preparing.add(step.session)
                case Connect():
                    preparing.discard(step.session)
                case Execute() if step.session not in preparing:
                    raise SourceError(
                        step.place,
                        f"{step.session} has no prepared statement to execute",
                        f"add a step before it: {step.session} with a statement, and prepare: true",
                    )

    def _step(  # noqa: PLR0911 - a return for each kind of step
        self, step: RawStep, names: list[str]
    ) -> Step:
        way, raw = step.way, step.data
        place = self.document.place(*self.way, *way)
        speakers = [key for key in raw if key not in _STEP_WORDS]
        verbs = [key for key in raw if key in _VERBS] + speakers
        if len(verbs) != 1:
            raise self._fail(
                (*way, verbs[1]) if verbs else way,
                f"a step does one thing; this one does {len(verbs) or 'nothing'}",
                f"write a session's name with its statement, or one of {', '.join(_VERBS)}",
            )
        verb = verbs[0]
        self._only(way, raw, verb, _VERBS.get(verb, ("reply", "prepared", "prepare")))
        if verb in speakers:
            return self._say(step, verb, place, names)
        reply = self._reply((*way, "reply"), raw["reply"], names) if "reply" in raw else ()
        if verb == "wait":
            ((session, state),) = raw["wait"].items()
            return Wait(self._known(session, names, (*way, "wait", session)), state, place, step.sets_state)
        if verb == "repeat":
            return self._repeat(way, raw, names, place)
        session = self._known(raw[verb], names, (*way, verb))
        match verb:
            case "await":
                return Await(session, reply, place)
            case "create":
                return Create(session, place)
            case "execute":
                return Execute(session, reply, place)
            case "connect":
                return self._connect(way, raw, reply, names, place)
        return Leave(session, verb, place)

    def _connect(self, way: Path_, raw: Mapping[str, Any], reply: Reply, names: list[str], place: Place) -> Connect:
        older = raw.get("new_id_than")
        if older is not None:
            self._known(older, names, (*way, "new_id_than"))
        typed = self._template((*way, "as"), raw["as"], names) if "as" in raw else None
        return Connect(raw["connect"], reply, older, place, typed)

    def _say(self, step: RawStep, session: str, place: Place, names: list[str]) -> Say:
        """A statement that a session sends."""
        way, raw = step.way, step.data
        later, unread = (raw.get("reply") == word for word in ("later", "unread"))
        reply = () if later or unread or "reply" not in raw else self._reply((*way, "reply"), raw["reply"], names)
        self._known(session, names, (*way, session))
        statement = self._template((*way, session), raw[session], names)
        self._check_guardable((*way, session), statement)
        if unread and (statement.names_ids or self.register.vocabulary.guards(statement.literal)):
            raise self._fail(
                (*way, "reply"), "the reply to a guarded statement must be read", "write reply: later, or await it"
            )
        prepares = raw.get("prepare", False)
        if prepares and ("prepared" in raw or later or unread):
            raise self._fail(
                (*way, "prepare"),
                "a statement that is only prepared has no other reply",
                "remove prepared and this reply",
            )
        prepared = raw.get("prepared", False)
        return Say(session, statement, reply, later, prepared, place, prepares, unread, step.sets_state)

    def _repeat(self, way: Path_, raw: Mapping[str, Any], names: list[str], place: Place) -> Repeat:
        if "steps" not in raw:
            raise self._fail((*way, "repeat"), "there are no steps to repeat", "add steps: with a list of steps")
        inner = (RawStep((*way, "steps", index), step) for index, step in enumerate(raw["steps"]))
        steps = tuple(self._step(step, names) for step in inner)
        if any(expect.kind == "any" for step in flat(steps) for expect in getattr(step, "reply", ())):
            raise self._fail(
                (*way, "steps"),
                "a repeated step has reply: any, and only one reply can be recorded",
                "list the allowed replies, or move the step behind the repeat",
            )
        return Repeat(raw["repeat"], steps, place)

    def _check_guardable(self, way: Path_, statement: Template) -> None:
        """Checks that the guard can tell whose sessions a statement could end."""
        vocabulary = self.register.vocabulary
        if statement.names_ids or vocabulary.guards(statement.literal):
            if names := [hole.text for hole in statement.holes if hole.word or hole.part not in {"id", None}]:
                raise self._fail(
                    way,
                    f"${{{names[0]}}} is not allowed in a statement that can kill sessions",
                    "use ${name.id}, ${unused 1} and the like",
                )
            if (found := fault(statement.literal, vocabulary)) is not None:
                raise self._fail(way, found.what, found.hint)
        elif not statement.is_word and not vocabulary.is_harmless(statement.literal):
            raise self._fail(
                way,
                f"unknown whether {statement.text!r} can kill sessions",
                f"if it can't, add its first words to harmless in {REGISTER_NAME}; otherwise write ids as ${{name.id}}",
            )

    def _only(self, way: Path_, raw: Mapping[str, Any], verb: str, allowed: tuple[str, ...]) -> None:
        for key in raw:
            if key != verb and key not in allowed:
                raise self._fail((*way, key), f"{key!r} can't be combined with {verb!r}", did_you_mean(key, allowed))

    def _reply(self, way: Path_, raw: Any, names: list[str]) -> Reply:
        alternatives = raw if isinstance(raw, list) else [raw]
        return tuple(self._expect(way, alternative, names) for alternative in alternatives)

    def _expect(self, way: Path_, raw: Any, names: list[str]) -> Expect:
        if isinstance(raw, str):
            known = (*REPLY_WORDS, *self.register.vocabulary.errors)
            if raw in {"later", "unread"}:
                raise self._fail(
                    way,
                    f"the reply {raw!r} is not allowed here",
                    f"{raw} can only be the single reply of a statement; await it",
                )
            if raw not in known:
                raise self._fail(way, f"unknown reply {raw!r}", did_you_mean(raw, known))
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
            else tuple(
                tuple(None if value is None else self._template(way, str(value), names) for value in row)
                for row in rows
            ),
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
                raise self._fail(way, f"unknown name ${{{hole.word}}}", did_you_mean(hole.word, known))
            if hole.word == "table" and "table" not in self.raw:
                raise self._fail(way, "${table} is used, but the case has no table", "add table: [[1, 0]]")
        return template

    def _known(self, name: str, names: list[str], way: Path_) -> str:
        if name not in names:
            words = [*names, *_STEP_WORDS] if way[:1] == ("steps",) else names
            raise self._fail(way, f"unknown session {name!r}", did_you_mean(name, words))
        return name

    def _fail(self, way: Path_, what: str, hint: str) -> SourceError:
        return self.document.fail((*self.way, *way), what, hint)
