"""``new-case``: writes a correct case to start from, with comments that explain what to change."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from runner.commands import USAGE_ERROR
from runner.language.case_files import is_case_file, load_cases
from runner.language.default_folders import FOLDER_NAME, REGISTER_NAME, looks_like_a_register, own_cases
from runner.language.given_values import given_path
from runner.language.message_text import did_you_mean
from runner.language.model import Case, Example, Level, Requirement
from runner.language.paths import exists
from runner.language.problems import Place, SourceError
from runner.language.register import FORMAT, find_register, register_folder
from runner.language.schema_check import read_document
from runner.language.suite import suite_in

HELP = "write a correct case to start from, with comments that explain what to change"
_ID = re.compile("[a-z0-9]+(-[a-z0-9]+)*")
_SCHEMA = "case-format.schema.json"


class NewCaseError(Exception):
    """The case can't be written; the message has the reason and the fix."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("id", help="the case's id: lower case words with hyphens, unique in all files")
    parser.add_argument("--requirement", required=True, metavar="ID", help="the requirement that it decides")
    parser.add_argument(
        "--file",
        type=given_path,
        help="the file, new or not, in or below a folder with a register (default: cases/ID.yaml)",
    )


def run(options: argparse.Namespace) -> int:
    """Writes the case: 4 if its id, its requirement or its file can't be used."""
    try:
        place = _create(options)
    except NewCaseError as error:
        print(error, file=sys.stderr)
        return USAGE_ERROR
    print(f"{place}: {options.id}\nChange what its comments explain. Then:")
    print(f"  kill-session-conformance lint {place.shown_path}")
    print(f"  kill-session-conformance run {place.shown_path} -k {options.id}")
    return 0


def _create(options: argparse.Namespace) -> Place:
    """Writes the case, and returns its place.

    Raises:
        NewCaseError: its id, its requirement or its file can't be used.
        SourceError: the cases beside it can't be read.
    """
    if not _ID.fullmatch(options.id):
        raise NewCaseError(f"{options.id!r} is not an id: use lower case letters, digits and single hyphens")
    path = options.file or _default_file(options.id)
    if not is_case_file(path.resolve()):
        raise NewCaseError(f"{path}: a case file ends in .yaml, below a folder with a register, {REGISTER_NAME}")
    register, cases = find_register(path), _cases_beside(path)
    if earlier := next((case for case in cases if case.id == options.id), None):
        raise NewCaseError(f"the id {options.id!r} is already used in {earlier.place}: choose another one")
    if options.requirement not in register.requirements:
        hint = did_you_mean(options.requirement, register.requirements)
        raise NewCaseError(f"{path}: unknown requirement {options.requirement!r}; {hint}")
    text = _text(options.id, register.requirements[options.requirement], register.vocabulary.example)
    return _write(path, options.id, text)


def _default_file(case_id: str) -> Path:
    folder = Path(FOLDER_NAME)
    if not looks_like_a_register(folder / REGISTER_NAME):
        own = own_cases()
        copy = "" if own is None else f", or copy {own / REGISTER_NAME} to {folder}"
        what = f"there is no folder {FOLDER_NAME} with {REGISTER_NAME} here: name a file with --file{copy}"
        raise NewCaseError(what)
    return folder / f"{case_id}.yaml"


def _cases_beside(path: Path) -> Sequence[Case]:
    """The cases of the same register; none yet in a new folder."""
    folder = register_folder(path)
    return suite_in([folder]).cases if any(map(is_case_file, folder.rglob("*.yaml"))) else ()


def _text(case_id: str, requirement: Requirement, example: Example) -> str:
    """The case as an item of the list ``cases``, without indentation in front of its hyphen."""
    observes = requirement.level is Level.OBSERVE
    claims = (
        "    observe: # the known outcomes; the first that matches is recorded\n"
        "      the session is killed: {reply: success, ends: [victim]}\n"
        "      refused: {reply: error, ends: []}\n"
        if observes
        else "    ends: [victim] # the sessions that are gone at the end; all others have to stay usable\n"
    )
    reply = "observed # the reply is recorded" if observes else "success # the allowed reply, or a list of them"
    granted = f"{{grants: [{', '.join(example.grants)}]}}" if example.grants else "{}"
    return (
        f"  - id: {case_id}\n"
        f"    requirement: {requirement.id} # {requirement.level.value}: {' '.join(requirement.text.split())}\n"
        "    title: the session is killed # one sentence that is true on a conforming server\n"
        "    sessions: # one user each, unless user names an earlier session\n"
        f"      killer: {granted}\n"
        "      victim: {user: killer}\n"
        "    steps: # a step without reply prepares the test and has to succeed\n"
        f"      - killer: {example.statement}\n"
        f"        reply: {reply}\n"
        f"{claims}"
    )


def _write(path: Path, case_id: str, text: str) -> Place:
    """Adds the case to the file, which is created if necessary, and returns the place of the case.

    Raises:
        NewCaseError: the file's list of cases isn't its last part, or can't be written.
    """
    before = path.read_text("utf-8") if exists(path) else None
    try:
        if before is None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{_first_line(path)}\nformat: {FORMAT}\ncases:\n{text}", "utf-8")
        else:
            indent = read_document(path, _SCHEMA, FORMAT).place("cases", 0).column - len("- ") - 1
            moved = re.sub("^  ", " " * indent, text, flags=re.MULTILINE)
            path.write_text(f"{before.rstrip()}\n\n{moved}", "utf-8")
        (case,) = [case for case in load_cases(path) if case.id == case_id]
    except SourceError as error:
        if before is None:
            raise
        path.write_text(before, "utf-8")
        what = f"{path}: the case can't be added at the end of this file ({error.what}): name another file"
        raise NewCaseError(what) from error
    except OSError as error:
        raise NewCaseError(f"{path}: can't be written: {error.strerror or error}") from error
    return case.place


def _first_line(path: Path) -> str:
    """The comment with the schema for editors."""
    schema = Path(__file__).resolve().parents[1] / "language" / _SCHEMA
    return f"# yaml-language-server: $schema={os.path.relpath(schema, path.resolve().parent)}"
