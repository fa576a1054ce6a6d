"""Runs on servers that disturb the cases: other clients, limits, replicas. No case deviates because of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.simulator_process import simulator
from tests.support.suite_run import SuiteRun, run_suite


def run_in(record: Path, environment: str, *options: str) -> SuiteRun:
    """Runs the suite on a simulator in an environment."""
    with simulator("--environment", environment) as dsn:
        return run_suite(record, "-q", "--tb=no", "--dsn", dsn, *options)


@pytest.mark.long
def test_sessions_that_another_client_kills_are_no_deviation(tmp_path: Path) -> None:
    done = run_in(tmp_path / "r.json", "another-client-kills", "--requirement", "PAR-1", "--requirement", "IMP-7")
    assert done.results(verdict="deviates") == []
    reasons = [row["reason"] for row in done.results(verdict="inconclusive")]
    # Also other reasons are right, for example that the process list no longer shows a session at the guard's check.
    assert any("lost" in each or "before the statement" in each for each in reasons), done.screen
    assert not any("error in the suite" in each for each in reasons), done.screen


@pytest.mark.long
@pytest.mark.parametrize("case", ["nobody-follows-later", "session-idle-for-long-ends"])
def test_a_loss_in_each_run_is_compared_with_a_run_without_the_statement(tmp_path: Path, case: str) -> None:
    done = run_in(tmp_path / "r.json", "another-client-kills", "-k", case, "--in-flight", "1")
    assert done.results(verdict="deviates") == []
    assert done.results(verdict="inconclusive"), done.screen


def test_a_select_that_misses_commits_decides_nothing(tmp_path: Path) -> None:
    done = run_in(tmp_path / "r.json", "reads-lag-behind-commits", "--requirement", "IMP-5", "-k", "rolled-back")
    assert done.results(verdict="deviates") == []
    reasons = [row["reason"] for row in done.results(verdict="inconclusive")]
    assert any("a SELECT can miss what another session has just committed" in each for each in reasons), done.screen


@pytest.mark.long
@pytest.mark.parametrize("environment", ["eight-users", "forty-logins-per-second"])
def test_a_server_with_few_users_or_logins_decides_all_cases(tmp_path: Path, environment: str) -> None:
    done = run_in(tmp_path / "r.json", environment, "--requirement", "PAR-1", "--requirement", "PAR-3")
    assert done.code == 0, done.screen
    assert {row["verdict"] for row in done.results()} == {"conforms"}


@pytest.mark.long
def test_the_lower_number_of_cases_at_a_time_is_reported(tmp_path: Path) -> None:
    done = run_in(tmp_path / "r.json", "eight-users", "--requirement", "PAR-1", "--requirement", "PAR-3")
    assert "a limit of the server refused more logins, users or tables" in done.screen


@pytest.mark.long
@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["one-process", "workers"])
def test_a_grant_with_a_late_effect_is_waited_for_and_reported(tmp_path: Path, workers: tuple[str, ...]) -> None:
    with simulator("--variant", "grants-take-effect-later") as dsn:
        done = run_suite(tmp_path / "r.json", "-q", "--tb=no", "--dsn", dsn, "--requirement", "PAR-1", *workers)
    assert done.code == 0, done.screen
    assert done.screen.count("GRANT and REVOKE take effect late on this server: cases waited 2 s after each") == 1


def test_a_late_grant_is_recognised_by_a_case_that_allows_any_reply(tmp_path: Path) -> None:
    with simulator("--variant", "grants-take-effect-later") as dsn:
        done = run_suite(tmp_path / "r.json", "-q", "--tb=no", "--dsn", dsn, "-k", "kill-each-other-get-replies")
    assert done.code == 0, done.screen
    assert "1 passed" in done.screen


@pytest.mark.parametrize("messages", [(), ("--variant", "mysql-error-numbers")], ids=["a-code", "words-only"])
def test_definitions_that_fail_once_and_may_have_taken_effect_are_repeated(
    tmp_path: Path, messages: tuple[str, ...]
) -> None:
    with simulator("--variant", "definitions-time-out", *messages) as dsn:
        chosen = "role-with-another-privilege or another-privilege or dropped-users"
        done = run_suite(tmp_path / "r.json", "-q", "--tb=no", "--dsn", dsn, "-k", chosen, "--in-flight", "1")
    assert done.code == 0, done.screen
    assert {row["verdict"] for row in done.results()} == {"conforms", "observed"}


@pytest.mark.long
def test_users_with_the_privilege_of_public_are_no_deviation(tmp_path: Path) -> None:
    options = [word for each in ("PUR-2", "IMP-3", "IMP-9", "PUR-3") for word in ("--requirement", each)]
    done = run_in(tmp_path / "r.json", "alter-system-of-public", *options)
    assert done.results(verdict="deviates") == []
    reasons = [row["reason"] for row in done.results(verdict="inconclusive")]
    assert len(reasons) > 50
    assert all("on this target a new user has ALTER SYSTEM without a GRANT" in each for each in reasons), done.screen
    assert done.code == 1


@pytest.mark.long
def test_connections_whose_packets_a_firewall_drops_are_no_deviation(tmp_path: Path) -> None:
    options = ("-k", "session-idle-for-long-ends or long-running-session-ends", "--statement-limit", "3")
    done = run_in(tmp_path / "r.json", "idle-connections-dropped", *options)
    assert done.results(verdict="deviates") == []
    reasons = [row["reason"] for row in done.results(verdict="inconclusive")]
    assert len(reasons) == 2, done.screen
    assert any("a firewall or proxy drops idle connections" in each for each in reasons), done.screen


@pytest.mark.long
def test_a_server_that_limits_kills_is_no_deviation(tmp_path: Path) -> None:
    done = run_in(tmp_path / "r.json", "eight-kills-per-second", "--requirement", "PAR-1", "--requirement", "PAR-3")
    assert done.results(verdict="deviates") == []
    assert len(done.results(verdict="conforms")) > 30, done.screen


@pytest.mark.long
def test_a_server_that_kills_one_session_at_a_time_is_no_deviation(tmp_path: Path) -> None:
    options = ("--requirement", "PAR-3", "--statement-limit", "2")
    done = run_in(tmp_path / "r.json", "one-kill-at-a-time", *options)
    assert done.results(verdict="deviates") == []
    assert len(done.results(verdict="conforms")) > 25, done.screen


@pytest.mark.parametrize(
    ("environment", "case", "reason"),
    [
        (
            "ends-idle-transactions",
            "waiter-holds-the-lock-after-the-kill",
            "this target ends the transaction of a session that is idle for",
        ),
        (
            "closes-sessions-after-transactions",
            "killers-savepoint-stays",
            "this target also closes a session when its transaction ends",
        ),
        (
            "interrupts-statements",
            "next-in-line-still-waits",
            "this target also interrupted a statement of a session that no KILL named",
        ),
        (
            "users-see-themselves-only",
            "listed-ids-are-taken",
            "the server shows the user of killer no session but killer itself",
        ),
        ("ids-of-thirty-digits", "ids-differ", "has 30 digits, more than a 64-bit number has"),
    ],
)
def test_a_property_of_the_server_that_explains_a_deviation_is_the_reason(
    tmp_path: Path, environment: str, case: str, reason: str
) -> None:
    done = run_in(tmp_path / "r.json", environment, "-k", case)
    assert done.results(verdict="deviates") == []
    undecided = [row["reason"] for row in done.results(verdict="inconclusive")]
    assert any(reason in each for each in undecided), done.screen


@pytest.mark.long
def test_a_process_list_that_is_cut_is_named_as_a_possible_reason(tmp_path: Path) -> None:
    done = run_in(tmp_path / "r.json", "list-of-twenty-rows", "--requirement", "PAR-3", "--settle", "1")
    reasons = [row["reason"] for row in done.results(verdict="inconclusive")]
    assert any("be cut to 20 rows" in each for each in reasons), done.screen
