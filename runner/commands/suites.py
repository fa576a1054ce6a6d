"""The option ``--cases``, and the registers and cases that it names."""

from __future__ import annotations

import argparse
from pathlib import Path

from runner.commands import CASES
from runner.language.suite import Suite, own_suite, suite_in


def add_cases_argument(parser: argparse.ArgumentParser) -> None:
    """Adds ``--cases``."""
    parser.add_argument(
        "--cases",
        type=Path,
        action="append",
        metavar="FOLDER",
        help=f"a folder with a register and its cases; may be given several times (default: {CASES})",
    )


def suite_named(options: argparse.Namespace) -> Suite:
    """What the options name: without any, the folder ``cases`` here, or else the suite's own, if it came with some.

    Raises:
        SourceError: the files can't be used, or not together.
    """
    return suite_in(options.cases or [CASES]) if options.cases or CASES.is_dir() else own_suite()
