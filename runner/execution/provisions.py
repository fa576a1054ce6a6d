"""Users, a table and a role for one run of a case: made by the administrator, and removed again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from runner.database.naming import new_password
from runner.database.outcome import Outcome, Rows, ServerError, answered, succeeded
from runner.database.poll import Poll
from runner.database.session import Session
from runner.database.target import Target, TargetError
from runner.execution.transcript import Transcript
from runner.execution.verdict import InconclusiveError
from runner.language.model import ADMINISTRATOR, SessionSpec

_RETRIES = 3.0  # seconds in which a user that can't be dropped is tried again


@dataclass
class Account:
    """A user that a case logs in as. ``ours``: the case's own, so that nobody else has a session of it."""

    user: str
    password: str = field(repr=False)
    ours: bool = True


class Provisions:
    """Makes and removes what a case needs on the server besides sessions."""

    def __init__(self, target: Target, transcript: Transcript) -> None:
        self._target = target
        self._transcript = transcript
        self._accounts: list[Account] = []
        self._table_name = ""
        self._role: str | None = None
        self._cut_off = False
        """Whether the administrator was not answered any more when it was to clear up."""
        self.table: str | None = None

    def account(self, spec: SessionSpec) -> Account:
        """A user for a session, created and granted what it declares; only its name, if the steps create it.

        Raises:
            InconclusiveError: the target refuses.
        """
        account = Account(self._target.names.new(), new_password())
        self._accounts.append(account)  # before it is created: an error may come after the effect
        if not spec.create:
            return account
        profile = self._target.profile
        for statement in profile.statements("create_user", user=account.user, password=account.password):
            self._prepare(statement)
        for privilege in spec.grants:
            for statement in profile.grants(privilege, account.user):
                self._prepare(statement)
        return account

    def make_table(self, rows: tuple[tuple[int, int], ...], accounts: Iterable[Account]) -> None:
        """Makes the case's table for these users.

        Raises:
            InconclusiveError: the target refuses.
        """
        profile = self._target.profile
        self._table_name = self._target.names.new()
        administrator = self._target.dsn.account.upper()
        self.table = profile.statement("table_name", administrator=administrator, name=self._table_name)
        for statement in profile.statements("create_table", table=self.table, name=self._table_name):
            self._prepare(statement)
        for row_id, val in rows:
            self._prepare(profile.statement("insert_row", table=self.table, id=row_id, val=val))
        self._prepare("COMMIT")
        for user in {account.user for account in accounts if account.ours}:
            for statement in profile.statements("grant_table", table=self.table, user=user):
                self._prepare(statement)

    @property
    def role(self) -> str:
        """The name of a role of the case's own; whoever creates it, it is dropped with the case."""
        if self._role is None:
            self._role = self._target.names.new()
        return self._role

    def clear(self) -> list[str]:
        """Drops the table, the role and the users; says what could not be removed. The sessions have to be closed."""
        profile = self._target.profile
        left: list[str] = []
        if self.table is not None:
            left += self._remove(profile.statements("drop_table", table=self.table, name=self._table_name))
        if self._role is not None:
            left += self._remove(profile.statements("drop_role", role=self._role))
        for account in self._accounts:
            statements = profile.statements("drop_user", user=account.user)
            poll = Poll(_RETRIES)
            # The steps may have dropped it, or never made it; a session that is winding down may still hold it.
            while (trouble := self._remove(statements)) and self._exists(account):
                if self._cut_off or not poll.again():
                    left += trouble
                    break
        return left

    def _remove(self, statements: list[str]) -> list[str]:
        left = []
        for statement in statements:
            if self._cut_off:
                left.append(f"{statement}: not sent")
                continue
            try:
                outcome = self._target.administer(statement)
            except TargetError as error:
                self._cut_off = True
                left.append(f"{statement}: {error}")
                continue
            if not succeeded(outcome):
                left.append(f"{statement}: {outcome}")
        return left

    def _exists(self, account: Account) -> bool:
        try:
            answer = self._target.administer(self._target.profile.statement("list_users", prefix=account.user))
        except TargetError:
            self._cut_off = True
            return True
        if isinstance(answer, Rows):
            return (account.user,) in answer.values
        if not answered(answer):
            self._cut_off = True
            return True
        visitor = Session(self._target.login(account.user, account.password))
        outcome = visitor.open(self._target.limits.connect)
        visitor.close()
        return not isinstance(outcome, ServerError)

    def _prepare(self, statement: str) -> None:
        _require(statement, self._administer(statement))

    def _administer(self, statement: str) -> Outcome:
        since = self._transcript.now_ms()
        self._transcript.add(ADMINISTRATOR, "says", statement, manual=statement, setup=True)
        outcome = self._target.administer(statement)
        self._transcript.add(ADMINISTRATOR, "hears", str(outcome), since=since, setup=True)
        return outcome


def _require(statement: str, outcome: Outcome) -> None:
    if not succeeded(outcome):
        raise InconclusiveError(f"preparing failed: {statement} is answered with {outcome}")
