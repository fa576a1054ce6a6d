"""``--accounts``: the prepared accounts of a run, and whether they will do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from runner.database.accountsfile import PreparedAccounts, described, read_accounts
from runner.database.dsn import Dsn
from runner.database.profile import Profile
from runner.execution.accounts import needs
from runner.language.model import Case
from runner.language.problems import SourceError
from runner.language.suite import Suite, own_suite


def read_prepared(path: str, suite: Suite) -> PreparedAccounts:
    """Reads the file, and holds its grants against the cases of the run and the suite's own.

    Raises:
        pytest.UsageError: it can't be used.
    """
    try:
        return read_accounts(Path(path), suite.privileges | own_suite().privileges)
    except SourceError as error:
        raise pytest.UsageError(f"--accounts: {error}") from error


def refuse_too_few(
    prepared: PreparedAccounts, path: str, cases: Sequence[Case], profile: Profile, workers: int
) -> None:
    """Sees that they are enough for this many workers.

    One process does what it can with what there is. Of several, each has to be able to do the same: which of them
    gets a case is chance, and a verdict must not depend on it.

    Raises:
        pytest.UsageError: they are too few.
    """
    there = prepared.count()
    applicable = [case for case in cases if not profile.exempts(case.requirement.id, case.id, case.name)]
    few = [
        f"{needed * workers} {described(grants)} (the file has {there[grants]})"
        for grants, needed in needs(applicable, administrator=prepared.administrator).items()
        if 0 < there[grants] < needed * workers
    ]
    if few and workers > 1:
        raise pytest.UsageError(
            f"--accounts: {path} has too few accounts for {workers} workers. Needed: {', '.join(few)}\n"
            "    hint: use fewer workers, or create accounts with kill-session-conformance accounts "
            f"--workers {workers}"
        )


def refuse_dsns_user(prepared: PreparedAccounts, dsn: Dsn) -> None:
    """Sees that the administrator is none of them: cases end their sessions.

    Raises:
        pytest.UsageError: it is.
    """
    if any(account.user.casefold() == dsn.account.casefold() for account in prepared.accounts):
        raise pytest.UsageError(f"--accounts: {dsn.account} is the DSN's user, which can't be a prepared account")
