"""Reads one case, and checks what the schema can't: all names in it, and the order of its steps."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from runner.language.message_text import did_you_mean
from runner.language.model import (
    ADMINISTRATOR,
    Case,
    KnownOutcome,
    Level,
    Register,
    Send,
    SendHalf,
    SessionSpec,
    Step,
    flat,
)
from runner.language.needed_capabilities import derived_capabilities
from runner.language.problems import SourceError
from runner.language.register import needs_in
from runner.language.session_groups import SessionGroups
from runner.language.step_order import check_order, kept_in, used_in
from runner.language.step_reader import STEP_WORDS, RawStep, StepReader, count_observed
from runner.language.yaml_file import Document, KeyPath


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
        reader = StepReader(self.document, self.register, self.keys, raw, self._groups, names)
        steps = reader.read(self.steps)
        kept = check_order(sessions, steps)
        ends = reader.members(raw.get("ends", ()), ("ends",))
        outcomes = tuple(
            KnownOutcome(
                name,
                reader.reply(("observe", name, "reply"), outcome["reply"]) if "reply" in outcome else (),
                reader.members(outcome["ends"], ("observe", name, "ends")) if "ends" in outcome else None,
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
        if not outcomes and count_observed(steps):
            raise self._fail(("steps",), "a step has reply: observed, which can't fail", "list the allowed replies")
        if outcomes and any(outcome.reply for outcome in outcomes) and count_observed(steps) != 1:
            raise self._fail(
                ("observe",),
                f"{count_observed(steps)} steps have reply: observed",
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

    def _sessions(self) -> tuple[SessionSpec, ...]:
        base: KeyPath = (*self.keys, "sessions") if "sessions" in self.raw else ("sessions",)
        specs: dict[str, SessionSpec] = {}
        for name, spec in self._declared.items():
            if name in STEP_WORDS or name == ADMINISTRATOR:
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
            raise self.document.fail(
                (*keys, "quoted"), "quoted can't be combined with name_extends", "remove one of the keys"
            )
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

    def _fail(self, keys: KeyPath, what: str, hint: str) -> SourceError:
        return self.document.fail((*self.keys, *keys), what, hint)
