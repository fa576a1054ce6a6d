"""Lends users and tables to cases: prepared accounts, or users and tables of earlier cases that didn't change them."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field

from runner.accounts.accounts_check import DEFINES_OBJECTS
from runner.accounts.accounts_file import PreparedAccounts, described, grants_of
from runner.database.naming import created_at, needs_quotes
from runner.database.process_list import ProcessList
from runner.database.target import Target
from runner.database.time_limits import Poll
from runner.execution.case_errors import InconclusiveError
from runner.language.model import Case, Create, Send, SessionSpec, flat

_USELESS_REPEATS = 5  # inconclusive cases in a row whose repetition with new users was inconclusive, too
_NEW = 10.0  # seconds since the creation of a user in which some servers and proxies do not know it everywhere
_KNOWN_IDS = 1000  # a case opens some twenty sessions
_LIFETIME = 600.0  # seconds after the creation; the sweep removes nothing younger than 15 minutes
_MOST_CHANGED = 3  # cases that deviated because of users of earlier cases
_MOST_LOCKED = 3  # tables of earlier cases that could not be emptied


@dataclass(eq=False)
class Account:
    """A user that a case logs in as.

    Attributes:
        exclusive: whether only this process knows the password. Other clients may log in as the administrator or with
            a prepared account: the ids of such sessions need a second sign.
        administrator: whether it is the DSN's user, with the DSN's password.
        ids: the known ids of this process's sessions of the user, the newest _KNOWN_IDS of them: older rows are gone
            from every process list, and a long run must not keep all.
        free_since: the time at which the last case with it ended (``time.monotonic``).
        provided: the time at which its first case got it; its user is created then.
    """

    user: str
    password: str = field(repr=False)
    exclusive: bool = True
    administrator: bool = False
    ids: deque[str] = field(default_factory=lambda: deque(maxlen=_KNOWN_IDS))
    free_since: float = -math.inf
    provided: float = field(default_factory=time.monotonic)

    @property
    def is_new(self) -> bool:
        """Whether its user is so new that a server or a proxy may not know it everywhere."""
        return time.monotonic() - self.provided < _NEW


@dataclass(eq=False)
class Table:
    """A table that a case has created.

    Attributes:
        name: its name.
        text: the name in statements.
        users: the users with rights to it.
    """

    name: str
    text: str
    users: set[str] = field(default_factory=set)


class FixturePool:
    """The accounts of one process. Each is lent to one case at a time, and only while it has no session.

    Without prepared accounts, users that a case has created and not changed are lent to later cases: creating a user
    takes three statements or more. Tables are lent in the same way. With prepared accounts, no user is created.

    What a case does to a user must not decide another case. A case that deviates or is inconclusive with users of
    earlier cases is run again with new users, and the second run decides. If users turn out to be changed, or new
    users repeatedly make no difference, all further cases get new users.

    Attributes:
        prepared: whether the accounts are prepared.
        administrator: whether the DSN's user may send the administrator's statements of the cases, with prepared
            accounts.
    """

    def __init__(self, prepared: PreparedAccounts | None = None) -> None:
        self._lending = threading.Lock()
        listed = prepared.accounts if prepared is not None else ()
        self._accounts = [(each.grants, Account(each.user, each.password, exclusive=False)) for each in listed]
        self._lent: list[Account] = []
        self._tables: list[Table] = []
        self._ignored_rows: set[str] = set()
        """Ids of rows that stayed for the settle time: later cases don't wait for them again."""
        self._same_again = self._changed = self._locked = 0
        self.prepared = prepared is not None
        self.administrator = prepared is not None and prepared.administrator

    @property
    def reuse_allowed(self) -> bool:
        """Whether users and tables of earlier cases are lent."""
        return not self.prepared and self._same_again < _USELESS_REPEATS and self._changed < _MOST_CHANGED

    def lend(
        self, spec: SessionSpec, process_list: ProcessList, read_at: float, case_users: Collection[str] | None = None
    ) -> Account | None:
        """Lends a user of an earlier case without a session, with exactly the grants and the kind of name of a session.

        Args:
            spec: the session.
            process_list: the process list.
            read_at: the time at which it was read (``time.monotonic``); users with later sessions are not lent.
            case_users: the case's users so far, if it has a table: users with rights to the same table are preferred.

        Returns:
            None if there is none.
        """
        with self._lending:
            for account in sorted(self._free(spec), key=lambda each: self._order(each, case_users)):
                if account.free_since < read_at and not any(process_list.of_user(account.user)):
                    self._lent.append(account)
                    return account
        return None

    def _order(self, account: Account, case_users: Collection[str] | None) -> int:
        """The order in which users are lent, lowest first: users without rights to a lent table would need a GRANT.

        A case with a table gets a user with rights to the same table as most of its other users; a case without a
        table, a user with rights to no table.
        """
        users_of_tables = [table.users for table in self._tables if account.user in table.users]
        if case_users is None:
            return len(users_of_tables)
        return -max((1 + len(users.intersection(case_users)) for users in users_of_tables), default=0)

    def has_unused(self, spec: SessionSpec) -> bool:
        """Whether a user for this session is not lent now; it may still have a session."""
        with self._lending:
            return bool(self._free(spec))

    def lend_prepared(self, spec: SessionSpec, target: Target) -> Account:
        """Lends a prepared account that has exactly the grants of the session's user, and no session.

        Args:
            spec: the session.
            target: the server whose process list is read.

        Raises:
            InconclusiveError: there is none.
            TargetError: the process list can't be read.
        """
        grants = grants_of(spec.grants)
        with self._lending:
            fitting = [account for held, account in self._accounts if held == grants]
            if not fitting:
                raise InconclusiveError(f"needs a prepared account {described(grants)}; the accounts file has none")
            free = self._free(spec)
            if not free:
                there = f"{len(fitting)} that the accounts file has for this worker"
                raise InconclusiveError(f"needs more accounts {described(grants)} at a time than the {there}")
            account = self._without_session(free, target)
            self._lent.append(account)
        return account

    def _free(self, spec: SessionSpec) -> list[Account]:
        """The accounts for a session that are not lent now; one with a quoted name only if the session's name is."""
        grants = grants_of(spec.grants)
        return [
            account
            for held, account in self._accounts
            if held == grants and account not in self._lent and needs_quotes(account.user) == spec.quoted
        ]

    def take_outdated(self) -> tuple[list[Account], list[Table]]:
        """Takes users and tables that are so old that another run's sweep may remove them.

        Returns:
            The users and tables, for the caller to remove.
        """
        return self._take_unused_until(time.time() - _LIFETIME)

    def take_unused(self) -> tuple[list[Account], list[Table]]:
        """Takes all users and tables that are not lent now, for the caller to remove."""
        return self._take_unused_until(math.inf)

    def _take_unused_until(self, latest: float) -> tuple[list[Account], list[Table]]:
        with self._lending:
            unused = [account for _, account in self._accounts if account.exclusive and account not in self._lent]
            accounts = [account for account in unused if (created_at(account.user) or 0) < latest]
            tables = [table for table in self._tables if (created_at(table.name) or 0) < latest]
            self._accounts = [(grants, account) for grants, account in self._accounts if account not in accounts]
            self._tables = [table for table in self._tables if table not in tables]
        return accounts, tables

    def take_back(self, spec: SessionSpec, account: Account) -> None:
        """Takes a lent or a new account, when the case is over and its sessions are closed."""
        account.free_since = time.monotonic()
        with self._lending:
            if account in self._lent:
                self._lent.remove(account)
            else:
                self._accounts.append((grants_of(spec.grants), account))

    def discard(self, account: Account) -> None:
        """Forgets an account, which the case removes."""
        with self._lending:
            if account in self._lent:
                self._lent.remove(account)
                self._accounts = [(grants, other) for grants, other in self._accounts if other is not account]

    def lend_table(self, users: Collection[str]) -> Table | None:
        """Lends a table of an earlier case: the one to which most of these users have rights.

        Returns:
            None if there is none, or if three tables could not be emptied: this server leaves the locks of killed
            sessions.
        """
        with self._lending:
            if not self._tables or self._locked >= _MOST_LOCKED:
                return None
            table = max(self._tables, key=lambda each: len(each.users.intersection(users)))
            self._tables.remove(table)
        return table

    def take_back_table(self, table: Table) -> None:
        """Takes a table, when its case is over."""
        with self._lending:
            self._tables.append(table)

    def note_locked_table(self) -> None:
        """Notes that a table of an earlier case could not be emptied."""
        with self._lending:
            self._locked += 1

    def note_repeated(self, *, same: bool) -> None:
        """Notes whether an inconclusive case had the same verdict with new users."""
        self._same_again = self._same_again + 1 if same else 0

    def note_changed_users(self) -> None:
        """Notes that a case deviated with users of earlier cases, and not with new ones."""
        self._changed += 1

    def take_all(self) -> tuple[list[Account], list[Table]]:
        """Takes all users and tables that cases have created, for the caller to remove."""
        with self._lending:
            accounts = [account for _, account in self._accounts if account.exclusive]
            self._accounts = [(grants, account) for grants, account in self._accounts if not account.exclusive]
            tables = list(self._tables)
            self._tables.clear()
        return accounts, tables

    def _without_session(self, accounts: list[Account], target: Target) -> Account:
        """The first account without a row in the process list; waits up to the settle time for one."""
        poll = Poll(target.limits.settle)
        while True:
            process_list = target.process_list()
            listed = {account.user: _ids(account, process_list) for account in accounts}
            for account in accounts:
                if not listed[account.user]:
                    return account
            if set().union(*listed.values()) <= self._ignored_rows or not poll.again():
                break
        self._ignored_rows.update(*listed.values())
        for account in accounts:
            if listed[account.user] <= set(account.ids):
                return account  # these are old sessions with known ids: no case mistakes them for its own
        busy = "; ".join(f"{user} ({', '.join(sorted(ids))})" for user, ids in listed.items())
        raise InconclusiveError(f"the prepared account already has other sessions: {busy}")


def _ids(account: Account, process_list: ProcessList) -> set[str]:
    return {row.id for row in process_list.of_user(account.user)}


@dataclass(frozen=True)
class CaseChanges:
    """The users and the table that a case may change.

    Attributes:
        users: the sessions whose users are named in a GRANT, REVOKE, DROP or the like, or have a name that is also
            given to another user, in small letters: a server that confuses them may change both.
        table: whether such a statement names the table.
    """

    users: frozenset[str]
    table: bool

    @classmethod
    def of(cls, case: Case) -> CaseChanges:
        """The changes of a case; all users, if such a statement names none."""
        statements = [step.statement for step in flat(case.steps) if isinstance(step, Send)]
        holes = [tuple(each.holes) for each in statements if DEFINES_OBJECTS.search(each.text)]
        names = {step.session for step in flat(case.steps) if isinstance(step, Create)}
        names |= {hole.session for found in holes for hole in found if hole.session is not None}
        if any(all(hole.session is None and hole.word != "role" for hole in found) for found in holes):
            names = {spec.name for spec in case.sessions}
        names |= {spec.small_letters_of for spec in case.sessions if spec.small_letters_of is not None}
        names |= {spec.same_user_as for spec in case.sessions if spec.name in names and spec.same_user_as is not None}
        return cls(frozenset(names), any(hole.word == "table" for found in holes for hole in found))
