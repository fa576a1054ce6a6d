"""The options of commands that reach a target, and the target that they name."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from runner.commands.suites import add_cases_argument, suite_named
from runner.database.dsn import Dsn
from runner.database.dsnoptions import DsnError
from runner.database.limits import Limits
from runner.database.profile import DEFAULT_PROFILE, load_profile
from runner.database.target import Target, TargetError
from runner.execution.profilecheck import check_profile

ENVIRONMENT = "KSC_DSN"
"""The environment variable that holds the DSN where the command line has none."""


class UnusableTargetError(Exception):
    """The target can't be reached or used; the message says why, and what to do."""


def add_target_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds ``--dsn`` and ``--profile``, as ``pytest cases`` has them, and ``--cases``."""
    parser.add_argument(
        "--dsn",
        metavar="URL",
        help=f"the target, as for pytest cases (default: the environment variable {ENVIRONMENT})",
    )
    parser.add_argument(
        "--profile", default=DEFAULT_PROFILE, metavar="NAME|FILE", help="its profile (default: %(default)s)"
    )
    add_cases_argument(parser)


@contextmanager
def target_of(options: argparse.Namespace) -> Iterator[Target]:
    """The target that the options name, for the length of the block; it was seen to be usable.

    Raises:
        UnusableTargetError: it isn't, or fails within the block.
        SourceError: the profile can't be used, or the cases that it is held against.
    """
    source = "--dsn" if options.dsn is not None else ENVIRONMENT
    text = options.dsn if options.dsn is not None else os.environ.get(ENVIRONMENT)
    if text is None:
        raise UnusableTargetError(f"no target: add --dsn URL, or set {ENVIRONMENT}")
    profile = load_profile(options.profile)
    check_profile(profile, suite_named(options))
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
