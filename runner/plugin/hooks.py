"""pytest's hooks, each a few lines: their work is done by the other modules."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from runner.language.case_files import is_case_file
from runner.language.model import Level
from runner.plugin.collection import CaseFile, CaseItem, chosen_files
from runner.plugin.conformance_run import Run
from runner.plugin.progress import Progress
from runner.plugin.result_collector import ResultCollector, attach_result, status_of
from runner.plugin.run_end import finish, write_summary
from runner.plugin.run_options import add_options
from runner.plugin.signals import end_like_ctrl_c
from runner.plugin.startup_checks import check_before_run

_PYTESTS_DEFAULT = "fE"
_CHOSEN = pytest.StashKey[list[Path]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the suite's options."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Registers the levels as marks, so that ``-m must`` works, and the collection of results."""
    for level in Level:
        config.addinivalue_line("markers", f"{level.value}: cases whose requirement has this level")
    if config.option.reportchars == _PYTESTS_DEFAULT and _chosen(config):
        config.option.reportchars = "E"  # the conformance section lists the failures
    ResultCollector.register(config)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Checks files, options and target before the first case; only in the controller."""
    config = session.config
    files = _chosen(config)
    if files:
        end_like_ctrl_c()
    if not files or hasattr(config, "workerinput"):
        return
    if (reporter := config.pluginmanager.get_plugin("terminalreporter")) is not None:
        progress = Progress(reporter)
        config.pluginmanager.register(progress)
        Run.of(config).on_wait = progress.note_finished
    check_before_run(config, files)


def _chosen(config: pytest.Config) -> list[Path]:
    """The case files that the command line names; searched for once, as its folders may have thousands of files."""
    if _CHOSEN not in config.stash:
        config.stash[_CHOSEN] = list(chosen_files(config.args, config.invocation_params.dir))
    return config.stash[_CHOSEN]


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Sends the checked target and a share of the prepared accounts to an xdist worker."""
    run = Run.of(node.config)
    if run.checked:
        node.workerinput.update(run.new_worker())
        if run.shares is not None:
            node.workerinput["conformance_accounts"] = run.shares.give(node.workerinput["workerid"])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Takes over the notes of a worker that has ended; its prepared accounts are free for another one."""
    run = Run.of(node.config)
    output = getattr(node, "workeroutput", {})
    run.note_connection_room(output.get("conformance_room"))
    run.note_grant_delay(output.get("conformance_grant_delay", 0.0))
    run.left += output.get("conformance_left", [])
    if run.shares is not None:
        run.shares.take_back(node.workerinput["workerid"])


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collects case files."""
    return CaseFile.from_parent(parent, path=file_path) if is_case_file(file_path) else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselects the cases of other requirements than those of ``--requirement``."""
    wanted = set(config.getoption("requirement"))
    if wanted:
        dropped = [item for item in items if not isinstance(item, CaseItem) or item.case.requirement.id not in wanted]
        items[:] = [item for item in items if item not in dropped]
        config.hook.pytest_deselected(items=dropped)


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Shows the target, and what is missing."""
    return Run.of(config).header


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Adds a case's result to its report."""
    report = yield
    if isinstance(item, CaseItem) and call.when == "call" and item.result is not None:
        attach_result(item, item.result, report)
    return report


def pytest_report_teststatus(report: Any) -> tuple[str, str, str] | None:
    """Shows the verdict in place of pytest's words."""
    return status_of(report)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Writes the record and closes the run."""
    finish(session, exitstatus, _chosen(session.config))


def pytest_terminal_summary(terminalreporter: Any, exitstatus: int, config: pytest.Config) -> None:
    """Shows the conformance section."""
    write_summary(terminalreporter, exitstatus, config, _chosen(config))
