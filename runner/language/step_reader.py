"""Reads the steps of a case and the replies that they claim, and checks the names in them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from runner.language.default_folders import REGISTER_NAME
from runner.language.guarded_statements import shape_problem
from runner.language.message_text import did_you_mean
from runner.language.model import (
    OBSERVED,
    REPLY_WORDS,
    Check,
    Claim,
    Connect,
    Create,
    Disconnect,
    Execute,
    ExpectedReply,
    ListedSession,
    Pause,
    Receive,
    Register,
    Repeat,
    Reset,
    Send,
    SendHalf,
    Step,
    Wait,
    When,
    flat,
)
from runner.language.placeholder_text import Template, parse_template
from runner.language.problems import Place, SourceError, gathered
from runner.language.session_groups import SessionGroups
from runner.language.yaml_file import Document, KeyPath

_VERBS = {
    "abort": (),
    "receive": ("reply",),
    "change_user": ("to",),
    "check": (),
    "connect": ("reply", "as", "id_differs_from", "client"),
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
_STATES = ("running", "blocked", "gone", "unanswered")
"""The states in steps ``wait`` and ``check``."""
STEP_WORDS = frozenset({*_BESIDE_STATEMENTS, *_STATES, "do", *_VERBS, *itertools.chain.from_iterable(_VERBS.values())})
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
class StepReader:
    """Reads the steps of one case.

    Args:
        document: the file, for the places of errors.
        register: the words that the case may name.
        keys: the place of the case in the document.
        case: the content of the case, with its parameters filled in.
        groups: its groups of sessions.
        names: the names of its sessions.
    """

    document: Document
    register: Register
    keys: KeyPath
    case: Mapping[str, Any]
    groups: SessionGroups
    names: Sequence[str]

    def read(self, raw: Iterable[RawStep]) -> tuple[Step, ...]:
        """Reads the steps of the case.

        Raises:
            SourceError: with the problems of all steps.
        """
        steps: list[Step] = []
        problems: list[SourceError] = []
        for step in raw:
            try:
                steps += [self._step(each) for each in self._for_each_session(step)]
            except SourceError as error:
                problems.append(error)
        if problem := gathered(problems):
            raise problem
        return tuple(steps)

    def _for_each_session(self, step: RawStep) -> Iterator[RawStep]:
        """A step once for each session of the groups that it names."""
        try:
            for data in self.groups.steps(step.data):
                yield replace(step, data=data)
        except ValueError as error:
            raise self._fail(step.keys, str(error), "name one of them, or give both the same count") from None

    def _step(  # noqa: C901, PLR0911 - a return for each kind of step
        self, step: RawStep
    ) -> Step:
        keys, raw = step.keys, step.data
        place = self.document.place(*self.keys, *keys)
        verb = self._verb(step)
        self._only(keys, raw, verb, _VERBS.get(verb, _BESIDE_STATEMENTS))
        if verb not in _VERBS:
            return self._send(step, verb, place)
        reply = self.reply((*keys, "reply"), raw["reply"]) if "reply" in raw else ()
        if verb in {"wait", "check"}:
            ((session, state),) = raw[verb].items()
            self._known(session, (*keys, verb, session))
            return Check(session, state, place) if verb == "check" else Wait(session, state, place, step.sets_state)
        if verb in _INNER:
            inner = self._inner(step, verb)
            return Repeat(raw[verb], inner, place) if verb == "repeat" else self._when(step, inner, place)
        if verb == "pause":
            return Pause(raw[verb], place, self.members(raw.get("idle_sessions", ()), (*keys, "idle_sessions")))
        session = self._known(raw[verb], (*keys, verb))
        match verb:
            case "receive":
                return Receive(session, reply, place)
            case "create":
                return Create(session, place)
            case "execute":
                return Execute(session, reply, place)
            case "connect":
                return self._connect(keys, raw, reply, place)
            case "send_half":
                return SendHalf(session, place)
            case "reset" | "change_user":
                return self._reset(step, session, place)
        return Disconnect(session, verb, place)

    def _verb(self, step: RawStep) -> str:
        """The key that states what a step does: one of the verbs, or the name of the session that sends a statement."""
        keys, raw = step.keys, step.data
        senders = [key for key in raw if key not in STEP_WORDS]
        verbs = [key for key in raw if key in _VERBS] + senders
        if len(verbs) != 1:
            misspelt = [word for word in senders if word not in self.names]
            if len(verbs) > 1 and misspelt:
                known = {*self.names, *STEP_WORDS}
                raise self._fail(
                    (*keys, misspelt[0]), f"unknown key {misspelt[0]!r} in a step", did_you_mean(misspelt[0], known)
                )
            raise self._fail(
                (*keys, verbs[1]) if verbs else keys,
                f"a step has one action; this step has {len(verbs) or 'none'}",
                f"write a session's name with its statement, or one of {', '.join(_VERBS)}",
            )
        return verbs[0]

    def _connect(self, keys: KeyPath, raw: Mapping[str, Any], reply: Claim, place: Place) -> Connect:
        older = raw.get("id_differs_from")
        if older is not None:
            self._known(older, (*keys, "id_differs_from"))
        typed = self._template((*keys, "as"), raw["as"]) if "as" in raw else None
        return Connect(raw["connect"], reply, older, place, typed, raw.get("client"))

    def _reset(self, step: RawStep, session: str, place: Place) -> Reset:
        keys, raw = step.keys, step.data
        if "change_user" in raw and "to" not in raw:
            raise self._fail(
                (*keys, "change_user"),
                "change_user needs a second session, whose user it takes",
                "add to: NAME, that session",
            )
        to = self._known(raw["to"], (*keys, "to")) if "to" in raw else None
        return Reset(session, to, place, step.sets_state)

    def _send(self, step: RawStep, session: str, place: Place) -> Send:
        """A statement that a session sends."""
        keys, raw = step.keys, step.data
        later, unread = (raw.get("reply") == word for word in ("later", "unread"))
        reply = () if later or unread or "reply" not in raw else self.reply((*keys, "reply"), raw["reply"])
        self._known(session, (*keys, session))
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
        statement = self._template((*keys, session), raw[session])
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

    def _when(self, step: RawStep, inner: tuple[Step, ...], place: Place) -> When:
        ((session, reply),) = step.data["when"].items()
        at = (*step.keys, "when", session)
        self._known(session, at)
        condition = self.reply(at, reply)
        for expect in condition:
            if expect.kind in _NO_CONDITIONS or expect.listed:
                raise self._fail(
                    at,
                    f"the reply {expect.kind!r} {'with sessions ' if expect.listed else ''}is no condition",
                    "name replies that don't depend on other steps or on the process list, such as ok or error",
                )
        otherwise = self._inner(step, "when", "otherwise") if "otherwise" in step.data else ()
        return When(session, condition, inner, otherwise, place)

    def _inner(self, step: RawStep, verb: str, key: str = "steps") -> tuple[Step, ...]:
        """The steps inside a step."""
        keys = step.keys
        if key not in step.data:
            raise self._fail((*keys, verb), f"{verb!r} has no steps", "add steps: with a list of steps")
        inner = (RawStep((*keys, key, index), raw, step.sets_state) for index, raw in enumerate(step.data[key]))
        steps = tuple(self._step(each) for raw in inner for each in self._for_each_session(raw))
        if count_observed(steps):
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
                hint = did_you_mean(key, allowed) if allowed else f"a step with {verb!r} has no other key: remove it"
                raise self._fail((*keys, key), f"{key!r} can't be combined with {verb!r}", hint)

    def reply(self, keys: KeyPath, raw: Any) -> Claim:
        """The allowed replies of a step, of a condition or of an outcome.

        Raises:
            SourceError: one is unknown, or names something unknown.
        """
        alternatives = raw if isinstance(raw, list) else [raw]
        return tuple(self._expect(keys, alternative) for alternative in alternatives)

    def _expect(self, keys: KeyPath, raw: Any) -> ExpectedReply:
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
                self._known(session, keys),
                tuple(
                    (column, None if wanted is None else self._template(keys, str(wanted), compared=True))
                    for column, wanted in ({} if fields == _ABSENT else fields).items()
                ),
                absent=fields == _ABSENT,
            )
            for listed, fields in details.get("sessions", {}).items()
            for session in self.groups.names(listed)
        )
        return ExpectedReply(
            "rows",
            values=None
            if rows is None
            else tuple(
                tuple(None if value is None else self._template(keys, str(value), compared=True) for value in row)
                for row in rows
            ),
            columns=tuple(details.get("columns", ())),
            listed=listed,
        )

    def _template(self, keys: KeyPath, text: str, *, compared: bool = False) -> Template:
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
                self._known(hole.session, keys)
            words = {*_CASE_WORDS, *self.register.vocabulary.words}
            if hole.word is not None and hole.word not in words:
                known = {*words, *self.case.get("parameters", {})}
                raise self._fail(keys, f"unknown name ${{{hole.word}}}", did_you_mean(hole.word, known))
            if hole.word == "table" and "table" not in self.case:
                raise self._fail(keys, "${table} is used, but the case has no table", "add table: [[1, 0]]")
        return template

    def members(self, listed: Iterable[str], keys: KeyPath) -> frozenset[str]:
        """The sessions in a list of sessions and groups.

        Raises:
            SourceError: there is no such session.
        """
        found = itertools.chain.from_iterable(map(self.groups.names, listed))
        return frozenset(self._known(name, keys) for name in found)

    def _known(self, name: str, keys: KeyPath) -> str:
        if name not in self.names:
            known = [*self.groups.members, *self.names]
            words = [*known, *STEP_WORDS] if keys[:1] == ("steps",) else known
            is_key = keys[-1] == name and isinstance(keys[-2], int)
            what = "unknown session or step" if is_key else "unknown session"
            raise self._fail(keys, f"{what} {name!r}", did_you_mean(name, words))
        return name

    def _fail(self, keys: KeyPath, what: str, hint: str) -> SourceError:
        return self.document.fail((*self.keys, *keys), what, hint)


def count_observed(steps: tuple[Step, ...]) -> int:
    """The number of steps whose reply is recorded."""
    return sum(OBSERVED in getattr(step, "reply", ()) for step in flat(steps))
