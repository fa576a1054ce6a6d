"""Whom a case logs in as, and the pool of prepared accounts for targets on which no user may be created."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from runner.database.accountsfile import Grants, PreparedAccounts, described, grants_of
from runner.database.outcome import succeeded
from runner.database.poll import Poll
from runner.database.processlist import ProcessList
from runner.database.session import Session
from runner.database.target import Target, TargetError
from runner.execution.verdict import InconclusiveError
from runner.language.model import ADMINISTRATOR, Case, Create, Say, SessionSpec, flat

_CHANGES_USERS = re.compile(r"\b(?:GRANT|REVOKE|CREATE|DROP|ALTER\s+USER|SET\s+PASSWORD)\b", re.IGNORECASE)


@dataclass(eq=False)
class Account:
    """A user that a case logs in as.

    Attributes:
        ours: the case's own, so that nobody else has a session of it. Prepared accounts are not: whoever prepared
            them may log in at any moment, so that ids of their sessions need a second sign, as the administrator's do.
        administrator: the DSN's user, with the DSN's password.
        ids: the ids that this process's sessions of it have had, as far as they are known.
    """

    user: str
    password: str = field(repr=False)
    ours: bool = True
    administrator: bool = False
    ids: set[str] = field(default_factory=set)


class Pool:
    """The prepared accounts of one process, each lent to one case at a time."""

    def __init__(self, prepared: PreparedAccounts) -> None:
        self._lending = threading.Lock()
        self._accounts = [(each.grants, Account(each.user, each.password, ours=False)) for each in prepared.accounts]
        self._lent: list[Account] = []
        self._lingering: set[str] = set()
        """Ids of rows that have been waited for in vain: not again in every case."""
        self.administrator = prepared.administrator

    def lend(self, spec: SessionSpec, target: Target) -> Account:
        """An account of exactly the grants that a session's user needs, which has no session.

        Args:
            spec: the session.
            target: the server, to look whose sessions it lists.

        Raises:
            InconclusiveError: there is none.
        """
        grants = grants_of(spec.grants)
        accounts = [account for held, account in self._accounts if held == grants]
        if not accounts:
            raise InconclusiveError(f"needs a prepared account {described(grants)}; the accounts file has none")
        with self._lending:
            free = [account for account in accounts if account not in self._lent]
            if not free:
                there = f"{len(accounts)} that the accounts file has for this worker"
                raise InconclusiveError(f"needs more accounts {described(grants)} at a time than the {there}")
            account = self._without_session(free, target)
            self._lent.append(account)
        return account

    def take_back(self, lent: Iterable[Account]) -> None:
        """The case is over and its sessions are closed: its accounts are free."""
        with self._lending:
            for account in lent:
                self._lent.remove(account)

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
