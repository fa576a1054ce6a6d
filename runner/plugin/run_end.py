"""The end of a run: stale entries, the final record, cleanup, and the conformance section on the screen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from runner.gating.github import write_github_output
from runner.gating.known_deviations import stale_entries
from runner.plugin import recording
from runner.plugin.collection import suite_of_run
from runner.plugin.conformance_run import Run
from runner.plugin.result_collector import ResultCollector
from runner.reporting.conclusion import RunResults
from runner.reporting.counts import tally
from runner.reporting.terminal_summary import (
    exemption_lines,
    finding_lines,
    leftover_lines,
    observation_lines,
    respelling_lines,
    stale_lines,
    table_lines,
)

_COMPLETE = {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}


def finish(session: pytest.Session, exitstatus: int, files: Sequence[Path]) -> None:
    """Finds stale entries, writes the record, and closes the run; a stale entry fails the run.

    Args:
        session: the session, whose exit status may be changed.
        exitstatus: pytest's.
        files: the case files of this run.
    """
    config = session.config
    run, results = Run.of(config), ResultCollector.of(config).in_file_order()
    complete = int(exitstatus) in _COMPLETE and not session.shouldfail and not session.shouldstop
    if complete and run.checked and run.options.known:
        cases = suite_of_run(tuple(files)).cases
        run.stale.extend(stale_entries(run.options.known, run.known_in_force(), cases, results))
    if run.stale:
        session.exitstatus = exitstatus = pytest.ExitCode.TESTS_FAILED
    try:
        if run.checked:
            recording.write(config, files, results, int(exitstatus) if complete else None)
    except OSError as error:
        session.exitstatus = pytest.ExitCode.USAGE_ERROR
        print(f"--record: {error}")  # noqa: T201 - the terminal reporter has finished
    finally:
        run.close()
    if hasattr(config, "workeroutput"):
        config.workeroutput["conformance_room"] = run.connection_room
        config.workeroutput["conformance_grant_delay"] = run.grant_delay
        config.workeroutput["conformance_left"] = run.left


def write_summary(terminalreporter: Any, exitstatus: int, config: pytest.Config, files: Sequence[Path]) -> None:
    """Writes the conformance section; on GitHub Actions also annotations and the job's summary."""
    results = ResultCollector.of(config).in_file_order()
    if not results or hasattr(config, "workerinput"):
        return
    run = Run.of(config)
    write, width = terminalreporter.write_line, terminalreporter._tw.fullwidth  # noqa: SLF001 - pytest has no public one
    requirements = suite_of_run(tuple(files)).requirements
    terminalreporter.write_sep("=", "conformance")
    for line in table_lines(tally(results, requirements), width):
        write(line)
    if config.get_verbosity() > 0:
        write("")
        for line in observation_lines(results):
            write(line)
    for line in (*exemption_lines(results), *respelling_lines(results), *finding_lines(results, width)):
        write(line)
    if run.connection_room is not None:
        each = " in each worker" if getattr(config.option, "numprocesses", None) else ""
        fewer = f"the run used {run.connection_room} cases at a time{each}, fewer than --in-flight"
        write(f"{fewer}: a limit of the server refused more logins, users or tables")
    if run.grant_delay:
        write(f"GRANT and REVOKE take effect late on this server: cases waited {run.grant_delay:g} s after each")
    left = () if run.all_removed else leftover_lines(results, run.left)
    for line in (*left, *stale_lines(results, [str(entry) for entry in run.stale])):
        write(line)
    stopped = terminalreporter._session.shouldfail or terminalreporter._session.shouldstop  # noqa: SLF001 - likewise
    cut_off = "" if int(exitstatus) in _COMPLETE and not stopped else "cut off; result so far: "
    outcome = cut_off + RunResults(results, strict=run.options.strict, stale_entries=len(run.stale)).sentence
    profile = run.options.profile
    write(f"{run.shown_target}, as {profile.title}: {outcome}")
    write_github_output(
        write, f"{run.target_name}, as {profile.title}", outcome, results, run.stale, strict=run.options.strict
    )
