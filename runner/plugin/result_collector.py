"""Collects the results of cases from pytest's reports, also from workers; makes pytest print verdicts."""

from __future__ import annotations

from typing import Any

import pytest

from runner.execution.case_result import CaseResult, Standing, Verdict
from runner.plugin.collection import CaseItem

_KEY = pytest.StashKey["ResultCollector"]()
_LETTERS = {Verdict.DEVIATES: "d", Verdict.INCONCLUSIVE: "i", Verdict.NOT_APPLICABLE: "n", Verdict.OBSERVED: "o"}


class ResultCollector:
    """A pytest plugin that collects the results of a run."""

    def __init__(self) -> None:
        self._results: dict[str, CaseResult] = {}

    @classmethod
    def register(cls, config: pytest.Config) -> None:
        """Starts to collect the results of a pytest process."""
        results = config.stash[_KEY] = cls()
        config.pluginmanager.register(results)

    @classmethod
    def of(cls, config: pytest.Config) -> ResultCollector:
        """The results of a pytest process."""
        return config.stash[_KEY]

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Collects the result of a case."""
        if (data := getattr(report, "conformance", None)) is not None:
            self._results[report.nodeid] = CaseResult.from_dict(data)

    def in_file_order(self) -> list[CaseResult]:
        """The results in the order of the case files, which is not the order in which workers finish them."""
        return sorted(self._results.values(), key=lambda result: (*result.file_and_line, result.name))


def attach_result(item: CaseItem, result: CaseResult, report: pytest.TestReport) -> None:
    """Adds a case's result to its report, which xdist sends from the worker to the controller."""
    report.conformance = result.as_dict()  # type: ignore[attr-defined]  # pytest sends additional attributes, too
    report.duration = result.seconds  # that of the case, which may have been started earlier
    if report.skipped and isinstance(report.longrepr, tuple):
        place = item.case.place  # of the case, not of the line in the runner that skipped it
        report.longrepr = (place.shown_path, place.line, report.longrepr[2].removeprefix("Skipped: "))


def status_of(report: Any) -> tuple[str, str, str] | None:
    """The category, letter and word for a case's report: the verdict; None for other reports."""
    data = getattr(report, "conformance", None)
    if data is None:
        return None
    verdict = Verdict(data["verdict"])
    if report.failed and not data["transcript"]:
        return "not run", "I", "NOT RUN"  # nothing was sent
    if report.failed:
        return "failed", "F", verdict.value.upper()
    if verdict is Verdict.CONFORMS:
        return "passed", ".", verdict.value
    if (data.get("listing") or {}).get("standing") == Standing.KNOWN.value:
        return f"{verdict.value} (known)", "k", f"{verdict.value} (known)"
    level = f" ({data['level']})" if verdict.failed else ""
    return verdict.value + level, _LETTERS[verdict], verdict.value + level
