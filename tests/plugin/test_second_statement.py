"""The second suite, for KILL: alone or beside the first, with the same guard, commands and reports."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from runner.language.default_folders import own_folders
from runner.language.guarded_statements import shape_problem
from runner.language.register import read_register
from runner.language.suite import suite_in
from tests.plugin.test_registers import Setup, setup  # noqa: F401 - the fixture
from tests.support.paths import ROOT
from tests.support.simulator_process import simulator
from tests.support.suite_run import run_command, run_pytest

KILL = ROOT / "kill" / "cases"

FOREIGN = """\
format: 1
sessions: {one: {}, other: {user: one}}
cases:
  - id: named
    requirement: KILL-1
    title: a statement that names a foreign session (${form})
    parameters:
      form:
        kill: KILL FOREIGN
        kill-connection: KILL CONNECTION FOREIGN
        kill-query: KILL QUERY FOREIGN
        in-quotes: KILL QUERY 'FOREIGN'
        in-a-list: KILL QUERY 'FOREIGN,${other.id}'
    steps:
      - one: ${form}
        reply: [ok, error]
  - id: own
    requirement: KILL-1
    title: a statement that names an own session
    steps:
      - one: KILL QUERY ${other.id}
        reply: ok
"""


def test_without_a_path_only_the_first_statement_is_tested() -> None:
    for arguments in ((), ("cases",)):
        done = run_pytest(*arguments, "--collect-only", "-q")
        assert "cases/forms.yaml::plain-form" in done.screen
        assert "kill/" not in done.screen


def test_the_suites_own_registers_are_found_the_first_statements_first() -> None:
    assert own_folders() == (ROOT / "cases", KILL)


def test_a_folder_of_the_user_in_a_checkout_is_no_register_of_the_suite(tmp_path: Path) -> None:
    for name in ("runner", "cases", "kill"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(tmp_path / "cases", tmp_path / "mine" / "cases")
    command = [sys.executable, "-m", "runner", "lint"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.splitlines()[-1].endswith("4 profiles, 0 problems")) == (0, True), done.stdout


def test_a_folder_is_named_to_test_the_second_statement_and_the_report_is_about_it(tmp_path: Path) -> None:
    record, site = tmp_path / "record.json", tmp_path / "site"
    done = run_pytest("kill", "--strict", "--record", str(record))
    assert done.code == 0, done.screen
    written = json.loads(record.read_text("utf-8"))
    assert {row["verdict"] for row in written["results"]} == {"conforms", "observed"}
    assert [row["title"] for row in written["specifications"]] == ["KILL"]
    assert run_command("report", str(record), "--out", str(site)).code == 0
    (badge,) = site.glob("*.svg")
    assert 'aria-label="KILL: ✓ conforms"' in badge.read_text("utf-8")
    assert (site / "report.md").read_text("utf-8").startswith("# KILL conformance: 1 target\n")
    for page in site.glob("*.html"):
        assert re.search(r"<title>.*KILL conformance.*</title>", page.read_text("utf-8"))
        assert "ALTER SYSTEM" not in page.read_text("utf-8")


def test_both_statements_are_tested_in_one_run_and_named_in_its_report(tmp_path: Path) -> None:
    record, site = tmp_path / "record.json", tmp_path / "site"
    chosen = ("--requirement", "SYN-2", "--requirement", "QUERY-2")
    done = run_pytest("cases", "kill", *chosen, "--record", str(record))
    assert done.code == 0, done.screen
    assert "SYN-2   conforms 2" in done.screen
    assert "QUERY-2 conforms 2" in done.screen
    assert run_command("report", str(record), "--out", str(site)).code == 0
    assert (site / "report.md").read_text("utf-8").startswith("# ALTER SYSTEM KILL SESSION and KILL conformance")


@pytest.mark.long
def test_a_foreign_id_is_never_sent_in_any_form_of_the_second_statement(setup: Setup) -> None:  # noqa: F811 - the fixture
    folder = setup.folder / "kill" / "cases"
    folder.mkdir(parents=True)
    shutil.copy(KILL / "requirements.yaml", folder)
    cases = FOREIGN.replace("FOREIGN", setup.foreign)
    (folder / "named.yaml").write_text(cases, "utf-8")
    record = setup.record("kill")
    verdicts = {row["name"]: (row["verdict"], row["reason"]) for row in record["results"]}
    assert verdicts.pop("own")[0] == "conforms"
    assert b"KILL QUERY" in setup.tap.heard, "the own session's id has to pass, or the test shows nothing"
    assert len(verdicts) == 5
    for name, (verdict, reason) in verdicts.items():
        assert (verdict, "not sent" in reason) == ("inconclusive", True), (name, reason)
    assert re.search(rb"KILL[A-Z ]* '?" + setup.foreign.encode(), setup.tap.heard) is None


@pytest.mark.parametrize(
    "statement",
    [
        "KILL USER app",
        "KILL QUERY USER app",
        "KILL QUERY ID 12",
        "KILL HARD 12",
        "KILL SOFT CONNECTION 12",
        "KILL TIDB 12",
        "KILL ALL",
        "KILL QUERY (SELECT 12)",
        "KILL QUERY @victim",
        "KILL QUERY 12 + 1",
        "KILL QUERY ALL",
    ],
)
def test_a_statement_that_selects_sessions_by_more_than_an_id_is_refused(statement: str) -> None:
    assert shape_problem(statement, read_register(KILL / "requirements.yaml").vocabulary) is not None


def test_a_requirement_and_a_case_of_the_second_statement_are_explained() -> None:
    done = run_command("explain", "QUERY-3", "--cases", "kill")
    assert done.code == 0
    assert "kill/cases/query.yaml::idle-transaction-goes-on" in done.screen
    assert "KILL QUERY ${victim.id}" in run_command("explain", "idle-transaction-goes-on", "--cases", "kill").screen


def test_the_doctor_counts_the_cases_of_the_second_statement() -> None:
    with simulator() as dsn:
        done = run_command("doctor", "--dsn", dsn, "--cases", "kill")
    cases = len(suite_in([ROOT / "kill"]).cases)
    assert (done.code, f"{cases} of {cases} cases can be decided" in done.screen) == (0, True), done.screen
