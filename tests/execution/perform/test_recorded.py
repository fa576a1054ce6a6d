"""What the suite records of servers that do otherwise than the simulator where the page is silent."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.execution.case_bench import simulator
from tests.support.paths import ROOT
from tests.support.suite_run import run_suite

OTHERWISE = {
    "": ("the privilege is missing", "it is executed", "the same ids"),
    "prepared-with-the-privilege": ("it is executed", "it is executed", "the same ids"),
    "takes-no-prepared-kill": (
        "it can't be prepared, or another error",
        "it can't be prepared, or another error",
        "the same ids",
    ),
    "view-with-ids-of-its-own": ("the privilege is missing", "it is executed", "other ids, or not all of them"),
    "no-view-of-sessions": ("the privilege is missing", "it is executed", "no such view"),
}


@pytest.mark.parametrize("variant", OTHERWISE)
def test_statements_prepared_beforehand_and_the_view_of_sessions_are_recorded(variant: str, tmp_path: Path) -> None:
    with simulator(*(["--variant", variant] if variant else [])) as dsn:
        shown = f"oceanbase://{dsn.user}:{dsn.password}@{dsn.host}:{dsn.port}/"
        options = ["--requirement", "OBS-6", "--requirement", "OBS-10", "--dsn", shown]
        run = run_suite(tmp_path / "record.json", *options)
    assert run.code == 0, run.screen
    names = ("prepared-before-revoke", "prepared-before-grant", "ids-in-the-view-of-sessions")
    assert tuple(next(iter(run.result(name)["observed"])) for name in names) == OTHERWISE[variant]


@pytest.mark.parametrize("environment", ["no-roles", "no-roles-and-no-list-of-them"])
def test_only_cases_with_roles_are_inconclusive_on_a_server_without_roles(environment: str, tmp_path: Path) -> None:
    with simulator("--environment", environment) as dsn:
        shown = f"oceanbase://{dsn.user}:{dsn.password}@{dsn.host}:{dsn.port}/"
        run = run_suite(tmp_path / "record.json", "--requirement", "PUR-2", "--dsn", shown)
    undecided = {row["case_id"] for row in run.results(verdict="inconclusive")}
    with_roles = (ROOT / "cases" / "roles.yaml").read_text(encoding="utf-8").split("- id: ")[1:]
    expected = {text.split()[0] for text in with_roles if "CREATE ROLE" in text and "requirement: PUR-2" in text}
    assert undecided == expected
    assert run.results(verdict="deviates") == []
    assert all("CREATE ROLE" in row["reason"] for row in run.results(verdict="inconclusive"))
    assert not any(row["warnings"] for row in run.results()), "no role is said to be left that never was"


def test_cases_of_accumulation_send_at_least_twenty_kill_statements(tmp_path: Path) -> None:
    run = run_suite(tmp_path / "record.json", "-k", "twent")
    assert run.code == 0, run.screen
    rows = [row for row in run.results() if row["place"].startswith("cases/accumulation.yaml")]
    for row in rows:
        said = [event["text"] for event in row["transcript"] if event["kind"] == "sends" and "KILL" in event["text"]]
        assert len(said) >= 20, row["name"]
        if row["requirement"] in {"PUR-1", "IMP-7"}:
            ends = [event for event in row["transcript"] if event["kind"] == "ends" and "connection" in event["text"]]
            assert len(ends) >= 20, row["name"]
    assert {row["requirement"] for row in rows} == {"PUR-1", "IMP-7", "IMP-8"}
