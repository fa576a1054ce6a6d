"""The prerequisites of cases: what a target needs besides an administrator who can read the process list."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from runner.database.profile import Profile
from runner.execution.applicability import exempted, withheld
from runner.language.model import ADMINISTRATOR as DSNS_USER
from runner.language.model import Case, ExpectedReply, Send, Step, flat, replies_of

USERS = "users"
TABLE = "table"
ROLE = "role"
"""Roles can be created and dropped."""

ADMINISTRATOR = "administrator"
"""The DSN's user can kill the sessions of all users."""

OTHERS = "others"
"""The administrator's process list shows other users' sessions: otherwise no number is known to be unused."""

ROUTE = "route"
"""The process list has the sessions' ids, and is that of the server that executes the statements."""


def privilege(name: str) -> str:
    """The prerequisite that this privilege can be granted to a user."""
    return f"privilege {name}"


def word(name: str) -> str:
    """The prerequisite that the target accepts an SQL text of this word."""
    return f"word {name}"


def error_class(name: str) -> str:
    """The prerequisite that the profile defines this error class: otherwise no error is known to belong to it."""
    return f"error-class {name}"


def prerequisites_of(case: Case) -> frozenset[str]:
    """The prerequisites of a case."""
    return frozenset(_prerequisites_of(case))


def _prerequisites_of(case: Case) -> Iterator[str]:
    for spec in case.sessions:
        if spec.same_user_as != DSNS_USER:
            yield USERS
        yield from map(privilege, spec.grants)
    if case.table is not None:
        yield TABLE
    if case.needs_ids:
        yield ROUTE
    as_administrator = {spec.name for spec in case.sessions if spec.same_user_as == DSNS_USER}
    for step in flat(case.steps):
        yield from _prerequisites_of_step(step)
        if isinstance(step, Send) and step.session in as_administrator:
            yield from _prerequisites_of_administrator(step)


def _prerequisites_of_step(step: Step) -> Iterator[str]:
    for expect in replies_of(step):
        if expect.error_class is not None:
            yield error_class(expect.error_class)
    if not isinstance(step, Send):
        return
    if any(hole.word == "role" for hole in step.statement.holes):
        yield ROLE
    for hole in step.statement.holes:
        if hole.unused or hole.number is not None:
            yield OTHERS
        if hole.word is not None and hole.word not in {"table", "role"}:
            yield word(hole.word)


def _prerequisites_of_administrator(step: Send) -> Iterator[str]:
    if step.statement.contains_ids:
        yield ADMINISTRATOR
    granted = _GRANT.match(step.statement.text)
    if granted is not None and ExpectedReply("error") not in step.reply:
        yield privilege(granted[1])


_GRANT = re.compile(r"GRANT ([A-Z]+(?: [A-Z]+)*) TO ")
"""A GRANT of a system privilege; a role is ${role} there."""


@dataclass(frozen=True)
class Prerequisites:
    """The prerequisites of many cases, and the cases that need each of them."""

    cases: tuple[Case, ...]
    withheld: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The cases with withheld statements, by the reason."""

    @classmethod
    def of(cls, cases: Iterable[Case]) -> Prerequisites:
        """The prerequisites of these cases."""
        return cls(tuple(cases))

    @classmethod
    def on(cls, profile: Profile, cases: Iterable[Case]) -> Prerequisites:
        """The prerequisites of the cases that are applicable with this profile and not withheld."""
        applicable = [case for case in cases if exempted(case, profile) is None]
        because = {case.name: reason for case in applicable if (reason := withheld(case, profile)) is not None}
        return cls(
            tuple(case for case in applicable if case.name not in because),
            {why: tuple(name for name in because if because[name] == why) for why in because.values()},
        )

    def all(self) -> frozenset[str]:
        """All prerequisites of all cases."""
        return frozenset[str]().union(*map(prerequisites_of, self.cases))

    def affected_by(self, prerequisite: str) -> tuple[str, ...]:
        """The names of the cases that can't be decided without a prerequisite."""
        return tuple(case.name for case in self.cases if prerequisite in prerequisites_of(case))
