"""What cases need of a target besides an administrator who logs in and reads the list."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from runner.database.profile import Profile
from runner.execution.applicability import withheld
from runner.language.model import ADMINISTRATOR as DSNS_USER
from runner.language.model import Case, Create, Expect, Leave, Repeat, Say, Step, Wait, flat

USERS = "users"
TABLE = "table"
ROLE = "role"
"""A role can be made and dropped."""

ADMINISTRATOR = "administrator"
"""The DSN's user can end every user's sessions, whoever may do so on such a server."""

OTHERS = "others"
"""The administrator's list shows other users' sessions: else nobody knows of a number that it is no session's."""

ROUTE = "route"
"""Ids can be found in the list, and it is the list of the server that runs the statements."""


def privilege(name: str) -> str:
    """The need of a user who is granted this privilege."""
    return f"privilege {name}"


def word(name: str) -> str:
    """The need of a word of the vocabulary that the target can be told in some spelling."""
    return f"word {name}"


def error_class(name: str) -> str:
    """The need of a class of errors that the profile defines: without it, nobody can tell whether an error is one."""
    return f"error-class {name}"


def needs_of(case: Case) -> frozenset[str]:
    """All that a case needs."""
    return frozenset(_needs_of(case))


def _needs_of(case: Case) -> Iterator[str]:
    for spec in case.sessions:
        if spec.same_user_as != DSNS_USER:
            yield USERS
        yield from map(privilege, spec.grants)
    if case.table is not None:
        yield TABLE
    if case.needs_ids:
        yield ROUTE
    acting = {spec.name for spec in case.sessions if spec.same_user_as == DSNS_USER}
    for step in flat(case.steps):
        yield from _needs_of_step(step)
        if isinstance(step, Say) and step.session in acting:
            yield from _needs_of_the_administrator(step)


def _needs_of_step(step: Step) -> Iterator[str]:
    for expect in () if isinstance(step, Create | Leave | Repeat | Wait) else step.reply:
        if expect.error_class is not None:
            yield error_class(expect.error_class)
    if not isinstance(step, Say):
        return
    if any(hole.word == "role" for hole in step.statement.holes):
        yield ROLE
    for hole in step.statement.holes:
        if hole.unused or hole.number is not None:
            yield OTHERS
        if hole.word is not None and hole.word not in {"table", "role"}:
            yield word(hole.word)


def _needs_of_the_administrator(step: Say) -> Iterator[str]:
    if step.statement.names_ids:
        yield ADMINISTRATOR
    granted = _GRANT.match(step.statement.text)
    if granted is not None and Expect("error") not in step.reply:
        yield privilege(granted[1])


_GRANT = re.compile(r"GRANT ([A-Z]+(?: [A-Z]+)*) TO ")
"""A system privilege in a statement of the cases; a role stands there as ${role}."""


@dataclass(frozen=True)
class Needs:
    """The needs of many cases: which cases each of them keeps from being decided."""

    cases: tuple[Case, ...]
    withheld: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The cases that are not sent, by the reason."""

    @classmethod
    def of(cls, cases: Iterable[Case]) -> Needs:
        """The needs of these cases."""
        return cls(tuple(cases))

    @classmethod
    def on(cls, profile: Profile, cases: Iterable[Case]) -> Needs:
        """The needs of those of these cases that apply to such a server and are sent to it."""
        applicable = [case for case in cases if profile.exempts(case.requirement.id, case.id, case.name) is None]
        because = {case.name: reason for case in applicable if (reason := withheld(case, profile)) is not None}
        return cls(
            tuple(case for case in applicable if case.name not in because),
            {why: tuple(name for name in because if because[name] == why) for why in because.values()},
        )

    def all(self) -> frozenset[str]:
        """Every need of any case."""
        return frozenset[str]().union(*map(needs_of, self.cases))

    def cost(self, need: str) -> tuple[str, ...]:
        """The names of the cases that can't be decided without it."""
        return tuple(case.name for case in self.cases if need in needs_of(case))
