"""``lint``: checks case files and their register without running them."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from runner.commands import CASES, USAGE_ERROR
from runner.language.load import case_files, load_cases, refuse_duplicates
from runner.language.model import Case
from runner.language.problems import SourceError

HELP = "check case files and their register without running them"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("paths", nargs="*", type=Path, default=[CASES], help="files or folders (default: cases)")


def run(options: argparse.Namespace) -> int:
    """Checks the files that were named: 1 if something is wrong with one of them."""
    paths: list[Path] = options.paths
    problems: list[SourceError] = []
    cases: list[Case] = []
    files: list[Path] = []
    for path in paths:
        found = case_files(path) if path.is_dir() else [path]
        if not found or not path.exists():
            print(f"{path}: no case files here", file=sys.stderr)
            return USAGE_ERROR
        files += found
    for path in files:
        try:
            cases += load_cases(path)
        except SourceError as error:
            problems.append(error)
    try:
        refuse_duplicates(cases)
    except SourceError as error:
        problems.append(error)
    for problem in problems:
        print(problem)
    print(f"{len(files)} files, {len(cases)} cases, {len(problems)} problems")
    return 1 if problems else 0
