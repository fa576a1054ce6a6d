"""Options that several commands share: the folder of cases, the target."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from runner.database.administrator_session import TargetError
from runner.database.dsn import DSN_VARIABLE, Dsn, DsnError, given_dsn
from runner.database.profile import DEFAULT_PROFILE, load_profile
from runner.database.target import Target
from runner.database.time_limits import Limits
from runner.execution.profile_problems import check_profile
from runner.language.default_folders import FOLDER_NAME, default_cases, resolved
from runner.language.given_values import given_text
from runner.language.suite import Suite, suite_in
from runner.plugin.signals import end_like_ctrl_c


class UnusableTargetError(Exception):
    """The target can't be reached or used; the message has the reason and the fix."""


def add_target_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds ``--dsn`` and ``--profile``, as ``run`` has them, and ``--cases``."""
    parser.add_argument(
        "--dsn",
        metavar="URL",
        help=f"the target, as for run (default: the environment variable {DSN_VARIABLE})",
    )
    parser.add_argument(
        "--profile",
        type=given_text,
        default=DEFAULT_PROFILE,
        metavar="NAME|FILE",
        help="its profile (default: %(default)s)",
    )
    add_cases_argument(parser)


@contextmanager
def target_of(options: argparse.Namespace, suite: Suite | None = None) -> Iterator[Target]:
    """The target of the options, checked, during the block; SIGTERM and SIGHUP interrupt the command like Ctrl-C.

    Args:
        options: the command's options.
        suite: the suite that ``--cases`` names, if it was read already.

    Raises:
        UnusableTargetError: the target can't be used, or fails within the block.
        SourceError: the profile or the cases can't be used.
    """
    end_like_ctrl_c()  # what the command has created is removed then
    source, text = given_dsn(options.dsn)
    if text is None:
        raise UnusableTargetError(f"no target: add --dsn URL, or set {DSN_VARIABLE}")
    profile = load_profile(options.profile)
    check_profile(profile, suite or suite_named(options))
    try:
        dsn = Dsn.parse(text)
    except DsnError as error:
        raise UnusableTargetError(f"{source}: {error}") from error
    limits = Limits()
    target = Target(dsn, profile, replace(limits, connect=dsn.connect_timeout or limits.connect))
    try:
        target.check()
        yield target
    except DsnError as error:
        raise UnusableTargetError(f"{source}: {error}") from error
    except TargetError as error:
        raise UnusableTargetError(f"the target {dsn.shown} can't be used: {error}") from error
    finally:
        target.close()


def add_cases_argument(parser: argparse.ArgumentParser) -> None:
    """Adds ``--cases``."""
    parser.add_argument(
        "--cases",
        type=named_path,
        action="append",
        metavar="FOLDER",
        help="a folder with a register and its cases; may be given several times (default: the folder 'cases' in the "
        "current folder, or else the cases of the suite)",
    )


def named_path(text: str) -> Path:
    """The path of an argument; the suite's own folders, such as ``kill``, can be named in any directory."""
    return Path(resolved(given_text(text)))


def suite_named(options: argparse.Namespace) -> Suite:
    """The suite of ``--cases``; by default the folder ``cases`` here, or else the suite's own cases.

    Raises:
        SourceError: there are no cases, or the files can't be used, or not together.
    """
    return suite_in(options.cases or [folder_of_cases()])


def folder_of_cases() -> Path:
    """The default folder of cases; if there is none, the one that is missing here."""
    return default_cases() or Path(FOLDER_NAME)
