"""``diff``: the changes between two runs, and whether they fail a build."""

from __future__ import annotations

import argparse

from runner.gating.change_policy import DEFAULT_POLICY, ChangePolicy, ChangePolicyError
from runner.gating.difference import compare
from runner.gating.difference_text import FORMATS
from runner.language.given_values import given_path
from runner.reporting.joined_records import read_run

HELP = "compare the records of two runs; exit code 1 after a regression"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument(
        "old",
        type=given_path,
        metavar="OLD",
        help="the record of the older run, or a folder with the records of its parts",
    )
    parser.add_argument("new", type=given_path, metavar="NEW", help="the record of the newer run, or such a folder")
    parser.add_argument("--format", choices=FORMATS, default="text", help="the output format (default: text)")
    parser.add_argument(
        "--fail-on",
        type=_policy,
        default=DEFAULT_POLICY,
        metavar="KIND[:LEVEL],...",
        help="the kinds of changes that give exit code 1; with a level, at this level and stricter ones; none: no "
        f"change gives it (default: {DEFAULT_POLICY})",
    )


def run(options: argparse.Namespace) -> int:
    """Prints the differences: 1 if the policy names one of them.

    Raises:
        RecordError: a file is no record that can be used.
    """
    difference = compare(read_run(options.old), read_run(options.new))
    for line in FORMATS[options.format](difference, options.fail_on):
        print(line)
    return 1 if options.fail_on.failing(difference) else 0


def _policy(text: str) -> ChangePolicy:
    try:
        return ChangePolicy.parse(text)
    except ChangePolicyError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
