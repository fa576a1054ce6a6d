"""Writes the record of a run: before the first case, marked as cut off, and at the end."""

from __future__ import annotations

import datetime as dt
import os
import platform
from collections.abc import Sequence
from pathlib import Path

import pytest

from runner.execution.case_result import CaseResult
from runner.plugin.collection import suite_of_run
from runner.plugin.conformance_run import Run
from runner.reporting.record import Record, RecordedMissing, RecordedRun, RecordedTarget, suite_version


def write(config: pytest.Config, files: Sequence[Path], results: Sequence[CaseResult], exit_code: int | None) -> None:
    """Writes the record, if ``--record`` is given and the target was reached.

    Args:
        config: the controller's.
        files: the case files of this run.
        results: the results so far, in the order of the files.
        exit_code: pytest's, if the run is complete; None marks it as cut off.

    Raises:
        OSError: the file can't be written.
    """
    run = Run.of(config)
    path = run.options.record_path
    if path is None or run.findings is None:
        return
    findings, suite = run.findings, suite_of_run(tuple(files))
    recorded = {result.name for result in results}
    Record(
        target=RecordedTarget(
            name=run.target_name,
            flavour=findings.flavour,
            version=findings.version,
            product=findings.product,
            profile=run.options.profile.name,
            title=run.options.profile.title,
            route=findings.route,
            tls=findings.tls,
            host=findings.target.rpartition("@")[2] if run.options.record_host else None,
        ),
        run=RecordedRun(
            suite=suite_version(),
            cases_digest=suite.digest,
            cases=len(suite.cases),
            not_run=tuple(case.name for case in suite.cases if case.name not in recorded),
            started=_time(run.started),
            finished=None if exit_code is None else _time(dt.datetime.now(dt.UTC)),
            machine=_machine(),
            workers=getattr(config.option, "numprocesses", None) or 0,
            strict=run.options.strict,
            settle=run.limits.settle,
            statement_limit=run.limits.statement,
            complete=exit_code is not None,
            exit_code=exit_code,
        ),
        missing=tuple(RecordedMissing(item.what, item.cases, item.fix) for item in findings.missing),
        specifications=suite.specifications,
        requirements=suite.requirements,
        results=tuple(results),
    ).write(path)


def _machine() -> str:
    system = f"{platform.system()} {platform.machine()}"
    return f"{system}, Python {platform.python_version()}, {os.cpu_count()} CPUs"


def _time(moment: dt.datetime) -> str:
    return moment.isoformat(timespec="milliseconds")
