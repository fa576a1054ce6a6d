"""The privileges that a new user has without a GRANT, for example through PUBLIC or a default role.

Where these include the privilege under test, the cases about users without it can't be decided: no such user exists.
"""

from __future__ import annotations

from dataclasses import dataclass

from runner.accounts.accounts_check import DEFINES_OBJECTS
from runner.database.administrator_session import TargetError
from runner.database.outcome import Rows, has_reply, succeeded
from runner.database.session import Session
from runner.database.target import Target
from runner.execution.case_errors import InconclusiveError
from runner.execution.fixture_pool import FixturePool
from runner.execution.fixtures import Fixtures
from runner.execution.transcript import Transcript
from runner.language.model import Case, Reset, Send, SessionSpec, flat

_PURPOSE = "session_privileges"
_USER = SessionSpec("a new user")


@dataclass
class DefaultPrivileges:
    """The measurement of a process.

    Attributes:
        privileges: in upper case; None if they were not measured yet.
        left: a line for each statement that failed when the user of a measurement was removed.
    """

    privileges: frozenset[str] | None = None
    left: tuple[str, ...] = ()

    def held_without_grant(self, case: Case, target: Target, pool: FixturePool) -> list[str]:
        """The privileges under test that new users have, if a case is about users without them.

        Args:
            case: the case.
            target: where that is measured, with a new user of its own, until a measurement succeeds.
            pool: lends a prepared account in place of the new user, if no users may be created.
        """
        needed = _privileges_not_granted(case)
        if not needed or _PURPOSE not in target.profile.sql:
            return []
        if self.privileges is None:
            fixtures = Fixtures(target, Transcript(), pool if pool.prepared else None)
            try:
                self.privileges = _privileges_of_a_new_user(target, fixtures)
            finally:
                self.left += tuple(fixtures.remove())
        return sorted(needed & (self.privileges or frozenset()))


def _privileges_not_granted(case: Case) -> set[str]:
    """The privileges under test that the sender of some statement doesn't have, or may have lost in the case."""
    under_test = {privilege.upper() for privilege in case.vocabulary.example.grants}
    specs = {spec.name: spec for spec in case.sessions}
    missing = set[str]()
    for step in flat(case.steps):
        if isinstance(step, Reset) and step.to is not None:
            return under_test
        if not isinstance(step, Send):
            continue
        if DEFINES_OBJECTS.search(step.statement.text):
            return under_test
        spec = specs[step.session]
        if case.vocabulary.contains_guarded_word(step.statement.literal) and spec.same_user_as != "administrator":
            owner = specs.get(spec.same_user_as or spec.name, spec)
            missing |= under_test - {privilege.upper() for privilege in owner.grants}
    return missing


def _privileges_of_a_new_user(target: Target, fixtures: Fixtures) -> frozenset[str] | None:
    """The system privileges that the profile's statement shows to a user without a GRANT; None if it got no reply."""
    try:
        account = fixtures.provide_account(_USER, reusable=False)
    except (InconclusiveError, TargetError):
        return None
    session = Session(target.login(account.user, account.password))
    try:
        if not succeeded(session.open(target.limits.connect)):
            return None
        reply = session.execute(target.profile.statement(_PURPOSE), target.limits.statement)
    finally:
        session.close()
    if isinstance(reply, Rows):
        return frozenset(str(row[0]).upper() for row in reply.values if row)
    return frozenset() if has_reply(reply) else None
