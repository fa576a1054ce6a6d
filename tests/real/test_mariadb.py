"""The suite against a real MariaDB: another vendor's kernel, locks and timing, and another idea of who may end whom."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.real_server_checks import CONFORMS, Contents, at_rest, said, seen_by_the_list, settled, verdicts
from tests.support.compared_verdicts import differing
from tests.support.servers import MariaDB, start_mariadb
from tests.support.suite_run import SuiteRun, run_suite

OWN_SESSION_ENDED = r"OK, 0 rows affected; lost: (mate|second) \(closed, nothing sent\)"
ITSELF_ENDED = (
    r"(error 1927 \(70100\): Connection was killed .*|connection lost \(\w+\); )?"
    r"lost: killer \((closed|reset) after error 1927.*\)"
)
NOT_OWNER = r"error 1095 \(HY000\): You are not owner of thread <id of \w+> \[not-owner\]"
UNKNOWN_THREAD = r"error 1094 \(HY000\): Unknown thread id: (0|<a number that no session has>) \[unknown-session\]"

DEVIATIONS = {
    # Nobody needs a privilege for the sessions of its own user,
    "refused-in-every-spelling[semicolon]": OWN_SESSION_ENDED,
    "refused-as-a-prepared-statement[plain]": OWN_SESSION_ENDED,
    "prepared-statement-is-refused-each-time": OWN_SESSION_ENDED,
    "refusal-stays-a-refusal[plain]": OWN_SESSION_ENDED,
    "refused-without-privilege[plain-form-own-user]": OWN_SESSION_ENDED,
    "refused-without-privilege[plain-form-itself]": ITSELF_ENDED,
    "refused-with-another-privilege[create-table]": OWN_SESSION_ENDED,
    "refused-with-another-privilege[alter-session]": OWN_SESSION_ENDED,
    "refused-with-another-privilege[alter-user]": OWN_SESSION_ENDED,
    "refused-with-another-privilege[show-process]": OWN_SESSION_ENDED,
    "new-user-of-an-old-name": OWN_SESSION_ENDED,
    "privilege-is-each-users-own": OWN_SESSION_ENDED,
    "missing-privilege-is-reported[own-user]": OWN_SESSION_ENDED,
    "any-form-reports-the-missing-privilege[own-user-plain]": OWN_SESSION_ENDED,
    "refusal-of-any-form-tells-nothing-about-ids[own-user-plain]": OWN_SESSION_ENDED,
    "missing-privilege-is-reported[itself]": ITSELF_ENDED,
    "another-privilege-is-not-enough": OWN_SESSION_ENDED,
    "refusal-tells-nothing-about-ids[own-user-an-unknown-id]": OWN_SESSION_ENDED,
    "refusal-tells-nothing-about-ids[own-user-zero]": OWN_SESSION_ENDED,
    "refusal-tells-nothing-about-ids[own-user-no-number]": OWN_SESSION_ENDED,
    "refusal-tells-nothing-about-ids[own-user-nothing]": OWN_SESSION_ENDED,
    "refusal-tells-nothing-about-ids[itself-an-unknown-id]": ITSELF_ENDED,
    "refusal-tells-nothing-about-ids[itself-zero]": ITSELF_ENDED,
    "refusal-tells-nothing-about-ids[itself-no-number]": ITSELF_ENDED,
    "refusal-tells-nothing-about-ids[itself-nothing]": ITSELF_ENDED,
    "refused-after-a-login-with-small-letters": OWN_SESSION_ENDED,
    # so that nobody loses it with REVOKE either.
    "revoked-privilege-is-gone": OWN_SESSION_ENDED,
    "one-revoke-is-enough": OWN_SESSION_ENDED,
    "revoke-refuses-every-form[plain-form-own-user]": OWN_SESSION_ENDED,
    # For another user's session the refusal speaks of the owner, not of a privilege,
    "missing-privilege-is-reported[other-user]": NOT_OWNER,
    "missing-privilege-is-reported[other-holder]": NOT_OWNER,
    # and comes after the id was looked up.
    "refusal-tells-nothing-about-ids[other-user-an-unknown-id]": UNKNOWN_THREAD,
    "refusal-tells-nothing-about-ids[other-user-zero]": UNKNOWN_THREAD,
    "refusal-tells-nothing-about-ids[other-user-no-number]": UNKNOWN_THREAD,
    "refusal-tells-nothing-about-ids[other-user-nothing]": UNKNOWN_THREAD,
    "refusal-of-a-prepared-statement-tells-nothing-about-ids": UNKNOWN_THREAD,
    "refusal-tells-nothing-about-killed-sessions": NOT_OWNER,
}
"""Every case in which MariaDB differs from the specification, and its result."""


@pytest.fixture(scope="module")
def server() -> Iterator[MariaDB]:
    with start_mariadb() as running:
        yield running


@pytest.fixture(scope="module")
def before(server: MariaDB) -> Contents:
    return at_rest(server)


@pytest.fixture(scope="module")
def one_by_one(server: MariaDB, before: Contents, tmp_path_factory: pytest.TempPathFactory) -> SuiteRun:  # noqa: ARG001 - the order
    record = tmp_path_factory.mktemp("mariadb") / "record.json"
    return run_suite(record, "--dsn", server.dsn(), "--profile", "mariadb")


@pytest.fixture(scope="module")
def four_workers(server: MariaDB, one_by_one: SuiteRun, tmp_path_factory: pytest.TempPathFactory) -> SuiteRun:  # noqa: ARG001 - the order
    record = tmp_path_factory.mktemp("mariadb4") / "record.json"
    return run_suite(record, "--dsn", server.dsn(), "--profile", "mariadb", "-n", "4")


@pytest.mark.parametrize("victim", CONFORMS)
def test_sessions_end_as_the_specification_states(one_by_one: SuiteRun, victim: str) -> None:
    found = {name: one_by_one.result(name) for name in CONFORMS[victim]}
    assert {name: row["verdict"] for name, row in found.items()} == dict.fromkeys(found, "conforms"), one_by_one.screen


def test_a_session_that_waits_for_a_lock_ends_at_once(one_by_one: SuiteRun) -> None:
    waiting = one_by_one.result("lock-waiting-victim")
    assert waiting["observed"] == {"it is killed within the settle time": 1}
    assert [ending["session"] for ending in waiting["endings"]] == ["victim"]


@pytest.mark.parametrize("name", [*CONFORMS["running"], "waiting-session-gets-the-lock", "lock-waiting-victim"])
def test_the_list_shows_that_a_statement_runs_before_its_session_is_ended(one_by_one: SuiteRun, name: str) -> None:
    assert seen_by_the_list(one_by_one, name)


def test_the_servers_own_statement_is_sent(one_by_one: SuiteRun) -> None:
    (kill,) = said(one_by_one, "idle-session-ends")
    assert kill == "KILL '<id of victim>'"
    decided = one_by_one.results(verdict="conforms") + one_by_one.results(verdict="deviates")
    without = {"refused-session-goes-on[for-its-syntax]"}  # sends half of the specification's statement, for an error
    # What decides these is KILL of a stranger's session; one with IMMEDIATE, which MariaDB lacks, is refused as well.
    without |= {
        "empty-role[other-user]",
        "role-that-lost-the-privilege[other-user]",
        "role-was-revoked[other-user]",
        "new-role-of-an-old-name[other-user]",
        "role-of-somebody-else[other-user]",
        "new-user-without-the-old-role[other-user]",
    }
    for row in decided:
        if row["name"] in without and row["requirement"] == "PUR-2":
            assert any(text.startswith("KILL '") for text in said(one_by_one, row["name"]))
        assert row["name"] in without or not any("ALTER SYSTEM" in text for text in said(one_by_one, row["name"]))


def test_a_form_of_the_statement_does_not_conform_through_another_statement(one_by_one: SuiteRun) -> None:
    assert one_by_one.result("plain-form")["reason"].endswith("and the profile sends KILL '<id of victim>' instead")
    assert one_by_one.result("idle-session-ends")["respelled"] == {"ALTER SYSTEM KILL SESSION '{id}'": "KILL '{id}'"}
    assert ": ALTER SYSTEM KILL SESSION '{id}' -> KILL '{id}'" in one_by_one.screen


def test_another_users_session_needs_the_privilege(one_by_one: SuiteRun) -> None:
    for name in (
        "holder-ends-another-users-session[with]",
        "holder-ends-another-users-session[without]",
        "refused-without-privilege[plain-form-other-user]",
        "refused-without-privilege[plain-form-other-holder]",
        "revoke-refuses-every-form[plain-form-other-user]",
        "unprivileged-session-goes-on[other-user]",
        "refusals-answer-in-time[other-user]",
    ):
        assert one_by_one.result(name)["verdict"] == "conforms"


def test_privileges_take_effect_at_the_next_login(one_by_one: SuiteRun) -> None:
    granted = one_by_one.result("granted-while-connected[other-user]")["observed"]
    revoked = one_by_one.result("revoked-while-connected[other-user]")["observed"]
    assert granted == {"it can kill sessions of its own user only": 1}
    assert revoked == {"it has the privilege": 1}


def test_only_the_known_differences_of_mariadb_deviate(one_by_one: SuiteRun) -> None:
    deviating = {row["name"]: row["actual"] for row in one_by_one.results(verdict="deviates")}
    assert set(deviating) == set(DEVIATIONS)
    for name, actual in deviating.items():
        assert re.fullmatch(DEVIATIONS[name], actual), (name, actual)
    assert one_by_one.code == 1
    assert "DEVIATES PUR-2 (must)" in one_by_one.screen


def test_no_unrelated_session_ends(one_by_one: SuiteRun) -> None:
    assert [row["name"] for row in one_by_one.record["results"] if row["safety"]] == []


def test_no_case_is_inconclusive_and_reasons_of_not_applicable_cases_are_shown(one_by_one: SuiteRun) -> None:
    assert set(verdicts(one_by_one).values()) == {"conforms", "deviates", "observed", "not applicable"}
    for row in one_by_one.results(verdict="not applicable"):
        assert row["reason"] in one_by_one.screen


def test_only_requirements_about_features_that_the_server_lacks_are_not_applicable(one_by_one: SuiteRun) -> None:
    met = {row["requirement"] for row in one_by_one.record["results"] if row["verdict"] != "not applicable"}
    aside = {row["requirement"] for row in one_by_one.record["results"]} - met
    syntax = {*(f"SYN-{number}" for number in range(1, 10)), "PAR-3", "PAR-4"}
    assert aside == syntax | {"EXA-1", "EXA-2", "EXA-3", "EXA-4"}


@pytest.mark.long
def test_four_workers_have_the_same_verdicts(one_by_one: SuiteRun, four_workers: SuiteRun) -> None:
    assert differing(four_workers.record, one_by_one.record) == []
    assert four_workers.code == 1


@pytest.mark.long
def test_two_runs_have_the_same_texts_of_deviations(one_by_one: SuiteRun, four_workers: SuiteRun) -> None:
    texts = [
        {row["name"]: row["actual"] for row in run.results(verdict="deviates")} for run in (one_by_one, four_workers)
    ]
    # Of a session that ends itself, the client hears one of two things: which is chance.
    chance = {name for name, actual in DEVIATIONS.items() if actual == ITSELF_ENDED}
    assert {name: texts[0][name] for name in texts[0].keys() - chance} == {
        name: texts[1][name] for name in texts[1].keys() - chance
    }


@pytest.mark.long
def test_an_idle_timeout_of_two_seconds_changes_no_verdict(one_by_one: SuiteRun, tmp_path: Path) -> None:
    """Sessions that the server closes because they are idle make no case deviate."""
    # With one second, a busy machine can take longer for a step, which is inconclusive.
    with start_mariadb("--wait-timeout=2", "--interactive-timeout=2") as server:
        # One case at a time: beside others, a step can take longer than the timeout, which is inconclusive.
        options = ("--dsn", server.dsn(), "--profile", "mariadb", "--in-flight", "1")
        idle = run_suite(tmp_path / "record.json", *options)
    assert len(one_by_one.results(verdict="conforms")) > 50
    # The cases about sessions that are idle for longer than the timeout can't be decided.
    idle_for_long = [
        "lock-with-any-history-is-released[that-it-has-held-idly-for-four-seconds]",
        "sender-that-was-idle-for-long-kills",
        "session-idle-for-long-ends",
    ]
    assert sorted(differing(one_by_one.record, idle.record)) == idle_for_long
    assert {idle.result(name)["verdict"] for name in idle_for_long} == {"inconclusive"}


@pytest.mark.usefixtures("one_by_one")
def test_a_run_leaves_the_server_unchanged(server: MariaDB, before: Contents) -> None:
    assert settled(server, before) == before


@pytest.mark.long
@pytest.mark.usefixtures("four_workers")
def test_workers_leave_the_server_unchanged(server: MariaDB, before: Contents) -> None:
    assert settled(server, before) == before
