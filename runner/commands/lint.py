"""``lint``: checks cases, registers, profiles, and files of known deviations and accounts, without running them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from runner.accounts.accounts_file import read_accounts
from runner.commands import USAGE_ERROR
from runner.commands.shared_options import folder_of_cases, named_path, suite_named
from runner.database.profile import load_profile
from runner.database.profile_files import profile_names
from runner.execution.profile_problems import profile_problems
from runner.gating.known_deviations import read_known_deviations, unknown_names
from runner.language.case_files import cached_cases, case_files, refuse_duplicates
from runner.language.default_folders import REGISTER_NAME
from runner.language.message_text import plural
from runner.language.model import Case
from runner.language.paths import exists, is_folder
from runner.language.problems import Place, SourceError
from runner.language.register import FORMAT, read_register
from runner.language.schema_check import FileKind, file_kind_of
from runner.language.suite import Suite, folders_of, own_suite, suite_of
from runner.language.yaml_file import parse_document

HELP = "check case files, registers, profiles and other files without running them"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument(
        "paths",
        nargs="*",
        type=named_path,
        help="files, or folders of cases (default: the folder 'cases' in the current folder, or else the cases of the "
        "suite; and the profiles of the suite)",
    )
    parser.set_defaults(cases=None)


def run(options: argparse.Namespace) -> int:
    """Checks the files: 1 if one of them has a problem."""
    paths: Sequence[Path] = options.paths or [folder_of_cases()]
    files: list[Path] = []
    others = [(FileKind.PROFILE, name) for name in profile_names()] if not options.paths else []
    for path in paths:
        found = case_files(path) if is_folder(path) else [path] if exists(path) else []
        if not found:
            # The default folder may be missing.
            missing = "no cases found here" if is_folder(path) or not options.paths else "no such file or folder"
            hint = f"cases are YAML files in or below a folder with their register, {REGISTER_NAME}"
            print(f"{path}: {missing}\n    hint: {hint}", file=sys.stderr)
            return USAGE_ERROR
        kind = FileKind.CASES if is_folder(path) else file_kind_of(path)
        if kind is FileKind.CASES:
            files += found
        else:
            others.append((kind, str(path)))
        shown = Place(path).shown_path
        print(f"{shown}: {plural(len(found), 'case file') if is_folder(path) else kind.title}")
    cases, problems = _read_cases(files)
    if not problems and others:
        # Names in these files are looked up in the cases, which have to be valid for that.
        suite = suite_of(files) if files else suite_named(options)
        problems = [problem for kind, name in others for problem in _problems(kind, name, suite)]
    problems = sorted((one for problem in problems for one in problem.all), key=lambda problem: problem.place)
    for problem in problems:
        print(problem)
    profiles = sum(kind is FileKind.PROFILE for kind, _ in others)
    counts = ((len(files), "case file"), (len(cases), "case"), (profiles, "profile"), (len(problems), "problem"))
    print(", ".join(plural(number, word) for number, word in counts))
    return 1 if problems else 0


def _read_cases(files: Sequence[Path]) -> tuple[list[Case], list[SourceError]]:
    """The cases of these files, and their problems."""
    cases: list[Case] = []
    problems: list[SourceError] = []
    try:
        folders_of(files)
    except SourceError as error:
        return [], _unreadable(files) or [error]
    for path in files:
        try:
            cases += cached_cases(path.resolve())
        except SourceError as error:
            problems.append(error)
    problems += {
        case.place: SourceError(case.place, "the case claims nothing", "add a reply to a step, or ends")
        for case in cases
        if case.claims_nothing
    }.values()
    try:
        refuse_duplicates(cases)
        if not problems:
            suite_of(files)
    except SourceError as error:
        problems.append(error)
    return cases, problems


def _unreadable(files: Sequence[Path]) -> list[SourceError]:
    """The files that are no YAML: they can be meant as files of any kind, which need no register."""
    problems = []
    for path in files:
        try:
            parse_document(path, FORMAT)
        except SourceError as error:
            problems.append(error)
    return problems


def _problems(kind: FileKind, name: str, suite: Suite) -> list[SourceError]:
    """The problems of a file that is not a case file."""
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


_CHECKS: Mapping[FileKind, Callable[[str, Suite], list[SourceError]]] = {
    FileKind.REGISTER: _register,
    FileKind.PROFILE: lambda name, suite: profile_problems(load_profile(name), suite),
    FileKind.KNOWN_DEVIATIONS: lambda name, suite: unknown_names(read_known_deviations(Path(name)), suite.cases),
    FileKind.ACCOUNTS: _accounts,
}
