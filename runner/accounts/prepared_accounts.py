"""Prepared accounts: the values, their file, and whether they suffice for the cases and the workers."""

from __future__ import annotations

import os
import re
import stat
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from runner.database.outcome import succeeded
from runner.database.session import Session
from runner.database.target import Target, TargetError
from runner.database.time_limits import Poll
from runner.language.message_text import did_you_mean
from runner.language.model import ADMINISTRATOR, Case, Create, Send, flat
from runner.language.problems import Place, SourceError
from runner.language.yaml_file import read_document

FORMAT = 1

Grants = frozenset[str]
"""The privileges of a user besides the right to log in."""


@dataclass(frozen=True)
class PreparedAccount:
    """A user that exists already, and as which no other client logs in."""

    user: str
    password: str = field(repr=False)
    grants: Grants


@dataclass(frozen=True)
class PreparedAccounts:
    """The content of a file of accounts.

    Attributes:
        administrator: whether the DSN's user has all privileges that the cases grant.
    """

    accounts: tuple[PreparedAccount, ...]
    administrator: bool = False

    def count(self) -> Counter[Grants]:
        """The number of accounts with each set of grants."""
        return Counter(account.grants for account in self.accounts)

    def share(self, number: int, workers: int) -> PreparedAccounts:
        """The accounts of one of several parallel workers; ``number`` counts from 0. No two shares overlap."""
        turn: Counter[Grants] = Counter()
        share = []
        for account in self.accounts:
            if turn[account.grants] % workers == number:
                share.append(account)
            turn[account.grants] += 1
        return replace(self, accounts=tuple(share))

    def as_plain(self) -> dict[str, Any]:
        """The same in plain values, for another process; they contain passwords."""
        rows = [[account.user, account.password, sorted(account.grants)] for account in self.accounts]
        return {"administrator": self.administrator, "accounts": rows}

    @classmethod
    def from_plain(cls, data: dict[str, Any]) -> PreparedAccounts:
        """The inverse of ``as_plain``."""
        accounts = (PreparedAccount(user, password, frozenset(grants)) for user, password, grants in data["accounts"])
        return cls(tuple(accounts), data["administrator"])


def grants_of(privileges: Iterable[str]) -> Grants:
    """Privileges in the form in which they are compared: in upper case, with single blanks."""
    return frozenset(" ".join(privilege.upper().split()) for privilege in privileges)


def described(grants: Grants) -> str:
    """Grants in words, to follow *an account* or *accounts*."""
    return f"with {' and '.join(sorted(grants))}" if grants else "without a privilege"


def read_accounts(path: Path, privileges: Iterable[str] | None = None) -> PreparedAccounts:
    """Reads a file of accounts.

    Args:
        path: the file.
        privileges: the privileges that cases grant, if the file's grants are to be checked: no case uses
            an account with others.

    Raises:
        SourceError: the file is invalid, other users can read it, or it has a privilege that no case grants. No message
            quotes the file.
    """
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as error:
        raise SourceError(Place(path), f"can't be read: {error.strerror}", "check the path") from error
    if mode & 0o077:
        raise SourceError(
            Place(path),
            f"contains passwords, and other users can read it (mode {mode:04o})",
            f"chmod 600 {Place(path).shown_path}",
        )
    document = read_document(path, "accounts.schema.json", FORMAT, secret=True)
    accounts: list[PreparedAccount] = []
    for index, row in enumerate(document.data["accounts"]):
        if any(row["user"].casefold() == other.user.casefold() for other in accounts):
            raise document.fail(("accounts", index, "user"), "duplicate user", "list each account once")
        for at, grant in enumerate(row["grants"] if privileges is not None else ()):
            known = grants_of(privileges or ())
            if not grants_of([grant]) <= known:
                keys = ("accounts", index, "grants", at)
                raise document.fail(keys, "no case grants a privilege with this name", did_you_mean(grant, known))
        accounts.append(PreparedAccount(row["user"], row["password"], grants_of(row["grants"])))
    return PreparedAccounts(tuple(accounts), document.data.get("administrator", False))


def write_accounts(path: Path, accounts: Iterable[PreparedAccount]) -> None:
    """Writes a new file of accounts that only its owner can read.

    Raises:
        SourceError: the file exists already, or can't be written.
    """
    rows = [
        f"  - {{user: {each.user}, password: {each.password}, grants: [{', '.join(sorted(each.grants))}]}}"
        for each in accounts
    ]
    text = "\n".join(
        (
            f"format: {FORMAT}",
            "administrator: false # true: the DSN's user has all these privileges, too",
            "accounts:",
            *rows,
            "",
        )
    )
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise SourceError(
            Place(path), "already exists, and is not overwritten", "choose another file with --out"
        ) from error
    except OSError as error:
        raise SourceError(
            Place(path), f"can't be written: {error.strerror}", "choose another file with --out"
        ) from error
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


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
        return "it creates a user, and runs with prepared accounts create none"
    if any(spec.name_extends or spec.quoted for spec in case.sessions):
        return "it needs user names with a common beginning or small letters, and those of prepared accounts are fixed"
    acting = {spec.name for spec in case.sessions if spec.same_user_as == ADMINISTRATOR}
    for step in steps:
        if not isinstance(step, Send):
            continue
        if (change := DEFINES_OBJECTS.search(step.statement.text)) is not None:
            return f"it sends a {change[0].upper()} statement, and runs with prepared accounts send none"
        if any(hole.part == "password" for hole in step.statement.holes):
            return "it sends a password, and the passwords of prepared accounts are secret"
        if step.session in acting and not administrator:
            return (
                "the administrator sends its statement under test, and the accounts file has no 'administrator: true'"
            )
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
