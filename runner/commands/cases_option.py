"""The option ``--cases``, and the registers and cases that it names."""

from __future__ import annotations

import argparse
from pathlib import Path

from runner.language.case_folders import FOLDER_NAME, default_cases, resolved
from runner.language.suite import Suite, suite_in


def add_cases_argument(parser: argparse.ArgumentParser) -> None:
    """Adds ``--cases``."""
    parser.add_argument(
        "--cases",
        type=named_path,
        action="append",
        metavar="FOLDER",
        help="a folder with a register and its cases; may be given several times (default: the folder cases here, or "
        "else the cases that come with the suite)",
    )


def named_path(text: str) -> Path:
    """The path of an argument; the suite's own folders, such as ``kill``, can be named in any directory."""
    return Path(resolved(text))


def suite_named(options: argparse.Namespace) -> Suite:
    """The suite of ``--cases``; by default the folder ``cases`` here, or else the suite's own cases.

    Raises:
        SourceError: there are no cases, or the files can't be used, or not together.
    """
    return suite_in(options.cases or [folder_of_cases()])


def folder_of_cases() -> Path:
    """The default folder of cases; if there is none, the one that is missing here."""
    return default_cases() or Path(FOLDER_NAME)
