"""A server that breaks one requirement is accused of that one, and of no other that only presumes it."""

from __future__ import annotations

from pathlib import Path

from tests.support.simulator_process import simulator
from tests.support.suite_run import SuiteRun, run_suite

LIMITS = ("--settle", "1", "--statement-limit", "2")


def run_with(record: Path, defect: str, *chosen: str) -> SuiteRun:
    """Runs some cases on a simulator with a defect, with short time limits."""
    with simulator("--defect", defect) as dsn:
        return run_suite(record, "-q", "--dsn", dsn, *LIMITS, "-k", " or ".join(chosen))


def test_a_session_that_is_not_killed_accuses_only_the_requirement_that_it_is(tmp_path: Path) -> None:
    done = run_with(tmp_path / "r.json", "statements-run-on", "long-running-session-ends", "running-bystander-goes-on")
    assert done.result("long-running-session-ends")["verdict"] == "deviates"
    other = done.result("running-bystander-goes-on")
    assert other["verdict"] == "inconclusive"
    assert "PUR-1, which this case presumes, is tested by the case running-session-ends" in other["reason"]


def test_a_lock_of_a_session_that_is_not_killed_says_nothing_about_the_locks_of_killed_ones(tmp_path: Path) -> None:
    done = run_with(tmp_path / "r.json", "does-nothing", "waiting-session-gets-the-lock", "used-session-ends")
    assert done.result("used-session-ends")["verdict"] == "deviates"
    waiting = done.result("waiting-session-gets-the-lock")
    assert waiting["verdict"] == "inconclusive"
    assert "; victim is connected, and replies to statements, but PUR-1, which this case presumes," in waiting["reason"]


def test_a_session_that_stays_usable_after_an_ok_fails_the_run_at_every_level(tmp_path: Path) -> None:
    done = run_with(tmp_path / "r.json", "idle-sessions-survive", "all-changes-are-rolled-back")
    assert done.result("all-changes-are-rolled-back")["verdict"] == "inconclusive"
    assert done.code == 1, done.screen


def test_a_form_that_works_differently_than_the_plain_one_accuses_the_requirement_about_the_form(
    tmp_path: Path,
) -> None:
    done = run_with(
        tmp_path / "r.json", "spares-the-running-without-immediate", "immediate-running", "bystander-goes-on"
    )
    assert done.result("immediate-running")["verdict"] == "deviates"
    assert done.result("running-bystander-goes-on")["verdict"] == "inconclusive"


def test_a_missing_reply_accuses_only_the_requirements_about_replies(tmp_path: Path) -> None:
    done = run_with(tmp_path / "r.json", "waits-for-the-statement", "next-in-line-still-waits", "own-changes-stay")
    assert done.result("next-in-line-still-waits")["verdict"] == "deviates"
    assert {row["requirement"] for row in done.results(verdict="deviates")} == {"IMP-10"}


def test_a_commit_that_is_lost_deviates_where_other_commits_are_shown_late(tmp_path: Path) -> None:
    chosen = ("committed-change-stays", "savepoint-of-another-session-stays")
    done = run_with(tmp_path / "r.json", "loses-the-last-commit", *chosen)
    assert done.result("committed-change-stays")["verdict"] == "deviates"
    late = done.result("savepoint-of-another-session-stays")
    assert late["verdict"] == "inconclusive"
    assert "a SELECT can miss what another session has just committed" in late["reason"]


def test_what_the_client_does_is_in_the_statements_to_reproduce_a_deviation(tmp_path: Path) -> None:
    done = run_with(tmp_path / "r.json", "change-of-user-loses-the-privilege", "session-that-changed-to-the-own-user")
    assert "*/ -- its client changes the user to that of killer (COM_CHANGE_USER)" in done.screen


def test_ids_of_the_list_that_the_statement_refuses_accuse_only_the_requirement_about_them(tmp_path: Path) -> None:
    chosen = ("used-session-ends", "own-session-ends-in-a-block", "listed-ids-are-taken")
    done = run_with(tmp_path / "r.json", "shows-shifted-ids", *chosen)
    assert {row["requirement"] for row in done.results(verdict="deviates")} == {"PAR-2"}
    refused_as_allowed = done.result("own-session-ends-in-a-block")
    assert refused_as_allowed["verdict"] == "inconclusive"
    assert "PAR-2, which this case presumes, is tested by the case listed-ids-are-taken" in refused_as_allowed["reason"]
