"""Reads one case, and checks what the schema can't: all names in it, and the order of its steps."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from runner.language.capabilities import derived_capabilities
from runner.language.default_folders import REGISTER_NAME
from runner.language.guarded_statements import shape_problem
from runner.language.message_text import did_you_mean
from runner.language.model import (
    ADMINISTRATOR,
    OBSERVED,
    REPLY_WORDS,
    Case,
    Check,
    Claim,
    Connect,
    Create,
    Disconnect,
    Execute,
    ExpectedReply,
    KnownOutcome,
    Level,
    ListedSession,
    Pause,
    Receive,
    Register,
    Repeat,
    Reset,
    Send,
    SendHalf,
    SessionSpec,
    Step,
    Wait,
    When,
    flat,
)
from runner.language.problems import Place, SourceError, gathered
from runner.language.register import needs_in
from runner.language.session_groups import SessionGroups
from runner.language.step_order import check_order, kept_in, used_in
from runner.language.template import Template, parse_template
from runner.language.yaml_file import Document, KeyPath

_VERBS = {
    "abort": (),
    "receive": ("reply",),
    "change_user": ("to",),
    "check": (),
    "connect": ("reply", "as", "id_differs_from"),
    "create": (),
    "disconnect": (),
    "execute": ("reply",),
    "pause": ("idle_sessions",),
    "repeat": ("steps",),
    "reset": (),
    "send_half": (),
    "wait": (),
    "when": ("steps", "otherwise"),
}
"""The keys of steps that send no new statement, and the keys that are allowed beside each of them."""
_BESIDE_STATEMENTS = ("reply", "prepared", "prepare", "keep")
_STEP_WORDS = frozenset({*_BESIDE_STATEMENTS, "do", *_VERBS, *itertools.chain.from_iterable(_VERBS.values())})
_WORD = re.compile("[a-z][a-z0-9_]+")
_CASE_WORDS = frozenset({"table", "role"})
_INNER = {"repeat": "repeated", "when": "conditional"}
"""The keys of steps that contain steps, with the adjective for these."""
_ABSENT = "absent"
_NO_CONDITIONS = frozenset({"same-error", "same-rows", "observed"})


@dataclass(frozen=True)
class RawStep:
    """A step as in the file, with its parameters filled in.

    Attributes:
        keys: its place, from the case on.
        sets_state: whether it is part of a parameter's value, inserted by a step ``do``.
    """

    keys: KeyPath
    data: Mapping[str, Any]
    sets_state: bool = False


@dataclass(frozen=True)
class CaseReader:
    """Reads one case.

    Args:
        document: the file, for the places of errors.
        register: the requirements and words that the case may name.
        keys: the place of the case in the document.
        raw: the content of the case, with its parameters filled in.
        steps: its steps, including those of its states.
        labels: the labels of its parameters' values.
    """

    document: Document
    register: Register
    keys: KeyPath
    raw: Mapping[str, Any]
    steps: tuple[RawStep, ...]
    labels: tuple[str, ...] = ()

    def read(self) -> Case:
        """The case.

        Raises:
            SourceError: it contains an unknown name or a contradiction.
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
        steps = self._all_steps(names)
        kept = check_order(sessions, steps)
        ends = self._members(raw.get("ends", ()), names, ("ends",))
        outcomes = tuple(
            KnownOutcome(
                name,
                self._reply(("observe", name, "reply"), outcome["reply"], names) if "reply" in outcome else (),
                self._members(outcome["ends"], names, ("observe", name, "ends")) if "ends" in outcome else None,
                outcome.get("connection"),
            )
            for name, outcome in raw.get("observe", {}).items()
        )
        self._check_observing(requirement.level, outcomes, steps)
        self._check_halves(steps, ends)
        self._check_kept(kept, steps, outcomes)
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
            settle_factor=raw.get("settle_factor", 1),
            place=self.document.place(*self.keys),
            vocabulary=self.register.vocabulary,
            label="-".join(self.labels),
            needs=self._needs(steps, requirement.needs),
        )

    def _needs(self, steps: tuple[Step, ...], of_requirement: tuple[str, ...]) -> tuple[str, ...]:
        """The needed capabilities: derived from the steps, and stated by the requirement, the file and the case."""
        known = self.register.vocabulary.capabilities
        needed = {*derived_capabilities(steps, self.register.vocabulary), *of_requirement}
        needed.update(needs_in(self.document, ("needs",), self.document.data.get("needs", ()), known))
        stated = self.raw.get("needs", ())
        if not isinstance(stated, Mapping):
            needed.update(needs_in(self.document, (*self.keys, "needs"), stated, known))
            return tuple(name for name in known if name in needed)
        for label, names in stated.items():
            found = needs_in(self.document, (*self.keys, "needs", label), names, known)
            needed.update(found if label in self.labels else ())
        return tuple(name for name in known if name in needed)

    def _check_observing(self, level: Level, outcomes: tuple[KnownOutcome, ...], steps: tuple[Step, ...]) -> None:
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
        if not outcomes and _observing(steps):
            raise self._fail(("steps",), "a step has reply: observed, which can't fail", "list the allowed replies")
        if outcomes and any(outcome.reply for outcome in outcomes) and _observing(steps) != 1:
            raise self._fail(
                ("observe",),
                f"{_observing(steps)} steps have reply: observed",
                "exactly one step needs it: the outcomes list its replies",
            )

    def _check_halves(self, steps: tuple[Step, ...], ends: frozenset[str]) -> None:
        """Checks that a session whose client has sent half a statement is to be killed: it can send no other."""
        for step in flat(steps):
            if isinstance(step, SendHalf) and step.session not in ends:
                raise SourceError(
                    step.place, f"{step.session} can't send anything after send_half", f"add {step.session} to ends"
                )

    def _check_kept(self, kept: frozenset[str], steps: tuple[Step, ...], outcomes: tuple[KnownOutcome, ...]) -> None:
        """Checks that outcomes name values that were kept, and that each kept value is used."""
        for outcome in outcomes:
            if unknown := sorted(kept_in(outcome.reply) - kept):
                raise self._fail(
                    ("observe", outcome.name, "reply"),
                    f"no step has kept {unknown[0]!r}",
                    did_you_mean(unknown[0], kept),
                )
        used = frozenset(itertools.chain(used_in(steps), *(kept_in(outcome.reply) for outcome in outcomes)))
        for step in flat(steps):
            if isinstance(step, Send) and step.keep is not None and step.keep not in used:
                raise SourceError(
                    step.place, f"the kept value {step.keep!r} is not used", f"remove it, or name ${{kept {step.keep}}}"
                )

    @cached_property
    def _declared(self) -> Mapping[str, Mapping[str, Any]]:
        """The sessions and groups of sessions that the case declares, or the file for all its cases."""
        declared = self.raw.get("sessions", self.document.data.get("sessions"))
        if declared is None:
            raise self._fail(
                (), "the case has no sessions", "define them in the case, or for all cases at the top of the file"
            )
        return dict(declared)

    @cached_property
    def _groups(self) -> SessionGroups:
        return SessionGroups.of(self._declared)

    def _members(self, listed: Iterable[str], names: list[str], keys: KeyPath) -> frozenset[str]:
        """The sessions in a list of sessions and groups."""
        found = itertools.chain.from_iterable(map(self._groups.names, listed))
        return frozenset(self._known(name, names, keys) for name in found)

    def _sessions(self) -> tuple[SessionSpec, ...]:
        base: KeyPath = (*self.keys, "sessions") if "sessions" in self.raw else ("sessions",)
        specs: dict[str, SessionSpec] = {}
        for name, spec in self._declared.items():
            if name in _STEP_WORDS or name == ADMINISTRATOR:
                raise self.document.fail(
                    (*base, name), f"a session can't have the name {name!r}", "the word is reserved"
                )
            user = spec.get("user")
            if user is not None and user != ADMINISTRATOR and user not in specs:
                raise self.document.fail(
                    (*base, name, "user"),
                    f"there is no earlier session {user!r}",
                    f"{user!r} is a group: name one of its sessions, such as {self._groups.names(user)[0]!r}"
                    if user in self._groups.members
                    else did_you_mean(user, [*specs, ADMINISTRATOR]),
                )
            if user is not None and not {"grants", "create", "name_extends", "quoted"}.isdisjoint(spec):
                raise self.document.fail(
                    (*base, name),
                    "a session of an existing user has no grants, no name_extends and no quoted",
                    f"move them to {user!r}",
                )
            self._check_user_name((*base, name), spec, specs)
            quoted = spec.get("quoted", False)
            root = specs[user].same_user_as or user if user in specs else user
            for member in self._groups.names(name):
                if member in specs or (member != name and member in self._declared):
                    what = f"the group {name!r} has a session {member!r}, and another session has this name"
                    raise self.document.fail((*base, name), what, "rename one of them")
                specs[member] = SessionSpec(
                    member,
                    root,
                    tuple(spec.get("grants", ())),
                    spec.get("connect", True) and spec.get("create", True),
                    spec.get("create", True),
                    spec.get("name_extends"),
                    bool(quoted),
                    (specs[quoted].same_user_as or quoted) if isinstance(quoted, str) else None,
                )
        return tuple(specs.values())

    def _check_user_name(self, keys: KeyPath, spec: Mapping[str, Any], earlier: Mapping[str, SessionSpec]) -> None:
        """Checks that the sessions exist whose names a new user's name is made from, and that the name is a new one."""
        ours = [name for name, each in earlier.items() if each.same_user_as != ADMINISTRATOR]
        for key in ("name_extends", "quoted"):
            named = spec.get(key)
            if isinstance(named, str) and named not in ours:
                raise self.document.fail(
                    (*keys, key),
                    f"there is no earlier session {named!r} with a user of the case",
                    did_you_mean(named, ours),
                )
        quoted = spec.get("quoted")
        if quoted is not None and "name_extends" in spec:
            raise self.document.fail((*keys, "quoted"), "a quoted name extends no other name", "remove one of the keys")
        if not isinstance(quoted, str):
            return
        owner = earlier[quoted].same_user_as or quoted
        if earlier[owner].quoted:
            raise self.document.fail(
                (*keys, "quoted"), f"the name of {quoted!r} has small letters itself", "name a session without quoted"
            )
        taken = [name for name, each in earlier.items() if each.small_letters_of == owner]
        if taken or "count" in spec:
            other = f"{taken[0]!r} has" if taken else "the sessions of a group would have"
            raise self.document.fail(
                (*keys, "quoted"), f"{other} the same name", "use 'user' for more sessions of one user"
            )

    def _all_steps(self, names: list[str]) -> tuple[Step, ...]:
        """Reads the steps.

        Raises:
            SourceError: with the problems of all steps.
        """
        steps: list[Step] = []
        problems: list[SourceError] = []
        for step in self.steps:
            try:
                steps += [self._step(each, names) for each in self._for_each_session(step)]
            except SourceError as error:
                problems.append(error)
        if problem := gathered(problems):
            raise problem
        return tuple(steps)

    def _for_each_session(self, step: RawStep) -> Iterator[RawStep]:
        """A step once for each session of the groups that it names."""
        try:
            for data in self._groups.steps(step.data):
                yield replace(step, data=data)
        except ValueError as error:
            raise self._fail(step.keys, str(error), "name one of them, or give both the same count") from None

    def _step(  # noqa: C901, PLR0911 - a return for each kind of step
        self, step: RawStep, names: list[str]
    ) -> Step:
        keys, raw = step.keys, step.data
        place = self.document.place(*self.keys, *keys)
        verb = self._verb(step, names)
        self._only(keys, raw, verb, _VERBS.get(verb, _BESIDE_STATEMENTS))
        if verb not in _VERBS:
            return self._send(step, verb, place, names)
        reply = self._reply((*keys, "reply"), raw["reply"], names) if "reply" in raw else ()
        if verb in {"wait", "check"}:
            ((session, state),) = raw[verb].items()
            self._known(session, names, (*keys, verb, session))
            return Check(session, state, place) if verb == "check" else Wait(session, state, place, step.sets_state)
        if verb in _INNER:
            inner = self._inner(step, verb, names)
            return Repeat(raw[verb], inner, place) if verb == "repeat" else self._when(step, inner, names, place)
        if verb == "pause":
            return Pause(raw[verb], place, self._members(raw.get("idle_sessions", ()), names, (*keys, "idle_sessions")))
        session = self._known(raw[verb], names, (*keys, verb))
        match verb:
            case "receive":
                return Receive(session, reply, place)
            case "create":
                return Create(session, place)
            case "execute":
                return Execute(session, reply, place)
            case "connect":
                return self._connect(keys, raw, reply, names, place)
            case "send_half":
                return SendHalf(session, place)
            case "reset" | "change_user":
                return self._reset(step, session, names, place)
        return Disconnect(session, verb, place)

    def _verb(self, step: RawStep, names: list[str]) -> str:
        """The key that states what a step does: one of the verbs, or the name of the session that sends a statement."""
        keys, raw = step.keys, step.data
        senders = [key for key in raw if key not in _STEP_WORDS]
        verbs = [key for key in raw if key in _VERBS] + senders
        if len(verbs) != 1:
            misspelt = [word for word in senders if word not in names]
            if len(verbs) > 1 and misspelt:
                known = {*names, *_STEP_WORDS}
                raise self._fail(
                    (*keys, misspelt[0]), f"unknown key {misspelt[0]!r} in a step", did_you_mean(misspelt[0], known)
                )
            raise self._fail(
                (*keys, verbs[1]) if verbs else keys,
                f"a step does one thing; this one does {len(verbs) or 'nothing'}",
                f"write a session's name with its statement, or one of {', '.join(_VERBS)}",
            )
        return verbs[0]

    def _connect(self, keys: KeyPath, raw: Mapping[str, Any], reply: Claim, names: list[str], place: Place) -> Connect:
        older = raw.get("id_differs_from")
        if older is not None:
            self._known(older, names, (*keys, "id_differs_from"))
        typed = self._template((*keys, "as"), raw["as"], names) if "as" in raw else None
        return Connect(raw["connect"], reply, older, place, typed)

    def _reset(self, step: RawStep, session: str, names: list[str], place: Place) -> Reset:
        keys, raw = step.keys, step.data
        if "change_user" in raw and "to" not in raw:
            raise self._fail(
                (*keys, "change_user"), "change_user has no user", "add to: NAME, the session that has the user"
            )
        to = self._known(raw["to"], names, (*keys, "to")) if "to" in raw else None
        return Reset(session, to, place, step.sets_state)

    def _send(self, step: RawStep, session: str, place: Place, names: list[str]) -> Send:
        """A statement that a session sends."""
        keys, raw = step.keys, step.data
        later, unread = (raw.get("reply") == word for word in ("later", "unread"))
        reply = () if later or unread or "reply" not in raw else self._reply((*keys, "reply"), raw["reply"], names)
        self._known(session, names, (*keys, session))
        if not isinstance(raw[session], str):
            raise self._fail(
                (*keys, session), f"{raw[session]!r} is no statement", "write the statement as text, in single quotes"
            )
        if _WORD.fullmatch(raw[session]):
            raise self._fail(
                (*keys, session),
                f"{raw[session]!r} is no statement",
                "a statement of one word is in capital letters: one in lower case may belong to a misspelt step",
            )
        statement = self._template((*keys, session), raw[session], names)
        self._check_guardable((*keys, session), statement)
        if unread and (statement.contains_ids or self.register.vocabulary.contains_guarded_word(statement.literal)):
            raise self._fail(
                (*keys, "reply"), "the reply to a guarded statement must be read", "write reply: later, or receive it"
            )
        prepares = raw.get("prepare", False)
        if prepares and ("prepared" in raw or later or unread):
            raise self._fail(
                (*keys, "prepare"),
                "a statement that is only prepared has no other reply",
                "remove prepared and this reply",
            )
        keep = raw.get("keep")
        if keep is not None and (other := next((key for key in raw if key not in {session, "keep"}), None)) is not None:
            raise self._fail(
                (*keys, other), "a step that keeps a value only prepares the test", f"remove {other!r}, or keep"
            )
        prepared = raw.get("prepared", False)
        return Send(session, statement, reply, later, prepared, place, prepares, unread, step.sets_state, keep)

    def _when(self, step: RawStep, inner: tuple[Step, ...], names: list[str], place: Place) -> When:
        ((session, reply),) = step.data["when"].items()
        at = (*step.keys, "when", session)
        self._known(session, names, at)
        condition = self._reply(at, reply, names)
        for expect in condition:
            if expect.kind in _NO_CONDITIONS or expect.listed:
                raise self._fail(
                    at,
                    f"the reply {expect.kind!r} {'with sessions ' if expect.listed else ''}is no condition",
                    "name replies that don't depend on other steps or on the process list, such as ok or error",
                )
        otherwise = self._inner(step, "when", names, "otherwise") if "otherwise" in step.data else ()
        return When(session, condition, inner, otherwise, place)

    def _inner(self, step: RawStep, verb: str, names: list[str], key: str = "steps") -> tuple[Step, ...]:
        """The steps inside a step."""
        keys = step.keys
        if key not in step.data:
            raise self._fail((*keys, verb), f"{verb!r} has no steps", "add steps: with a list of steps")
        inner = (RawStep((*keys, key, index), raw, step.sets_state) for index, raw in enumerate(step.data[key]))
        steps = tuple(self._step(each, names) for raw in inner for each in self._for_each_session(raw))
        if _observing(steps):
            raise self._fail(
                (*keys, key),
                f"a {_INNER[verb]} step has reply: observed, and exactly one reply has to be recorded",
                f"list the allowed replies, or move the step behind the {verb}",
            )
        return steps

    def _check_guardable(self, keys: KeyPath, statement: Template) -> None:
        """Checks that the guard can know all sessions that a statement could kill."""
        vocabulary = self.register.vocabulary
        if statement.contains_ids or vocabulary.contains_guarded_word(statement.literal):
            if names := [hole.text for hole in statement.holes if hole.word or hole.part not in {"id", None}]:
                raise self._fail(
                    keys,
                    f"${{{names[0]}}} is not allowed in a statement that can kill sessions",
                    "use ${name.id}, ${unused 1} and the like",
                )
            if (found := shape_problem(statement.literal, vocabulary)) is not None:
                raise self._fail(keys, found.what, found.hint)
        elif not statement.is_word and not vocabulary.is_harmless(statement.literal):
            raise self._fail(
                keys,
                f"unknown whether {statement.text!r} can kill sessions",
                f"if it can't, add its first words to harmless in {REGISTER_NAME}; otherwise write ids as ${{name.id}}",
            )

    def _only(self, keys: KeyPath, raw: Mapping[str, Any], verb: str, allowed: tuple[str, ...]) -> None:
        for key in raw:
            if key != verb and key not in allowed:
                hint = did_you_mean(key, allowed) if allowed else f"{verb!r} has no other key: remove it"
                raise self._fail((*keys, key), f"{key!r} can't be combined with {verb!r}", hint)

    def _reply(self, keys: KeyPath, raw: Any, names: list[str]) -> Claim:
        alternatives = raw if isinstance(raw, list) else [raw]
        return tuple(self._expect(keys, alternative, names) for alternative in alternatives)

    def _expect(self, keys: KeyPath, raw: Any, names: list[str]) -> ExpectedReply:
        if isinstance(raw, str):
            known = (*REPLY_WORDS, *self.register.vocabulary.errors)
            if raw in {"later", "unread"}:
                raise self._fail(
                    keys,
                    f"the reply {raw!r} is not allowed here",
                    f"{raw} can only be the single reply of a statement; receive it",
                )
            if raw not in known:
                raise self._fail(keys, f"unknown reply {raw!r}", did_you_mean(raw, known))
            return ExpectedReply(raw)
        ((kind, details),) = raw.items()
        if kind == "ok":
            return ExpectedReply("ok", affected=details.get("affected"), warnings=details.get("warnings"))
        rows = details.get("values")
        listed = tuple(
            ListedSession(
                self._known(session, names, keys),
                tuple(
                    (column, None if wanted is None else self._template(keys, str(wanted), names, compared=True))
                    for column, wanted in ({} if fields == _ABSENT else fields).items()
                ),
                absent=fields == _ABSENT,
            )
            for listed, fields in details.get("sessions", {}).items()
            for session in self._groups.names(listed)
        )
        return ExpectedReply(
            "rows",
            values=None
            if rows is None
            else tuple(
                tuple(
                    None if value is None else self._template(keys, str(value), names, compared=True) for value in row
                )
                for row in rows
            ),
            columns=tuple(details.get("columns", ())),
            listed=listed,
        )

    def _template(self, keys: KeyPath, text: str, names: list[str], *, compared: bool = False) -> Template:
        """Reads a text with placeholders; ``compared``: it is compared with a reply, and not sent."""
        try:
            template = parse_template(text)
        except ValueError as error:
            raise self._fail(keys, str(error), "see docs/case-language.md") from error
        for hole in template.holes:
            if hole.kept is not None and not compared:
                # A value of the server could be the id of any session: the guard knows only ids of the case.
                raise self._fail(
                    keys,
                    f"${{{hole.text}}} is sent, and kept values are only compared with replies",
                    "write it in the values of a reply: {rows: {values: [[...]]}}",
                )
            if hole.session is not None:
                self._known(hole.session, names, keys)
            words = {*_CASE_WORDS, *self.register.vocabulary.words}
            if hole.word is not None and hole.word not in words:
                known = {*words, *self.raw.get("parameters", {})}
                raise self._fail(keys, f"unknown name ${{{hole.word}}}", did_you_mean(hole.word, known))
            if hole.word == "table" and "table" not in self.raw:
                raise self._fail(keys, "${table} is used, but the case has no table", "add table: [[1, 0]]")
        return template

    def _known(self, name: str, names: list[str], keys: KeyPath) -> str:
        if name not in names:
            known = [*self._groups.members, *names]
            words = [*known, *_STEP_WORDS] if keys[:1] == ("steps",) else known
            is_key = keys[-1] == name and isinstance(keys[-2], int)
            what = "unknown session or step" if is_key else "unknown session"
            raise self._fail(keys, f"{what} {name!r}", did_you_mean(name, words))
        return name

    def _fail(self, keys: KeyPath, what: str, hint: str) -> SourceError:
        return self.document.fail((*self.keys, *keys), what, hint)


def _observing(steps: tuple[Step, ...]) -> int:
    """The number of steps whose reply is recorded."""
    return sum(OBSERVED in getattr(step, "reply", ()) for step in flat(steps))
