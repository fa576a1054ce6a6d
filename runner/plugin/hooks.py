"""pytest's hooks, each a line or two: what they do is in the other modules."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from runner.execution.profilecheck import check_profile
from runner.execution.spelling import check_spellings
from runner.execution.verdict import CaseResult, Standing, Verdict
from runner.gating.judging import Complaint, complaints
from runner.language.load import cached_cases, is_case_file, refuse_duplicates
from runner.language.model import Case, Level
from runner.language.problems import SourceError, did_you_mean
from runner.language.suite import Suite, folders_of
from runner.plugin import recording
from runner.plugin.ci import tell
from runner.plugin.collection import CaseFile, CaseItem, chosen_files, suite_of_run
from runner.plugin.options import add_options
from runner.plugin.progress import Progress
from runner.plugin.run import Run
from runner.plugin.signals import end_like_ctrl_c
from runner.plugin.workers import planned_workers
from runner.reporting.summary import (
    conclusion,
    exemptions,
    findings,
    leftovers,
    observations,
    respelled,
    stale,
    table,
    tally,
)

_PYTESTS_DEFAULT = "fE"
_UNUSABLE = "invalid case files"
_COMPLETE = {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}
_LETTERS = {Verdict.DEVIATES: "d", Verdict.INCONCLUSIVE: "i", Verdict.NOT_APPLICABLE: "n", Verdict.OBSERVED: "o"}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the suite's options."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Registers the levels as marks, so that ``-m must`` works."""
    for level in Level:
        config.addinivalue_line("markers", f"{level.value}: cases whose requirement has this level")
    if config.option.reportchars == _PYTESTS_DEFAULT and _chosen(config):
        config.option.reportchars = "E"  # the conformance section says it shorter


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Says all that is wrong with files, options and target before any case runs; workers trust the controller."""
    config = session.config
    files = _chosen(config)
    if files:
        end_like_ctrl_c()
    if not files or hasattr(config, "workerinput"):
        return
    if (reporter := config.pluginmanager.get_plugin("terminalreporter")) is not None:
        config.pluginmanager.register(Progress(reporter))
    cases = _check_files(files, config.getoption("requirement"))
    run = Run.of(config)
    try:
        check_profile(run.profile, _suite(files))
    except SourceError as error:
        raise pytest.UsageError(f"--profile: {error}") from error
    _check_known(run)
    _check_spellings(run, cases)
    run.check_accounts(cases, _suite(files), planned_workers(config))
    if run.record_path is not None and not run.record_path.absolute().parent.is_dir():
        raise pytest.UsageError(f"--record: the folder {run.record_path.parent} does not exist")
    if run.record_path is not None and run.record_path.is_dir():
        raise pytest.UsageError(f"--record: {run.record_path} is a folder; name a file")
    if not config.option.collectonly:
        run.check_target(cases)
        _check_known(run, reached=True)
        try:
            recording.write(config, files, [], None)
        except OSError as error:
            raise pytest.UsageError(f"--record: {error}") from error


def _chosen(config: pytest.Config) -> list[Path]:
    return list(chosen_files(config.args, config.invocation_params.dir))


def _check_spellings(run: Run, cases: list[Case]) -> None:
    """Checks the profile against the cases: what it makes of their guarded statements has to be allowed too."""
    try:
        for case in cases:
            check_spellings(run.profile, [case], case.vocabulary)
    except SourceError as error:
        raise pytest.UsageError(f"--profile: {error}") from error


def _check_known(run: Run, *, reached: bool = False) -> None:
    """Reads the list of known deviations; once the target is reached, also which entries apply to its version."""
    try:
        if run.known and reached:
            run.known_here  # noqa: B018 - reading it checks it
    except SourceError as error:
        raise pytest.UsageError(f"--known-deviations: {error}") from error


def _suite(files: list[Path]) -> Suite:
    return suite_of_run(tuple(files))


def _check_files(files: list[Path], wanted: list[str]) -> list[Case]:
    """Reads the case files, chosen or not, and says all that is wrong with them."""
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
        suite = None if problems else _suite(files)
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


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Hands an xdist worker the target that the controller has checked, and its share of the prepared accounts."""
    run = Run.of(node.config)
    if run.checked:
        node.workerinput.update(run.new_worker())
        if run.shares is not None:
            node.workerinput["conformance_accounts"] = run.shares.give(node.workerinput["workerid"])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """The share of a worker that crashed is free for the one that takes its place; what the others found is kept."""
    run = Run.of(node.config)
    output = getattr(node, "workeroutput", {})
    run.note_room(output.get("conformance_room"))
    run.left += output.get("conformance_left", [])
    if run.shares is not None:
        run.shares.take_back(node.workerinput["workerid"])


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collects files of cases."""
    return CaseFile.from_parent(parent, path=file_path) if is_case_file(file_path) else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keeps the cases of the requirements that were asked for."""
    wanted = set(config.getoption("requirement"))
    if wanted:
        dropped = [item for item in items if not isinstance(item, CaseItem) or item.case.requirement.id not in wanted]
        items[:] = [item for item in items if item not in dropped]
        config.hook.pytest_deselected(items=dropped)


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Names the target, and what it lacks."""
    return Run.of(config).header


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Adds a case's result to its report, which xdist carries from worker to controller."""
    report = yield
    if isinstance(item, CaseItem) and call.when == "call" and item.result is not None:
        report.conformance = item.result.as_dict()  # type: ignore[attr-defined]  # pytest passes what it doesn't know
        report.duration = item.result.seconds  # its own, whenever it began
        if report.skipped and isinstance(report.longrepr, tuple):
            place = item.case.place  # where the case stands, not where the runner says so
            report.longrepr = (place.shown_path, place.line, report.longrepr[2].removeprefix("Skipped: "))
    return report


def pytest_report_teststatus(report: Any) -> tuple[str, str, str] | None:
    """Says a verdict where pytest would say skipped or passed."""
    data = getattr(report, "conformance", None)
    if data is None:
        return None
    verdict = Verdict(data["verdict"])
    if report.failed and not data["transcript"]:
        return "not run", "I", "NOT RUN"  # nothing was said, so that there is nothing to show
    if report.failed:
        return "failed", "F", verdict.value.upper()
    if verdict is Verdict.CONFORMS:
        return "passed", ".", verdict.value
    if (data.get("listing") or {}).get("standing") == Standing.KNOWN.value:
        return f"{verdict.value} (known)", "k", f"{verdict.value} (known)"
    level = f" ({data['level']})" if verdict in {Verdict.DEVIATES, Verdict.INCONCLUSIVE} else ""
    return verdict.value + level, _LETTERS[verdict], verdict.value + level


def pytest_runtest_logreport(report: Any) -> None:
    """Collects results in the process that reports."""
    if (data := getattr(report, "conformance", None)) is not None:
        _RESULTS[report.nodeid] = CaseResult.from_dict(data)


_RESULTS: dict[str, CaseResult] = {}
_COMPLAINTS: list[Complaint] = []


def _results() -> list[CaseResult]:
    """The results in the order of the files, whatever order workers finished in."""
    return sorted(_RESULTS.values(), key=lambda result: (*_place(result.place), result.name))


def _place(text: str) -> tuple[str, int]:
    path, _, line = text.rpartition(":")
    return path, int(line)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Closes the sessions, and writes the record."""
    config = session.config
    run = Run.of(config)
    over = int(exitstatus) in _COMPLETE and not session.shouldfail and not session.shouldstop
    if over and run.checked and run.known:
        _COMPLAINTS.extend(complaints(run.known, run.known_here, _suite(_chosen(config)).cases, _results()))
    if _COMPLAINTS:
        session.exitstatus = exitstatus = pytest.ExitCode.TESTS_FAILED
    try:
        if run.checked:
            recording.write(config, _chosen(config), _results(), int(exitstatus) if over else None)
    except OSError as error:
        session.exitstatus = pytest.ExitCode.USAGE_ERROR
        print(f"--record: {error}")  # noqa: T201 - the terminal reporter is finishing by now
    finally:
        run.close()
    if hasattr(config, "workeroutput"):
        config.workeroutput["conformance_room"] = run.room
        config.workeroutput["conformance_left"] = run.left


def pytest_terminal_summary(terminalreporter: Any, exitstatus: int, config: pytest.Config) -> None:
    """The run on one screen."""
    results = _results()
    if not results or hasattr(config, "workerinput"):
        return
    run = Run.of(config)
    write, width = terminalreporter.write_line, terminalreporter._tw.fullwidth  # noqa: SLF001 - pytest offers no other
    requirements = _suite(_chosen(config)).requirements
    terminalreporter.write_sep("=", "conformance")
    for line in table(tally(results, requirements), width):
        write(line)
    if config.get_verbosity() > 0:
        write("")
        for line in observations(results):
            write(line)
    for line in (*exemptions(results), *respelled(results), *findings(results, width)):
        write(line)
    if run.room is not None:
        each = " in each worker" if getattr(config.option, "numprocesses", None) else ""
        write(f"fewer cases at a time than --in-flight ({run.room}{each}): the server accepts no more connections")
    left = () if run.all_removed else leftovers(results, run.left)
    for line in (*left, *stale(results, [str(complaint) for complaint in _COMPLAINTS])):
        write(line)
    stopped = terminalreporter._session.shouldfail or terminalreporter._session.shouldstop  # noqa: SLF001 - as above
    cut_off = "" if int(exitstatus) in _COMPLETE and not stopped else "cut off; result so far: "
    outcome = cut_off + conclusion(results, len(_COMPLAINTS), strict=run.strict)
    write(f"{run.shown_target}, as {run.profile.title}: {outcome}")
    tell(write, f"{run.target_name}, as {run.profile.title}", outcome, results, _COMPLAINTS, strict=run.strict)
