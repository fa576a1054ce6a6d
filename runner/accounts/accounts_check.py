"""Checks that prepared accounts suffice: the cases that can run, the accounts they need, and each worker's share."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from runner.accounts.accounts_file import Grants, PreparedAccounts, described, grants_of
from runner.database.administrator_session import TargetError
from runner.database.outcome import succeeded
from runner.database.session import Session
from runner.database.target import Target
from runner.database.time_limits import Poll
from runner.language.model import ADMINISTRATOR, Case, Create, Send, flat

DEFINES_OBJECTS = re.compile(r"\b(?:GRANT|REVOKE|CREATE|DROP|ALTER\s+USER|SET\s+PASSWORD)\b", re.IGNORECASE)
"""Statements that create, change or drop users, roles and tables, or grant and revoke privileges."""


def not_with_prepared_accounts(case: Case, *, administrator: bool) -> str | None:
    """The reason why a case can't run with prepared accounts, which it must not change; None if it can.

    Args:
        case: the case.
        administrator: whether the DSN's user may send the administrator's statements of the cases.
    """
    steps = tuple(flat(case.steps))
    if not all(spec.create for spec in case.sessions) or any(isinstance(step, Create) for step in steps):
        return "the case creates a user, and runs with prepared accounts create none"
    if any(spec.name_extends or spec.quoted for spec in case.sessions):
        return "the case needs names with a common beginning or small letters; those of prepared accounts are fixed"
    acting = {spec.name for spec in case.sessions if spec.same_user_as == ADMINISTRATOR}
    for step in steps:
        if not isinstance(step, Send):
            continue
        if (change := DEFINES_OBJECTS.search(step.statement.text)) is not None:
            return f"the case sends a {change[0].upper()} statement, and runs with prepared accounts send none"
        if any(hole.part == "password" for hole in step.statement.holes):
            return "the case sends a password, and the passwords of prepared accounts are secret"
        if step.session in acting and not administrator:
            what = "the administrator sends the statement under test"
            return f"{what}, and the accounts file has no 'administrator: true'"
    return None


def accounts_needed(cases: Iterable[Case], *, administrator: bool) -> Mapping[Grants, int]:
    """The largest number of accounts with each set of grants that one of these cases needs."""
    most: Counter[Grants] = Counter()
    for case in cases:
        if not_with_prepared_accounts(case, administrator=administrator) is None:
            most |= Counter(grants_of(spec.grants) for spec in case.sessions if spec.same_user_as is None)
    return most


def check_accounts(target: Target, prepared: PreparedAccounts) -> None:
    """Checks that every prepared account can log in, and that the DSN's user sees its sessions.

    Raises:
        TargetError: a login fails, or the process list doesn't show the session.
    """
    for account in prepared.accounts:
        client = Session(target.login(account.user, account.password))
        outcome = client.open(target.limits.connect)
        try:
            if not succeeded(outcome):
                raise TargetError(f"the prepared account {account.user} can't log in: {outcome}")
            poll = Poll(target.limits.settle)
            while not any(target.process_list().of_user(account.user)):
                if not poll.again():
                    raise TargetError(
                        f"the process list of {target.dsn.account} doesn't show the session of {account.user}: with "
                        "prepared accounts, the DSN's user has to see the sessions of all users (SHOW PROCESS), "
                        "and the DSN has to name one server, not a load balancer"
                    )
        finally:
            client.close()


def missing_accounts(prepared: PreparedAccounts, cases: Iterable[Case], workers: int) -> list[str]:
    """A text for each set of grants with too few accounts for all workers; sets without any account are not included.

    A single process runs the cases for which it has accounts. With several, each needs accounts for the same cases,
    because the worker that runs a case is chosen at random, and the verdict must not depend on it.

    Args:
        prepared: the accounts.
        cases: the applicable cases.
        workers: the number of processes that run cases.
    """
    available = prepared.count()
    needed = accounts_needed(cases, administrator=prepared.administrator)
    return [
        f"{number * workers} {described(grants)} (the file has {available[grants]})"
        for grants, number in needed.items()
        if 0 < available[grants] < number * workers
    ]


class Shares:
    """The prepared accounts in equal shares, one for each worker."""

    def __init__(self, prepared: PreparedAccounts, workers: int) -> None:
        self._shares = [prepared.share(number, workers).as_plain() for number in range(workers)]
        self._holders: list[str | None] = [None] * workers

    def give(self, worker: str) -> dict[str, Any]:
        """The first free share, for this worker; called in the order of the workers' numbers."""
        number = self._holders.index(None)
        self._holders[number] = worker
        return self._shares[number]

    def take_back(self, worker: str) -> None:
        """Frees the share of a worker that has ended."""
        self._holders = [None if holder == worker else holder for holder in self._holders]
