"""``lint``: checks what people write, without running it: cases and registers, profiles, the lists beside them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from runner.commands import USAGE_ERROR
from runner.commands.suites import folder_of_cases, suite_named
from runner.database.accountsfile import read_accounts
from runner.database.profile import load_profile, profile_names
from runner.execution.profilecheck import profile_problems
from runner.gating.judging import unknown_names
from runner.gating.knownlist import read_known_deviations
from runner.language.casefolders import REGISTER_NAME
from runner.language.kinds import Kind, kind_of
from runner.language.load import case_files, load_cases, refuse_duplicates
from runner.language.model import Case
from runner.language.problems import Place, SourceError
from runner.language.register import read_register
from runner.language.suite import Suite, folders_of, own_suite, suite_of

HELP = "check case files, registers, profiles and other files without running them"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument(
        "paths",
        nargs="*",
        type=Path,
        help="files, or folders of cases (default: the folder cases here, or else the cases that come with the suite; "
        "and the profiles that come with it)",
    )
    parser.set_defaults(cases=None)


def run(options: argparse.Namespace) -> int:
    """Checks the files that were named: 1 if something is wrong with one of them."""
    paths: Sequence[Path] = options.paths or [folder_of_cases()]
    files: list[Path] = []
    others = [(Kind.PROFILE, name) for name in profile_names()] if not options.paths else []
    for path in paths:
        found = case_files(path) if path.is_dir() else [path] if path.exists() else []
        if not found:
            # The default folder is named though it may be missing.
            missing = "no cases found here" if path.is_dir() or not options.paths else "not a file"
            hint = f"cases are in a folder called cases that holds their register, {REGISTER_NAME}"
            print(f"{path}: {missing}\n    hint: {hint}", file=sys.stderr)
            return USAGE_ERROR
        kind = Kind.CASES if path.is_dir() else kind_of(path)
        if kind is Kind.CASES:
            files += found
        else:
            others.append((kind, str(path)))
        shown = Place(path).shown_path
        print(
            f"{shown}: {len(found)} case file{'s' * (len(found) != 1)}" if path.is_dir() else f"{shown}: {kind.title}"
        )
    cases, problems = _read_cases(files)
    if not problems and others:
        # What they name is looked up in the cases, which have to be right for that.
        suite = suite_of(files) if files else suite_named(options)
        problems = [problem for kind, name in others for problem in _problems(kind, name, suite)]
    for problem in problems:
        print(problem)
    profiles = sum(kind is Kind.PROFILE for kind, _ in others)
    print(f"{len(files)} case files, {len(cases)} cases, {profiles} profiles, {len(problems)} problems")
    return 1 if problems else 0


def _read_cases(files: Sequence[Path]) -> tuple[list[Case], list[SourceError]]:
    """The cases of these files, and what is wrong with them."""
    cases: list[Case] = []
    problems: list[SourceError] = []
    try:
        folders_of(files)
    except SourceError as error:
        return [], [error]
    for path in files:
        try:
            cases += load_cases(path)
        except SourceError as error:
            problems.append(error)
    try:
        refuse_duplicates(cases)
        if not problems:
            suite_of(files)
    except SourceError as error:
        problems.append(error)
    return cases, problems


def _problems(kind: Kind, name: str, suite: Suite) -> list[SourceError]:
    """What is wrong with another file than one of cases."""
    try:
        return _CHECKS[kind](name, suite)
    except SourceError as error:
        return [error]


def _register(name: str, _: Suite) -> list[SourceError]:
    read_register(Path(name).resolve())
    return []


def _accounts(name: str, suite: Suite) -> list[SourceError]:
    read_accounts(Path(name), suite.privileges | own_suite().privileges)
    return []


_CHECKS: Mapping[Kind, Callable[[str, Suite], list[SourceError]]] = {
    Kind.REGISTER: _register,
    Kind.PROFILE: lambda name, suite: profile_problems(load_profile(name), suite),
    Kind.KNOWN_DEVIATIONS: lambda name, suite: unknown_names(read_known_deviations(Path(name)), suite.cases),
    Kind.ACCOUNTS: _accounts,
}
