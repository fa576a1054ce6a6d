"""The output of a run for cases that fail, and the exit code for their levels."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.plugin.written_cases import arguments_of, write_case
from tests.support.paths import ROOT
from tests.support.simulator_process import simulator
from tests.support.suite_run import run_pytest, run_suite

KILL = "ALTER SYSTEM KILL SESSION '${victim.id}'"
GOOD = f"steps:\n  - killer: {KILL}\n    reply: ok\nends: [victim]"
WRONG = f"steps:\n  - victim: COMMIT\n  - killer: {KILL}\n    reply: privilege\nends: [victim]"
UNDECIDED = f"steps:\n  - victim: SELECT x FROM nowhere\n  - killer: {KILL}\n    reply: ok\nends: [victim]"  # noqa: S608 - a case
HARMFUL = "steps:\n  - killer: ALTER SYSTEM KILL SESSION '${victim.id + 4294967296}'\n    reply: ok"
OBSERVING = f"steps:\n  - killer: {KILL}\n    reply: observed\nobserve:\n  an error: {{reply: error, ends: [victim]}}"


def test_a_deviating_case_shows_its_evidence_and_no_internals_of_the_suite(tmp_path: Path) -> None:
    path = write_case(tmp_path, WRONG)
    done = run_pytest(*arguments_of(tmp_path))
    assert done.code == 1
    assert done.shows_no_internals()
    for said in (
        "SYN-2 (must): the moon is made of cheese",
        f"{path}:4",
        "verdict:  deviates",
        "gets the reply privilege",
        "actual:   OK, 0 rows affected",
        "transcript",
        "by hand",
        "DEVIATES 1",
        "does not conform: 1 required case failed",
    ):
        assert said in done.screen, said
    assert re.search(r"victim +> COMMIT", done.screen)
    assert re.search(r"killer +> ALTER SYSTEM KILL SESSION '[0-9]+'", done.screen)
    assert re.search(r"/\* +[0-9]+ \*/ ALTER SYSTEM KILL SESSION '<[^']*victim[^']*>';", done.screen)
    assert re.search(r'/\* +[0-9]+ \*/ CREATE USER KSC_\w+ IDENTIFIED BY "<password>";', done.screen)


@pytest.mark.parametrize("where", [".", "cases"])
def test_the_command_that_is_shown_runs_the_case_again(tmp_path: Path, where: str) -> None:
    """In a checkout whose cases are wrong, from its folder and from the one with the cases."""
    for name in ("pyproject.toml", "conftest.py", "runner"):
        (tmp_path / name).symlink_to(ROOT / name)
    write_case(tmp_path, WRONG + "\nparameters: {how: {one: 1, two: 2}}\nnote: ${how}")
    done = run_pytest(str(tmp_path / "cases"), "-k", "two", "--settle", "4", "--strict", folder=tmp_path / where)
    (shown,) = re.findall(r"^rerun: +(.*)$", done.screen, re.MULTILINE)
    program, *arguments = shlex.split(shown)
    assert program == "pytest"
    assert arguments[-3:] == ["--strict", "--settle", "4"]
    again = run_pytest(*arguments, folder=tmp_path / where)
    assert again.code == 1, again.screen
    assert "verdict:  deviates" in again.screen
    assert "1 failed" in again.screen


def test_an_inconclusive_case_shows_its_reason(tmp_path: Path) -> None:
    write_case(tmp_path, UNDECIDED)
    done = run_pytest(*arguments_of(tmp_path))
    assert done.code == 1
    assert "verdict:  inconclusive" in done.screen
    assert "reason:   preparation failed: victim: SELECT x FROM nowhere" in done.screen
    assert "undecided: 1 required case could not be decided" in done.screen
    assert done.shows_no_internals()


LEVELS = {
    "must deviates": (WRONG, "SYN-2", 1, 1),
    "should deviates": (WRONG, "EXA-6", 0, 1),
    "should is undecided": (UNDECIDED, "EXA-6", 0, 1),
    "should harms a session that was not named": (HARMFUL, "IMP-1", 1, 1),
    "observed otherwise than known": (OBSERVING, "OBS-1", 0, 0),
}


@pytest.mark.parametrize(("body", "requirement", "code", "strictly"), LEVELS.values(), ids=list(LEVELS))
def test_the_level_decides_about_the_exit_code(
    tmp_path: Path, body: str, requirement: str, code: int, strictly: int
) -> None:
    write_case(tmp_path, body, requirement)
    lax, strict = (
        run_pytest(*arguments_of(tmp_path), "--settle", "1"),
        run_pytest(*arguments_of(tmp_path), "--settle", "1", "--strict"),
    )
    assert (lax.code, strict.code) == (code, strictly), lax.screen + strict.screen
    assert lax.shows_no_internals()
    assert strict.shows_no_internals()


def test_a_deviating_should_case_is_reported_and_does_not_fail_the_run(tmp_path: Path) -> None:
    write_case(tmp_path, WRONG, "EXA-6")
    write_case(tmp_path, GOOD, "SYN-2", "good")
    done = run_pytest(*arguments_of(tmp_path))
    assert done.code == 0
    assert "DEVIATES EXA-6 (should) the-case: OK, 0 rows affected" in done.screen
    assert "1 deviates (should)" in done.screen
    assert "1 should case deviates" in done.screen


def test_an_observation_is_shown_with_v(tmp_path: Path) -> None:
    write_case(tmp_path, OBSERVING, "OBS-1")
    done = run_pytest(*arguments_of(tmp_path), "-v")
    assert "OBS-1 the-case: other: OK, 0 rows affected; victim ended" in done.screen


def test_junit_xml_has_requirement_and_level_and_the_finding(tmp_path: Path) -> None:
    write_case(tmp_path, WRONG, "SYN-2")
    write_case(tmp_path, WRONG, "EXA-6", "a-should")
    write_case(tmp_path, GOOD, "PUR-1", "good")
    xml = tmp_path / "junit.xml"
    run_pytest(*arguments_of(tmp_path), f"--junitxml={xml}")
    found = {}
    for case in ET.parse(xml).getroot().iter("testcase"):  # noqa: S314 - written by the run above
        properties = {entry.get("name"): entry.get("value") for entry in case.iter("property")}
        outcome = next((child.tag for child in case if child.tag in {"failure", "skipped", "error"}), "passed")
        found[case.get("name")] = (properties["requirement"], properties["level"], properties["verdict"], outcome)
        if outcome == "failure":
            assert "actual:   OK, 0 rows affected" in str(case.findtext("failure"))
    assert found == {
        "the-case": ("SYN-2", "must", "deviates", "failure"),
        "a-should": ("EXA-6", "should", "deviates", "skipped"),
        "good": ("PUR-1", "must", "conforms", "passed"),
    }


def test_the_record_has_every_result(tmp_path: Path) -> None:
    write_case(tmp_path, WRONG, "SYN-2")
    write_case(tmp_path, GOOD + "\nparameters: {how: [a, b]}\nnote: ${how}", "PUR-1", "good")
    write_case(tmp_path, OBSERVING, "OBS-1", "seen")
    path = tmp_path / "record.json"
    done = run_pytest(*arguments_of(tmp_path), "--record", str(path))
    record = json.loads(path.read_text(encoding="utf-8"))
    assert done.code == 1
    told = record["format"], record["run"]["complete"], record["run"]["strict"], record["target"]["profile"]
    assert told == (1, True, False, "oceanbase-oracle")
    assert "simulator" in record["target"]["product"]
    assert {row["name"]: (row["requirement"], row["level"], row["verdict"]) for row in record["results"]} == {
        "good[a]": ("PUR-1", "must", "conforms"),
        "good[b]": ("PUR-1", "must", "conforms"),
        "seen": ("OBS-1", "observe", "observed"),
        "the-case": ("SYN-2", "must", "deviates"),
    }
    (wrong,) = [row for row in record["results"] if row["name"] == "the-case"]
    assert wrong["actual"] == "OK, 0 rows affected"
    assert wrong["transcript"]
    assert wrong["place"].endswith("the-case.yaml:4")
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.long
def test_a_lock_wait_that_times_out_during_a_slow_rollback_is_retried_until_the_settle_time(tmp_path: Path) -> None:
    with simulator("--variant", "slow-rollback", "--lock-wait", "1") as dsn:
        done = run_suite(tmp_path / "record.json", "--dsn", dsn, "--requirement", "IMP-5")
    assert (done.code, done.results(verdict="deviates"), done.results(verdict="inconclusive")) == (0, [], [])
