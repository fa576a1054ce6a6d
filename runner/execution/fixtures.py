"""The users, the table and the role of one run of a case: the administrator creates and removes them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Iterable
from functools import partial

from runner.database.administrator_session import TargetError
from runner.database.generated_passwords import new_password, new_plain_password
from runner.database.naming import in_small_letters, is_same_name
from runner.database.outcome import Ok, Outcome, Rows, ServerError, has_reply, succeeded
from runner.database.process_list import ProcessList
from runner.database.session import Login, Session
from runner.database.target import Target
from runner.database.time_limits import CHANCES, Poll
from runner.database.unrelated_errors import (
    ErrorKind,
    error_kind_of,
    is_object_limit,
    is_passing_conflict,
    took_effect_before,
)
from runner.execution.case_errors import InconclusiveError, NotApplicableError
from runner.execution.fixture_pool import Account, FixturePool, Table
from runner.execution.transcript import Transcript
from runner.language.model import ADMINISTRATOR, SessionSpec

_PAUSES = (0.1, 0.3, 0.6)  # seconds before each repetition of a statement that failed only at this moment


class Fixtures:
    """Creates and removes the users, the table and the role of a case.

    Args:
        target: the server.
        transcript: of the case.
        pool: lends prepared accounts, or users and tables of earlier cases.
        fresh: whether nothing of earlier cases may be used.
        has_table: whether a table will be created for the users.

    Attributes:
        granted_at: the time of the last GRANT (``time.monotonic``).
        full: whether the server refused to create one more user or table.
        reused: whether a user or a table of an earlier case is used.
        unreachable: whether the administrator received no reply during the removal.
    """

    def __init__(
        self,
        target: Target,
        transcript: Transcript,
        pool: FixturePool | None = None,
        *,
        fresh: bool = True,
        has_table: bool = False,
    ) -> None:
        self._target = target
        self._transcript = transcript
        self._pool = pool or FixturePool()
        self._reuses = not fresh and self._pool.reuse_allowed
        self._has_table = has_table
        self._accounts: list[Account] = []
        self._reusable: list[tuple[SessionSpec, Account]] = []
        """The accounts that later cases can use, too."""
        self._names: dict[str, str] = {}
        self._table: Table | None = None
        self._outdated_tables: list[Table] = []
        """Tables of earlier cases that are too old to be used again."""
        self._process_list: ProcessList | None = None
        self._list_read_at = 0.0
        self.granted_at = -math.inf
        self.full = self.reused = False
        self._role: str | None = None
        self.unreachable = False
        self._unsupported = False
        """Whether the server doesn't know the last statement that should remove something."""
        self._role_created = False
        """Whether the role was created and not dropped, for servers without a list of roles."""

    def provide_account(
        self, spec: SessionSpec, like: Account | None = None, *, plain: bool = False, reusable: bool = True
    ) -> Account:
        """The account of a session: lent, or created with its grants. If a step creates the user, only a name.

        Args:
            spec: the session.
            like: the account whose name the new user's name extends, or has in small letters.
            plain: whether a step has the password without quotes, as the specification's example does.
            reusable: whether other cases can use the user before and after this one.

        Raises:
            InconclusiveError: the target refuses a statement, or no prepared account is free.
            NotApplicableError: it refuses a quoted name only.
        """
        reusable = reusable and spec.create and like is None and not plain
        self._take_outdated()
        if self._pool.prepared:
            prepared = self._pool.lend_prepared(spec, self._target)
            self._reusable.append((spec, prepared))
            return prepared
        if reusable and self._reuses and (lent := self._lend(spec)) is not None:
            self._reusable.append((spec, lent))
            self._use_earlier(spec, lent)
            return lent
        password = new_plain_password() if plain else new_password()
        account = Account(self._new_name(spec, like), password)
        self._accounts.append(account)  # before the statement: it may fail after it took effect
        self._names[f"user of {spec.name}"] = account.user
        if not spec.create:
            return account
        try:
            self.create_user(account)
        except InconclusiveError as error:
            if not (spec.quoted and isinstance(error.outcome, ServerError)):
                raise
            self._create_control_user()
            raise NotApplicableError(f"the server refuses a quoted user name: {error}") from error
        for privilege in spec.grants:
            self.grant(account, privilege)
        if reusable:
            self._reusable.append((spec, account))
        return account

    def _create_control_user(self) -> None:
        """Creates a user without a quoted name; if that is refused, too, the quotes are not the reason.

        Raises:
            InconclusiveError: it is refused.
        """
        account = Account(self._target.names.new(), new_password())
        self._accounts.append(account)
        self._names["user of the control"] = account.user
        self.create_user(account)

    def _new_name(self, spec: SessionSpec, like: Account | None) -> str:
        names, profile = self._target.names, self._target.profile
        if not spec.quoted:
            return names.new() if like is None else names.extended(like.user)
        if "statement" not in profile.quotes:
            raise NotApplicableError(
                f"the profile {profile.name!r} doesn't define the quotes around user names: "
                f"add quotes: {{statement: \u2026}} (docs/profiles.md)"
            )
        return in_small_letters(names.new() if like is None else like.user)

    def _take_outdated(self) -> None:
        accounts, tables = self._pool.take_outdated()
        self._accounts += accounts
        self._outdated_tables += tables

    def _lend(self, spec: SessionSpec) -> Account | None:
        """Lends a user of an earlier case. The process list is read once, and only if the pool has such users."""
        if self._process_list is None and self._pool.has_unused(spec):
            self._list_read_at, self._process_list = time.monotonic(), self._target.process_list()
        if self._process_list is None:
            return None
        case_users = [account.user for account in self._accounts] if self._has_table else None
        return self._pool.lend(spec, self._process_list, self._list_read_at, case_users)

    def _use_earlier(self, spec: SessionSpec, account: Account) -> None:
        """Uses an account of an earlier case, and records how it was created."""
        self.reused = True
        self._accounts.append(account)
        self._names[f"user of {spec.name}"] = account.user
        profile = self._target.profile
        created = profile.statements("create_user", user=account.user, password=account.password)
        self._record(*created, *(text for each in spec.grants for text in profile.grants(each, account.user)))

    def create_user(self, account: Account) -> None:
        """Creates the user of an account, with the right to log in only.

        Raises:
            InconclusiveError: the target refuses a statement.
        """
        profile = self._target.profile
        for statement in profile.statements("create_user", user=account.user, password=account.password):
            _require(statement, self._create(statement))

    def _create(self, statement: str) -> Outcome:
        """The reply to a statement that creates something; on a server with too many, what is kept is removed first."""
        outcome = self._send_retrying(statement)
        if is_object_limit(outcome):
            accounts, tables = self._pool.take_unused()
            if self._drop_all(accounts, tables):  # for the cleanup of this case, which repeats it
                self._accounts += accounts
                self._outdated_tables += tables
            else:
                outcome = self._send_retrying(statement)
        self.full |= is_object_limit(outcome)
        return outcome

    def grant(self, account: Account, privilege: str) -> None:
        """Grants a privilege to the user of an account.

        Raises:
            InconclusiveError: the target refuses a statement.
        """
        for statement in self._target.profile.grants(privilege, account.user):
            self._prepare_with(statement)
        self.granted_at = time.monotonic()

    def make_table(self, rows: tuple[tuple[int, int], ...], accounts: Iterable[Account]) -> None:
        """Provides the case's table with these rows, and grants these users the rights to it.

        Raises:
            InconclusiveError: the target refuses a statement.
        """
        profile = self._target.profile
        users = dict.fromkeys(account.user for account in accounts if not account.administrator)
        lent = self._lend_table(users) if self._reuses else None
        table = self._table = lent or self._create_table()
        self._names["table"] = table.name
        if lent is not None:
            self.reused = True
            self._record(*profile.statements("create_table", table=table.text, name=table.name))
        for row_id, val in rows:
            statement = profile.statement("insert_row", table=table.text, id=row_id, val=val)
            _require(statement, self._send_until_known(statement) if lent is None else self._send_retrying(statement))
        self._prepare_with("COMMIT")
        for user in users:
            grants = profile.statements("grant_table", table=table.text, user=user)
            if user in table.users:
                self._record(*grants)
                continue
            for statement in grants:
                self._prepare_with(statement)
            self.granted_at = time.monotonic()
            table.users.add(user)

    def _send_until_known(self, statement: str) -> Outcome:
        """The reply to a statement about a new table, repeated while the table is unknown: a cluster may be late."""
        facts, poll = self._target.facts, Poll(self._target.limits.retry)
        first = outcome = self._send_retrying(statement)
        while _is_unknown(outcome) and facts.unknown_new_tables < CHANCES and poll.again():
            outcome = self._send_retrying(statement)
        if _is_unknown(first):
            facts.note_new_table(unknown=_is_unknown(outcome))
        return outcome

    def _lend_table(self, users: Collection[str]) -> Table | None:
        """Lends an empty table of an earlier case.

        Returns:
            None if there is none, or if it can't be emptied at once: a killed session may have left its locks.
        """
        table = self._pool.lend_table(users)
        if table is None:
            return None
        self._outdated_tables.append(table)  # before the statement: the administrator may be unable to log in
        emptying = f"DELETE FROM {table.text}"  # noqa: S608 - a table of the suite
        if succeeded(self._target.administer_quickly(emptying)):
            self._outdated_tables.remove(table)
            return table
        self._pool.note_locked_table()
        return None

    def _create_table(self) -> Table:
        profile = self._target.profile
        name, administrator = self._target.names.new(), self._target.dsn.schema
        table = Table(name, profile.statement("table_name", administrator=administrator, name=name))
        self._names["table"] = name
        for statement in profile.statements("create_table", table=table.text, name=name):
            self._table = table  # before the statement: it may fail after it took effect
            outcome = self._create(statement)
            if isinstance(outcome, ServerError) and "privilege" in profile.classes_of(outcome):
                self._table = None  # not created, so there is nothing to drop
                raise InconclusiveError(
                    f"needs a table, and {administrator} can't create one (error {outcome.code})", outcome
                )
            _require(statement, outcome)
        return table

    @property
    def table(self) -> str | None:
        """The text of the case's table in statements; None if there is none."""
        return None if self._table is None else self._table.text

    @property
    def role(self) -> str:
        """The name of the case's role, made up at the first use. The role is dropped after the case."""
        if self._role is None:
            self._role = self._target.names.new()
        return self._role

    def try_role(self) -> None:
        """Creates a role, queries the list of roles, and drops the role.

        Raises:
            InconclusiveError: the target refuses a statement.
        """
        profile = self._target.profile
        self._prepare_with(profile.spell(f"CREATE ROLE {self.role}"))
        self.note_role_created()
        if "list_roles" in profile.sql:
            self._prepare_with(profile.statement("list_roles", prefix=self.role))
        for statement in profile.statements("drop_role", role=self.role):
            self._prepare_with(statement)
        self.note_role_dropped()

    def note_role_created(self) -> None:
        """Notes that the role was created, perhaps by a step of the case."""
        self._role_created = True

    def note_role_dropped(self) -> None:
        """Notes that the role was dropped, perhaps by a step of the case."""
        self._role_created = False

    def identifiers(self) -> dict[str, str]:
        """The names that were made up for users, table and role, by placeholder."""
        return self._names if self._role is None else self._names | {"role": self._role}

    def remove(self, *, keep: bool = False, keep_table: bool = False) -> list[str]:
        """Drops the table, the role and the users. The sessions have to be closed.

        Args:
            keep: whether the reusable users are unchanged; later cases can use them.
            keep_table: whether the table is unchanged; later cases can use it.

        Returns:
            A line for each statement that failed.
        """
        for spec, account in self._reusable:
            if account.exclusive and not keep:
                self._pool.discard(account)
                continue
            self._pool.take_back(spec, account)
            if account.exclusive:
                self._accounts.remove(account)
        self._reusable.clear()
        if keep_table and self._table is not None and not self._pool.prepared:
            self._pool.take_back_table(self._table)
            self._table = None
        return self._remove_all()

    def remove_kept(self) -> list[str]:
        """Drops the users and tables that were kept for later cases; returns a line for each statement that failed."""
        accounts, tables = self._pool.take_all()
        self._accounts += accounts
        self._outdated_tables += tables
        return self._remove_all()

    def _remove_all(self) -> list[str]:
        self.unreachable = False
        left = self._drop_all([], [*self._outdated_tables, *([] if self._table is None else [self._table])])
        if (role := self._role) is not None:
            statements = self._target.profile.statements("drop_role", role=role)
            left += self._drop(statements, lambda: self._role_exists(role))
        return left + self._drop_all(self._accounts, [])

    def drop_user(self, account: Account) -> list[str]:
        """Drops a user that the steps create; returns a line for each statement that failed."""
        return self._drop_all([account], [])

    def _drop_all(self, accounts: Iterable[Account], tables: Iterable[Table]) -> list[str]:
        left = [line for table in tables for line in self._drop_table(table)]
        profile = self._target.profile
        for account in accounts:
            statements, plain = profile.statements("drop_user", user=account.user), profile.quoted(account.user)
            left += self._drop(statements, partial(self._user_exists, account), [f"DROP USER {plain}"])
        return left

    def _drop_table(self, table: Table) -> list[str]:
        statements = self._target.profile.statements("drop_table", table=table.text, name=table.name)
        return self._drop(statements, lambda: self._is_listed("list_tables", table.name) is not False)

    def _drop(self, statements: list[str], exists: Callable[[], bool], plain: list[str] | None = None) -> list[str]:
        """Drops something, with retries; sends the ``plain`` statements if the server doesn't know the profile's."""
        poll = Poll(self._target.limits.retry)
        # The steps may have dropped it, or never created it; a session that is being closed may still hold it.
        while trouble := self._remove(statements):
            if not self.unreachable and not exists():
                break
            if self._unsupported and plain:
                statements, plain = plain, None
            elif self.unreachable or not poll.again():
                return trouble
        return []

    def _remove(self, statements: list[str]) -> list[str]:
        left = []
        self._unsupported = False
        for statement in statements:
            if self.unreachable:
                left.append(f"{statement}: not sent")
                continue
            try:
                outcome = self._target.administer(statement)
            except TargetError as error:
                self.unreachable = True
                left.append(f"{statement}: {error}")
                continue
            if not succeeded(outcome):
                self._unsupported = isinstance(outcome, ServerError) and error_kind_of(outcome) is ErrorKind.UNSUPPORTED
                left.append(f"{statement}: {outcome}")
        return left

    def _is_listed(self, listing: str, name: str) -> bool | None:
        """Whether a list of the server has a name; None if the server has no such list."""
        if listing not in self._target.profile.sql:
            return None
        try:
            reply = self._target.administer(self._target.profile.statement(listing, prefix=name))
        except TargetError:
            self.unreachable = True
            return True
        if not isinstance(reply, Rows):
            self.unreachable = not has_reply(reply)
            return True if self.unreachable else None
        return any(is_same_name(row[0] or "", name) for row in reply.values)

    def _role_exists(self, role: str) -> bool:
        listed = self._is_listed("list_roles", role)
        return self._role_created if listed is None else listed

    def user_is_listed(self, account: Account) -> bool | None:
        """Whether the server's list of users has a user; None if the server has no such list."""
        return self._is_listed("list_users", account.user)

    def _user_exists(self, account: Account) -> bool:
        listed = self.user_is_listed(account)
        if listed is not None:
            return listed
        return any(map(self._can_log_in, self._target.logins(account.user, account.password)))

    def _can_log_in(self, login: Login) -> bool:
        client = Session(login)
        outcome = client.open(self._target.limits.connect)
        client.close()
        return not isinstance(outcome, ServerError)

    def _prepare_with(self, statement: str) -> None:
        _require(statement, self._send_retrying(statement))

    def _send_retrying(self, statement: str) -> Outcome:
        """The reply to a statement; errors caused by other sessions are retried."""
        poll, times = Poll(self._target.limits.retry), 1
        outcome = self._send(statement)
        while self._target.profile.is_transient(outcome) and poll.again():
            outcome, times = self._send(statement), times + 1
        for pause in _PAUSES:
            if not is_passing_conflict(outcome):
                break
            time.sleep(pause)
            outcome, times = self._send(statement), times + 1
        # It may have taken effect at first, in spite of its error.
        return Ok() if times > 1 and took_effect_before(statement, outcome) else outcome

    def _send(self, statement: str) -> Outcome:
        since = self._transcript.now_ms()
        outcome = self._target.administer(statement)
        if succeeded(outcome):
            self._record(statement)
        else:
            self._transcript.add(ADMINISTRATOR, "sends", statement, manual=statement, setup=True)
            self._transcript.add(ADMINISTRATOR, "receives", str(outcome), since=since, setup=True)
        return outcome

    def _record(self, *statements: str) -> None:
        """Records statements that created something, also for an earlier case: they are needed to repeat the case."""
        for statement in statements:
            self._transcript.add(ADMINISTRATOR, "prepares", statement, manual=statement, setup=True)


def _is_unknown(outcome: Outcome) -> bool:
    """Whether a server does not know the table of a statement, or does not support the statement."""
    return isinstance(outcome, ServerError) and error_kind_of(outcome) is ErrorKind.UNSUPPORTED


def _require(statement: str, outcome: Outcome) -> None:
    if not succeeded(outcome):
        raise InconclusiveError(f"preparation failed: {statement}: {outcome}", outcome)
