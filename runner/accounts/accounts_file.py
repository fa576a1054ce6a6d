"""Prepared accounts: the values, and the file from which they are read and to which they are written."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from runner.language.message_text import did_you_mean
from runner.language.problems import Place, SourceError
from runner.language.schema_check import read_document

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
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:  # the disk is full: a part of the accounts is worth nothing
        path.unlink(missing_ok=True)
        raise SourceError(
            Place(path), f"can't be written: {error.strerror}", "choose another file with --out"
        ) from error
