"""The checks before the first case: case files, options, profile, prepared accounts and target."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from runner.execution.profile_problems import check_profile
from runner.language.case_files import cached_cases, refuse_duplicates
from runner.language.message_text import did_you_mean
from runner.language.model import Case
from runner.language.paths import exists, is_folder, is_plain_file
from runner.language.problems import SourceError
from runner.language.suite import folders_of
from runner.plugin import recording
from runner.plugin.collection import named_cases, suite_of_run
from runner.plugin.conformance_run import Run
from runner.plugin.run_options import planned_workers

_UNUSABLE = "invalid case files; kill-session-conformance lint shows all problems"


def check_before_run(config: pytest.Config, files: Sequence[Path]) -> None:
    """Checks everything before the first case, in the controller; writes a record that is marked as cut off.

    Args:
        config: the controller's.
        files: the case files of this run.

    Raises:
        pytest.UsageError: the run can't start; the message has the reason and the fix.
    """
    cases = named_cases(config.args, _check_files(files, config.getoption("requirement")))
    run, suite = Run.of(config), suite_of_run(tuple(files))
    try:
        check_profile(run.options.profile, suite, cases)
    except SourceError as error:
        raise pytest.UsageError(f"--profile: {error}") from error
    _check_known_deviations(run)
    run.check_accounts(cases, suite, planned_workers(config))
    _check_record_path(run.options.record_path)
    if config.option.collectonly:
        return
    run.prepare_target(cases)
    _check_known_deviations(run)
    try:
        recording.write(config, files, [], None)
    except OSError as error:
        raise pytest.UsageError(f"--record: {error}") from error


def _check_files(files: Sequence[Path], wanted: Sequence[str]) -> list[Case]:
    """Reads the case files, and reports all their problems; returns the cases of the wanted requirements."""
    problems: list[str] = []
    cases: list[Case] = []
    try:
        folders_of(files)
    except SourceError as error:
        raise pytest.UsageError(f"{_UNUSABLE}\n{error}") from error
    for path in files:
        try:
            cases += cached_cases(path)
        except SourceError as error:
            problems.append(str(error))
    try:
        refuse_duplicates(cases)
        suite = None if problems else suite_of_run(tuple(files))
    except SourceError as error:
        problems.append(str(error))
        suite = None
    if suite is None:
        raise pytest.UsageError("\n".join((_UNUSABLE, *problems)))
    known = suite.requirements
    for name in wanted:
        if name not in known:
            raise pytest.UsageError(f"--requirement: unknown requirement {name!r}; {did_you_mean(name, known)}")
    return [case for case in cases if case.requirement.id in wanted or not wanted]


def _check_known_deviations(run: Run) -> None:
    """Reads the list of known deviations; once the target was reached, selects the entries for its version."""
    try:
        if run.options.known is not None and run.checked:
            run.known_in_force()
    except SourceError as error:
        raise pytest.UsageError(f"--known-deviations: {error}") from error


def _check_record_path(path: Path | None) -> None:
    if path is None:
        return
    if not is_folder(path.absolute().parent):
        raise pytest.UsageError(f"--record: the folder {path.parent} does not exist")
    if is_folder(path):
        raise pytest.UsageError(f"--record: {path} is a folder; name a file")
    # A record replaces the file of its name: never a device such as /dev/null.
    if exists(path) and not is_plain_file(path):
        raise pytest.UsageError(f"--record: {path} is a device or a pipe; name a file")
