"""The checks of the option ``--accounts``: a file that can be read, with enough accounts, without the DSN's user."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from runner.accounts.accounts_check import missing_accounts
from runner.accounts.accounts_file import PreparedAccounts, read_accounts
from runner.database.dsn import Dsn
from runner.database.profile import Profile
from runner.execution.applicability import exempted
from runner.language.model import Case
from runner.language.problems import SourceError
from runner.language.suite import Suite, own_suite


def read_prepared(path: str, suite: Suite) -> PreparedAccounts:
    """Reads the file, and checks its grants against the cases of the run and the suite's own cases.

    Raises:
        pytest.UsageError: the file can't be used.
    """
    try:
        return read_accounts(Path(path), suite.privileges | own_suite().privileges)
    except SourceError as error:
        raise pytest.UsageError(f"--accounts: {error}") from error


def refuse_too_few(
    prepared: PreparedAccounts, path: str, cases: Sequence[Case], profile: Profile, workers: int
) -> None:
    """Checks that the accounts are enough for this number of workers.

    Raises:
        pytest.UsageError: there are too few accounts.
    """
    few = missing_accounts(prepared, [case for case in cases if exempted(case, profile) is None], workers)
    if few and workers > 1:
        raise pytest.UsageError(
            f"--accounts: {path} has too few accounts for {workers} workers. Needed: {', '.join(few)}\n"
            "    hint: use fewer workers, or create accounts with kill-session-conformance accounts "
            f"--workers {workers}"
        )


def refuse_dsns_user(prepared: PreparedAccounts, dsn: Dsn) -> None:
    """Checks that the administrator is not a prepared account: cases kill the sessions of prepared accounts.

    Raises:
        pytest.UsageError: the administrator is one.
    """
    if any(account.user.casefold() == dsn.account.casefold() for account in prepared.accounts):
        raise pytest.UsageError(f"--accounts: {dsn.account} is the DSN's user, which can't be a prepared account")
