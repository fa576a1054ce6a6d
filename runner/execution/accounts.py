"""The users that cases log in as, and the pool that lends them: prepared ones, or those of earlier cases."""

from __future__ import annotations

import math
import re
import threading
import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from runner.database.accountsfile import Grants, PreparedAccounts, described, grants_of
from runner.database.naming import born
from runner.database.outcome import succeeded
from runner.database.poll import Poll
from runner.database.processlist import ProcessList
from runner.database.session import Session
from runner.database.target import Target, TargetError
from runner.execution.verdict import InconclusiveError
from runner.language.model import ADMINISTRATOR, Case, Create, Say, SessionSpec, flat

_CHANGES_USERS = re.compile(r"\b(?:GRANT|REVOKE|CREATE|DROP|ALTER\s+USER|SET\s+PASSWORD)\b", re.IGNORECASE)

_SAME = 5  # inconclusive cases in a row for which new users made no difference
_SERVES = 600.0  # seconds from when it was made; the sweep removes nothing that is younger than 15 minutes
_DAMAGED = 3  # cases that users of earlier cases made deviate


@dataclass(eq=False)
class Account:
    """A user that a case logs in as.

    Attributes:
        ours: the case's own, so that nobody else has a session of it. Prepared accounts are not: whoever prepared
            them may log in at any moment, so that ids of their sessions need a second sign, as the administrator's do.
        administrator: the DSN's user, with the DSN's password.
        ids: the ids that this process's sessions of it have had, as far as they are known.
        free_since: when the last case ended that had it (``time.monotonic``).
    """

    user: str
    password: str = field(repr=False)
    ours: bool = True
    administrator: bool = False
    ids: set[str] = field(default_factory=set)
    free_since: float = -math.inf


@dataclass(eq=False)
class Table:
    """A table that a case has made.

    Attributes:
        name: its name.
        text: the name as statements use it.
        users: those that have the rights to it.
    """

    name: str
    text: str
    users: set[str] = field(default_factory=set)


class Pool:
    """The accounts of one process, each lent to one case at a time, and only while it has no session.

    Where users can be created, a case leaves those that it made to later cases, if they are as they were made: a user
    takes three statements and more. Elsewhere the accounts are prepared, and there are no others. The tables of cases
    are left to later ones in the same way.

    What a case does to a user must not decide another case. So a case that deviates or is inconclusive with users of
    earlier cases is run again with new ones, which decides; and where that shows that users don't stay as they were
    made, or keeps making no difference, all cases get new ones.
    """

    def __init__(self, prepared: PreparedAccounts | None = None) -> None:
        self._lending = threading.Lock()
        listed = prepared.accounts if prepared is not None else ()
        self._accounts = [(each.grants, Account(each.user, each.password, ours=False)) for each in listed]
        self._lent: list[Account] = []
        self._tables: list[Table] = []
        self._lingering: set[str] = set()
        """Ids of rows that have been waited for in vain: not again in every case."""
        self._same = self._damaged = 0
        self.prepared = prepared is not None
        self.administrator = prepared is not None and prepared.administrator
        """Whether the DSN's user may do what the cases have the administrator do, where accounts are prepared."""

    @property
    def reuses(self) -> bool:
        """Whether cases get users and tables of earlier cases."""
        return not self.prepared and self._same < _SAME and self._damaged < _DAMAGED

    def lend(
        self, spec: SessionSpec, shown: ProcessList, read_at: float, mates: Collection[str] | None = None
    ) -> Account | None:
        """A user of an earlier case with exactly the grants that a session's user needs, which has no session.

        Args:
            spec: the session.
            shown: the process list.
            read_at: when it was read (``time.monotonic``): it tells nothing of a user that had sessions since.
            mates: the case's users so far, if it has a table: one is lent that has rights to the same table already.

        Returns:
            None where there is none.
        """
        with self._lending:
            for account in sorted(self._free(grants_of(spec.grants)), key=lambda each: self._order(each, mates)):
                if account.free_since < read_at and not any(shown.of_user(account.user)):
                    self._lent.append(account)
                    return account
        return None

    def _order(self, account: Account, mates: Collection[str] | None) -> int:
        """Which user to lend first, the lowest: a user without rights to a free table needs a GRANT in a case with one.

        A case with a table gets a user with rights to the same table as most of its other users; a case without a
        table, one that has rights to no table.
        """
        users_of_tables = [table.users for table in self._tables if account.user in table.users]
        if mates is None:
            return len(users_of_tables)
        return -max((1 + len(users.intersection(mates)) for users in users_of_tables), default=0)

    def holds(self, spec: SessionSpec) -> bool:
        """Whether there is such a user that no case has, with a session or without."""
        with self._lending:
            return bool(self._free(grants_of(spec.grants)))

    def lend_prepared(self, spec: SessionSpec, target: Target) -> Account:
        """A prepared account of exactly the grants that a session's user needs, which has no session.

        Args:
            spec: the session.
            target: the server, to look whose sessions it lists.

        Raises:
            InconclusiveError: there is none.
            TargetError: the process list can't be read.
        """
        grants = grants_of(spec.grants)
        with self._lending:
            fitting = [account for held, account in self._accounts if held == grants]
            if not fitting:
                raise InconclusiveError(f"needs a prepared account {described(grants)}; the accounts file has none")
            free = self._free(grants)
            if not free:
                there = f"{len(fitting)} that the accounts file has for this worker"
                raise InconclusiveError(f"needs more accounts {described(grants)} at a time than the {there}")
            account = self._without_session(free, target)
            self._lent.append(account)
        return account

    def _free(self, grants: Grants) -> list[Account]:
        return [account for held, account in self._accounts if held == grants and account not in self._lent]

    def outdated(self) -> tuple[list[Account], list[Table]]:
        """What cases have left for later ones, but too long ago: others may take it for a leftover, and remove it.

        Returns:
            What is lent no more, for the caller to remove.
        """
        latest = time.time() - _SERVES
        with self._lending:
            unused = [account for _, account in self._accounts if account.ours and account not in self._lent]
            accounts = [account for account in unused if (born(account.user) or 0) < latest]
            tables = [table for table in self._tables if (born(table.name) or 0) < latest]
            self._accounts = [(grants, account) for grants, account in self._accounts if account not in accounts]
            self._tables = [table for table in self._tables if table not in tables]
        return accounts, tables

    def take_back(self, spec: SessionSpec, account: Account) -> None:
        """The case is over and its sessions are closed: an account that was lent, or made, is free."""
        account.free_since = time.monotonic()
        with self._lending:
            if account in self._lent:
                self._lent.remove(account)
            else:
                self._accounts.append((grants_of(spec.grants), account))

    def discard(self, account: Account) -> None:
        """A user is not to be lent any more, if it ever was: the case removes it."""
        with self._lending:
            if account in self._lent:
                self._lent.remove(account)
                self._accounts = [(grants, other) for grants, other in self._accounts if other is not account]

    def lend_table(self, users: Collection[str]) -> Table | None:
        """A table of an earlier case, the one that most of these users have the rights to; None if there is none."""
        with self._lending:
            if not self._tables:
                return None
            table = max(self._tables, key=lambda each: len(each.users.intersection(users)))
            self._tables.remove(table)
        return table

    def take_back_table(self, table: Table) -> None:
        """The case is over that had it."""
        with self._lending:
            self._tables.append(table)

    def note_repeated(self, *, same: bool) -> None:
        """A case was inconclusive, and again, or not, with new users: where they make no difference, they only cost."""
        self._same = self._same + 1 if same else 0

    def note_damaged(self) -> None:
        """A case deviated with users of earlier cases, and not with new ones."""
        self._damaged += 1

    def empty(self) -> tuple[list[Account], list[Table]]:
        """All that is left of what cases made, which the caller removes."""
        with self._lending:
            accounts = [account for _, account in self._accounts if account.ours]
            self._accounts = [(grants, account) for grants, account in self._accounts if not account.ours]
            tables = list(self._tables)
            self._tables.clear()
        return accounts, tables

    def _without_session(self, accounts: list[Account], target: Target) -> Account:
        """The first account that no row is of; sessions of earlier cases have the settle time to go."""
        poll = Poll(target.limits.settle)
        while True:
            shown = target.process_list()
            listed = {account.user: _ids(account, shown) for account in accounts}
            for account in accounts:
                if not listed[account.user]:
                    return account
            if set().union(*listed.values()) <= self._lingering or not poll.again():
                break
        self._lingering.update(*listed.values())
        for account in accounts:
            if listed[account.user] <= account.ids:
                return account  # its old sessions are disconnected, and known: no case takes them for its own
        busy = "; ".join(f"{user} ({', '.join(sorted(ids))})" for user, ids in listed.items())
        raise InconclusiveError(f"the prepared account already has other sessions: {busy}")


def _ids(account: Account, shown: ProcessList) -> set[str]:
    return {row.id for row in shown.of_user(account.user)}


@dataclass(frozen=True)
class Changes:
    """What a case's steps may change of what was made for it, so that no other case can have it.

    Attributes:
        users: the sessions whose users a GRANT, REVOKE, DROP or the like names, or that have such a user.
        table: whether such a statement names the table.
    """

    users: frozenset[str]
    table: bool

    @classmethod
    def of(cls, case: Case) -> Changes:
        """What a case changes; everybody, where a statement doesn't say whom."""
        said = [step.statement for step in flat(case.steps) if isinstance(step, Say)]
        holes = [tuple(each.holes) for each in said if _CHANGES_USERS.search(each.text)]
        names = {step.session for step in flat(case.steps) if isinstance(step, Create)}
        names |= {hole.session for found in holes for hole in found if hole.session is not None}
        if any(all(hole.session is None and hole.word != "role" for hole in found) for found in holes):
            names = {spec.name for spec in case.sessions}
        names |= {spec.same_user_as for spec in case.sessions if spec.name in names and spec.same_user_as is not None}
        return cls(frozenset(names), any(hole.word == "table" for found in holes for hole in found))


def unfit(case: Case, *, administrator: bool) -> str | None:
    """Why a case can't be decided with prepared accounts, which it must not change; None if it can.

    Args:
        case: the case.
        administrator: whether the DSN's user may do what the cases have the administrator do.
    """
    steps = tuple(flat(case.steps))
    if not all(spec.create for spec in case.sessions) or any(isinstance(step, Create) for step in steps):
        return "it creates a user, and runs with prepared accounts create none"
    if any(spec.name_extends for spec in case.sessions):
        return "it needs user names with a common beginning, and the names of prepared accounts are fixed"
    acting = {spec.name for spec in case.sessions if spec.same_user_as == ADMINISTRATOR}
    for step in steps:
        if not isinstance(step, Say):
            continue
        if (change := _CHANGES_USERS.search(step.statement.text)) is not None:
            return f"it sends a {change[0].upper()} statement, and runs with prepared accounts send none"
        if any(hole.part == "password" for hole in step.statement.holes):
            return "it sends a password, and the passwords of prepared accounts are secret"
        if step.session in acting and not administrator:
            return (
                "the administrator sends its statement under test, and the accounts file has no 'administrator: true'"
            )
    return None


def needs(cases: Iterable[Case], *, administrator: bool) -> Mapping[Grants, int]:
    """How many accounts of each set of grants a case needs at most, of all cases that prepared accounts can serve."""
    most: Counter[Grants] = Counter()
    for case in cases:
        if unfit(case, administrator=administrator) is None:
            most |= Counter(grants_of(spec.grants) for spec in case.sessions if spec.same_user_as is None)
    return most


def check_accounts(target: Target, prepared: PreparedAccounts) -> None:
    """Sees that every account can log in, and that the DSN's user sees its sessions.

    Raises:
        TargetError: it can't, or the list doesn't show it.
    """
    for account in prepared.accounts:
        visitor = Session(target.login(account.user, account.password))
        outcome = visitor.open(target.limits.connect)
        try:
            if not succeeded(outcome):
                raise TargetError(f"the prepared account {account.user} can't log in: {outcome}")
            poll = Poll(target.limits.settle)
            while not any(target.process_list().of_user(account.user)):
                if not poll.again():
                    raise TargetError(
                        f"the process list of {target.dsn.account} doesn't show the session of {account.user}: with "
                        f"prepared accounts, the DSN's user has to see the sessions of all users (SHOW PROCESS)"
                    )
        finally:
            visitor.close()
