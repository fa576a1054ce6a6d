"""Users, a table and a role for one run of a case: made by the administrator, and removed again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import partial

from runner.database.errorkinds import ErrorKind, kind_of
from runner.database.naming import new_password, new_plain_password
from runner.database.outcome import Outcome, Rows, ServerError, answered, succeeded
from runner.database.poll import Poll
from runner.database.processlist import ProcessList
from runner.database.session import Session
from runner.database.target import Target, TargetError
from runner.execution.accounts import Account, Pool, Table
from runner.execution.transcript import Transcript
from runner.execution.verdict import InconclusiveError
from runner.language.model import ADMINISTRATOR, SessionSpec


class Provisions:
    """Makes and removes what a case needs on the server besides sessions.

    Args:
        pool: lends prepared accounts, or users and tables of earlier cases.
        fresh: whether it has to create all that it can create.
        has_table: whether a table will be made for the users.
    """

    def __init__(
        self,
        target: Target,
        transcript: Transcript,
        pool: Pool | None = None,
        *,
        fresh: bool = True,
        has_table: bool = False,
    ) -> None:
        self._target = target
        self._transcript = transcript
        self._pool = pool or Pool()
        self._reuses = not fresh and self._pool.reuses
        self._has_table = has_table
        self._accounts: list[Account] = []
        self._common: list[tuple[SessionSpec, Account]] = []
        """Those of the accounts that other cases can use, too."""
        self._names: dict[str, str] = {}
        self._table: Table | None = None
        self._outdated: list[Table] = []
        """Tables of earlier cases that have served long enough."""
        self._list: ProcessList | None = None
        self._list_read_at = 0.0
        self.took = False
        """Whether a user or table of an earlier case was taken."""
        self._role: str | None = None
        self.cut_off = False
        """Whether the administrator was not answered any more when it was to clear up."""
        self._unknown = False
        """Whether the server doesn't know the last statement that was to remove something."""
        self.role_taken = False
        """Whether the role was made and not dropped, as far as one can tell without a list of roles."""

    def account(
        self, spec: SessionSpec, begins_like: Account | None = None, *, plain: bool = False, common: bool = True
    ) -> Account:
        """A user for a session, created and granted what it declares; only its name, if the steps create it.

        Args:
            spec: the session.
            begins_like: the account with whose name the new user's name begins.
            plain: whether a step holds its password without quotes, as the specification's example does.
            common: whether other cases can have the user before and after this one.

        Raises:
            InconclusiveError: the target refuses, or no prepared account is free.
        """
        common = common and spec.create and begins_like is None and not plain
        self._take_outdated()
        if self._pool.prepared:
            prepared = self._pool.lend_prepared(spec, self._target)
            self._common.append((spec, prepared))
            return prepared
        if common and self._reuses and (lent := self._lent(spec)) is not None:
            self._common.append((spec, lent))
            self._note_user(spec, lent)
            return lent
        names = self._target.names
        password = new_plain_password() if plain else new_password()
        account = Account(names.new() if begins_like is None else names.extended(begins_like.user), password)
        self._accounts.append(account)  # before it is created: an error may come after the effect
        self._names[f"user of {spec.name}"] = account.user
        if not spec.create:
            return account
        self.create(account)
        for privilege in spec.grants:
            self.grant(account, privilege)
        if common:
            self._common.append((spec, account))
        return account

    def _take_outdated(self) -> None:
        accounts, tables = self._pool.outdated()
        self._accounts += accounts
        self._outdated += tables

    def _lent(self, spec: SessionSpec) -> Account | None:
        """A user of an earlier case; the process list is read once, and only where there can be one."""
        if self._list is None and self._pool.holds(spec):
            self._list_read_at, self._list = time.monotonic(), self._target.process_list()
        if self._list is None:
            return None
        mates = [account.user for account in self._accounts] if self._has_table else None
        return self._pool.lend(spec, self._list, self._list_read_at, mates)

    def _note_user(self, spec: SessionSpec, account: Account) -> None:
        """Takes a user of an earlier case for this one's own."""
        self.took = True
        self._accounts.append(account)
        self._names[f"user of {spec.name}"] = account.user
        profile = self._target.profile
        created = profile.statements("create_user", user=account.user, password=account.password)
        self._note(*created, *(text for each in spec.grants for text in profile.grants(each, account.user)))

    def create(self, account: Account) -> None:
        """Creates an account's user, with the right to log in and nothing else.

        Raises:
            InconclusiveError: the target refuses.
        """
        profile = self._target.profile
        for statement in profile.statements("create_user", user=account.user, password=account.password):
            self._prepare(statement)

    def grant(self, account: Account, privilege: str) -> None:
        """Grants a privilege.

        Raises:
            InconclusiveError: the target refuses.
        """
        for statement in self._target.profile.grants(privilege, account.user):
            self._prepare(statement)

    def make_table(self, rows: tuple[tuple[int, int], ...], accounts: Iterable[Account]) -> None:
        """Makes the case's table for these users.

        Raises:
            InconclusiveError: the target refuses.
        """
        profile = self._target.profile
        users = dict.fromkeys(account.user for account in accounts if not account.administrator)
        lent = self._pool.lend_table(users) if self._reuses else None
        table = self._table = lent or self._create_table()
        self._names["table"] = table.name
        if lent is not None:
            self.took = True
            self._note(*profile.statements("create_table", table=table.text, name=table.name))
            self._empty(table)
        for row_id, val in rows:
            self._prepare(profile.statement("insert_row", table=table.text, id=row_id, val=val))
        self._prepare("COMMIT")
        for user in users:
            grants = profile.statements("grant_table", table=table.text, user=user)
            if user in table.users:
                self._note(*grants)
                continue
            for statement in grants:
                self._prepare(statement)
            table.users.add(user)

    def _empty(self, table: Table) -> None:
        statement = f"DELETE FROM {table.text}"  # noqa: S608 - a table of the suite
        _require(statement, self._target.administer(statement))

    def _create_table(self) -> Table:
        profile = self._target.profile
        name, administrator = self._target.names.new(), self._target.dsn.account.upper()
        table = Table(name, profile.statement("table_name", administrator=administrator, name=name))
        self._names["table"] = name
        for statement in profile.statements("create_table", table=table.text, name=name):
            self._table = table  # before it is created: an error may come after the effect
            outcome = self._answer(statement)
            if isinstance(outcome, ServerError) and "privilege" in profile.classes_of(outcome):
                self._table = None  # nothing was made, so that there is nothing to drop
                raise InconclusiveError(
                    f"needs a table, and {administrator} can't create one (error {outcome.code})", outcome
                )
            _require(statement, outcome)
        return table

    @property
    def table(self) -> str | None:
        """The case's table, as statements name it."""
        return None if self._table is None else self._table.text

    @property
    def role(self) -> str:
        """The name of a role of the case's own; whoever creates it, it is dropped with the case."""
        if self._role is None:
            self._role = self._target.names.new()
        return self._role

    def try_role(self) -> None:
        """Makes a role, looks for it in the list of roles, and drops it again.

        Raises:
            InconclusiveError: the target refuses one of these.
        """
        profile = self._target.profile
        self._prepare(profile.spell(f"CREATE ROLE {self.role}"))
        self.role_taken = True
        if "list_roles" in profile.sql:
            self._prepare(profile.statement("list_roles", prefix=self.role))
        for statement in profile.statements("drop_role", role=self.role):
            self._prepare(statement)
        self.role_taken = False

    def names(self) -> dict[str, str]:
        """The names that were made up: of users, table and role, whether or not they came to be."""
        return self._names if self._role is None else self._names | {"role": self._role}

    def clear(self, *, keep: bool = False, keep_table: bool = False) -> list[str]:
        """Drops the table, the role and the users; says what could not be removed. The sessions have to be closed.

        Args:
            keep: whether the users that other cases can use are as they were made, so that later cases can have them.
            keep_table: the same of the table.
        """
        for spec, account in self._common:
            if account.ours and not keep:
                self._pool.discard(account)
                continue
            self._pool.take_back(spec, account)
            if account.ours:
                self._accounts.remove(account)
        self._common.clear()
        if keep_table and self._table is not None and not self._pool.prepared:
            self._pool.take_back_table(self._table)
            self._table = None
        return self._remove_all()

    def clear_pool(self) -> list[str]:
        """Drops what the cases have left for later ones; says what could not be removed."""
        accounts, tables = self._pool.empty()
        self._accounts += accounts
        self._outdated += tables
        return self._remove_all()

    def _remove_all(self) -> list[str]:
        profile = self._target.profile
        self.cut_off = False
        tables = [*self._outdated, *([] if self._table is None else [self._table])]
        left = [line for table in tables for line in self._drop_table(table)]
        if (role := self._role) is not None:
            statements = profile.statements("drop_role", role=role)
            left += self._drop(statements, lambda: self._role_exists(role))
        for account in self._accounts:
            statements = profile.statements("drop_user", user=account.user)
            left += self._drop(statements, partial(self._exists, account), [f"DROP USER {account.user}"])
        return left

    def _drop_table(self, table: Table) -> list[str]:
        statements = self._target.profile.statements("drop_table", table=table.text, name=table.name)
        return self._drop(statements, lambda: self._listed("list_tables", table.name) is not False)

    def _drop(self, statements: list[str], exists: Callable[[], bool], plain: list[str] | None = None) -> list[str]:
        """Drops something, for a while; with the ``plain`` statements where the server doesn't know the profile's."""
        poll = Poll(self._target.limits.retry)
        # The steps may have dropped it, or never made it; a session that is winding down may still hold it.
        while trouble := self._remove(statements):
            if not self.cut_off and not exists():
                break
            if self._unknown and plain:
                statements, plain = plain, None
            elif self.cut_off or not poll.again():
                return trouble
        return []

    def _remove(self, statements: list[str]) -> list[str]:
        left = []
        self._unknown = False
        for statement in statements:
            if self.cut_off:
                left.append(f"{statement}: not sent")
                continue
            try:
                outcome = self._target.administer(statement)
            except TargetError as error:
                self.cut_off = True
                left.append(f"{statement}: {error}")
                continue
            if not succeeded(outcome):
                self._unknown = isinstance(outcome, ServerError) and kind_of(outcome) is ErrorKind.UNSUPPORTED
                left.append(f"{statement}: {outcome}")
        return left

    def _listed(self, listing: str, name: str) -> bool | None:
        """Whether a list shows a name, in any letter case; None if the list can't be had from this kind of server."""
        if listing not in self._target.profile.sql:
            return None
        try:
            answer = self._target.administer(self._target.profile.statement(listing, prefix=name))
        except TargetError:
            self.cut_off = True
            return True
        if not isinstance(answer, Rows):
            self.cut_off = not answered(answer)
            return True if self.cut_off else None
        return any((row[0] or "").upper() == name for row in answer.values)

    def _role_exists(self, role: str) -> bool:
        listed = self._listed("list_roles", role)
        return self.role_taken if listed is None else listed

    def _exists(self, account: Account) -> bool:
        listed = self._listed("list_users", account.user)
        if listed is not None:
            return listed
        visitor = Session(self._target.login(account.user, account.password))
        outcome = visitor.open(self._target.limits.connect)
        visitor.close()
        return not isinstance(outcome, ServerError)

    def _prepare(self, statement: str) -> None:
        _require(statement, self._answer(statement))

    def _answer(self, statement: str) -> Outcome:
        """What a statement is answered with in the end: an error that passes is tried again for a while."""
        poll = Poll(self._target.limits.retry)
        outcome = self._administer(statement)
        while self._target.profile.passes(outcome) and poll.again():
            outcome = self._administer(statement)
        return outcome

    def _administer(self, statement: str) -> Outcome:
        since = self._transcript.now_ms()
        outcome = self._target.administer(statement)
        if succeeded(outcome):
            self._note(statement)
        else:
            self._transcript.add(ADMINISTRATOR, "sends", statement, manual=statement, setup=True)
            self._transcript.add(ADMINISTRATOR, "receives", str(outcome), since=since, setup=True)
        return outcome

    def _note(self, *statements: str) -> None:
        """Notes what was sent to make something, for this case or an earlier one: who repeats the case needs it."""
        for statement in statements:
            self._transcript.add(ADMINISTRATOR, "prepares", statement, manual=statement, setup=True)


def _require(statement: str, outcome: Outcome) -> None:
    if not succeeded(outcome):
        raise InconclusiveError(f"preparation failed: {statement}: {outcome}", outcome)
