"""YAML files as pytest files, cases as pytest items."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from runner.execution.case_result import CaseResult, Standing, Verdict
from runner.language.case_files import cached_cases, case_files, is_case_file
from runner.language.model import Case
from runner.language.paths import is_folder, is_plain_file
from runner.language.problems import SourceError
from runner.language.suite import Suite, suite_of
from runner.plugin.conformance_run import Run
from runner.reporting.failure_text import failure_text


@cache
def suite_of_run(files: tuple[Path, ...]) -> Suite:
    """The suite of a run: the registers of its case files, with all their cases.

    Raises:
        SourceError: the files can't be used, or not together.
    """
    return suite_of(files)


_MAY_SKIP = ("skip", "skipif", "xfail")


class CaseFailedError(Exception):
    """A case fails the run; the report shows the failure's text instead of a traceback."""

    def __init__(self, result: CaseResult) -> None:
        super().__init__(result.actual or result.reason)
        self.result = result


class CaseFile(pytest.File):
    """A YAML file of cases."""

    def collect(self) -> Iterable[CaseItem]:
        """The cases of the file, one item for each combination of parameters."""
        try:
            cases = cached_cases(self.path)
        except SourceError as error:
            raise self.CollectError(str(error)) from error
        for case in cases:
            yield CaseItem.from_parent(self, name=case.name, case=case)


class CaseItem(pytest.Item):
    """A case as an item of pytest."""

    def __init__(self, *, case: Case, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.case = case
        self.result: CaseResult | None = None
        self.add_marker(case.requirement.level.value)
        self.user_properties += [("requirement", case.requirement.id), ("level", case.requirement.level.value)]

    def runtest(self) -> None:
        """Runs the case.

        Raises:
            CaseFailedError: the result fails the run.
        """
        run = Run.of(self.config)
        result = self.result = run.with_listing(run.result(self.nodeid, self.case, remaining_cases(self)))
        self.user_properties.append(("verdict", result.verdict.value))
        if result.listing:
            self.user_properties += [
                ("known-deviation", result.standing.value),
                ("known-reason", result.listing.reason),
            ]
        if result.fails(strict=run.options.strict):
            raise CaseFailedError(result)
        if result.verdict is Verdict.NOT_APPLICABLE:
            pytest.skip(f"not applicable: {result.reason}")
        if result.listing and result.standing is Standing.KNOWN:
            what = f"{result.verdict.value} (known): {result.actual or result.reason}"
            pytest.skip(f"{what} ({result.listing.entry}: {result.listing.reason})")
        if result.verdict not in {Verdict.CONFORMS, Verdict.OBSERVED}:
            pytest.skip(f"{result.verdict.value} ({result.level.value}): {result.actual or result.reason}")

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The text of a failure; pytest's own text for other exceptions."""
        if isinstance(excinfo.value, CaseFailedError):
            run = Run.of(self.config)
            node = f"{self.case.place.shown_path}::{self.name}"
            return failure_text(excinfo.value.result, f"{run.command} '{node}' {run.rerun_options}".rstrip())
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """The place of the case in its file."""
        return self.path, self.case.place.line - 1, f"{self.case.requirement.id} {self.case.title}"


def remaining_cases(item: CaseItem) -> Iterator[tuple[str, Case]]:
    """The known cases from this one on, in pytest's order, with their names; they may be started already.

    Cases with a mark that may skip them are not included.
    """
    for other in dict.fromkeys([item, *_queue(item, item.session)]):
        if isinstance(other, CaseItem) and (other is item or not any(map(other.get_closest_marker, _MAY_SKIP))):
            yield other.nodeid, other.case


def _queue(item: pytest.Item, session: pytest.Session) -> list[pytest.Item]:
    """The items from this one on; in an xdist worker the assigned ones, for which xdist has no hook."""
    if not hasattr(session.config, "workerinput"):
        return session.items[session.items.index(item) :]
    plugins: Iterator[Any] = (plugin for plugin in session.config.pluginmanager.get_plugins())
    worker = next((plugin for plugin in plugins if hasattr(plugin, "torun")), None)
    if worker is None:
        return []
    with worker.torun.lock() as queue:
        numbers = [worker.nextitem_index, *queue]
    return [session.items[number] for number in numbers if isinstance(number, int)]


def chosen_files(args: Iterable[str], directory: Path) -> Iterator[Path]:
    """The case files in the paths of a command line."""
    for arg in args:
        path = (directory / arg.split("::", 1)[0]).resolve()
        if is_folder(path):
            yield from case_files(path)
        elif is_case_file(path) and is_plain_file(path):
            yield path


def named_cases(args: Sequence[str], cases: Sequence[Case]) -> list[Case]:
    """The cases that a command line names as ``file::case``; all of them if it also has a path without a case.

    As in pytest, the name of a case without its label stands for all its labels.
    """
    names = {arg.partition("::")[2] for arg in args}
    return [case for case in cases if "" in names or names & {case.name, case.id}]
