"""``accounts``: prints the SQL that prepares accounts for ``run --accounts``, or that removes them again."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

from runner.accounts.accounts_check import accounts_needed
from runner.accounts.accounts_file import PreparedAccount, described, read_accounts, write_accounts
from runner.commands.shared_options import add_cases_argument, suite_named
from runner.database.generated_passwords import new_password
from runner.database.naming import PREFIX
from runner.database.profile import DEFAULT_PROFILE, Profile, load_profile
from runner.execution.applicability import exempted
from runner.execution.profile_problems import check_profile
from runner.language.given_values import given_path, given_text
from runner.language.model import Case

HELP = "print the SQL that creates accounts for runs that may not create users"

_MOST_WORKERS = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument(
        "--profile",
        type=given_text,
        default=DEFAULT_PROFILE,
        metavar="NAME|FILE",
        help="the profile of the target (default: %(default)s)",
    )
    parser.add_argument(
        "--workers",
        type=_workers,
        default=1,
        metavar="N",
        help="the number of parallel workers, pytest's -n (default: 1)",
    )
    parser.add_argument(
        "--out",
        type=given_path,
        default=Path("accounts.yaml"),
        metavar="FILE",
        help="the new accounts file (default: %(default)s)",
    )
    parser.add_argument(
        "--drop", type=given_path, metavar="FILE", help="only print the SQL that drops the accounts in this file"
    )
    add_cases_argument(parser)


def run(options: argparse.Namespace) -> int:
    """Prints the SQL, and writes the accounts file for it."""
    profile, suite = load_profile(options.profile), suite_named(options)
    check_profile(profile, suite)
    if options.drop is not None:
        for prepared in read_accounts(options.drop).accounts:
            _print(profile.statements("drop_user", user=prepared.user))
        return 0
    accounts = list(_new_accounts(profile, suite.cases, options.workers))
    write_accounts(options.out, accounts)
    print(f"-- Accounts for {options.out}. These statements contain passwords: keep them secret.")
    for account in accounts:
        print(f"-- {account.user}, {described(account.grants)}")
        _print(_creating(profile, account))
    return 0


def _new_accounts(profile: Profile, cases: Iterable[Case], workers: int) -> Iterator[PreparedAccount]:
    applicable = [case for case in cases if exempted(case, profile) is None]
    # The underscore after USER distinguishes these names from those of runs, which contain a date and are swept.
    names = (f"{PREFIX}USER_{number}" for number in itertools.count(1))
    for grants, needed in sorted(
        accounts_needed(applicable, administrator=True).items(), key=lambda item: sorted(item[0])
    ):
        for _ in range(needed * workers):
            yield PreparedAccount(next(names), new_password(), grants)


def _creating(profile: Profile, account: PreparedAccount) -> list[str]:
    statements = profile.statements("create_user", user=account.user, password=account.password)
    for privilege in sorted(account.grants):
        statements += profile.grants(privilege, account.user)
    return statements


def _print(statements: Iterable[str]) -> None:
    for statement in statements:
        print(f"{statement};")


def _workers(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= _MOST_WORKERS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of workers from 1 to {_MOST_WORKERS}")
    return int(text)
