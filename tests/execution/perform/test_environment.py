"""Single cases on a real server: what is the environment's fault, and leaves a case undecided."""

from __future__ import annotations

import dataclasses
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.database.dsn import Dsn
from runner.database.outcome import Ok, Rows
from runner.database.profile import ErrorPattern, load_profile
from runner.database.time_limits import Limits
from runner.execution.case_result import CaseResult, Verdict
from tests.execution.case_bench import (
    KILL,
    SESSIONS,
    Bench,
    sent,
    simulator,
    somebody_else,
)
from tests.support.eventually import PATIENCE, eventually
from tests.support.paths import ROOT
from tests.support.suite_run import run_suite


def test_a_grant_that_the_server_does_not_know_is_inconclusive_and_named(bench: Bench) -> None:
    result = bench.run(
        "steps:\n  - killer: SELECT 1\n    reply: rows", sessions="{killer: {grants: [FLY TO THE MOON]}}"
    )
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "preparation failed: GRANT FLY TO THE MOON TO KSC_" in result.reason
    assert sent(result) == []


def test_a_quoted_user_name_that_the_server_refuses_makes_the_case_not_applicable(bench: Bench) -> None:
    profile = dataclasses.replace(load_profile("oceanbase-oracle"), quotes={"statement": "`"})
    other = dataclasses.replace(bench, profile=profile)
    result = other.run("steps:\n  - small: SELECT 1\n    reply: rows", sessions="{small: {quoted: true}}")
    assert result.verdict is Verdict.NOT_APPLICABLE
    assert "preparation failed: CREATE USER `KSC_" in result.reason


def test_a_profile_without_quotes_has_no_case_with_a_quoted_user_name(bench: Bench) -> None:
    profile = dataclasses.replace(load_profile("oceanbase-oracle"), quotes={})
    other = dataclasses.replace(bench, profile=profile)
    result = other.run("steps:\n  - small: SELECT 1\n    reply: rows", sessions="{small: {quoted: true}}")
    assert result.verdict is Verdict.NOT_APPLICABLE
    assert "doesn't define the quotes around user names: add quotes" in result.reason


PREPARING = {
    "by the runner": ("steps:\n  - late: SELECT 1 FROM DUAL\n    reply: rows", "{late: {grants: [KSC_LATE]}}"),
    "by a step": (
        "steps:\n  - sys: GRANT KSC_LATE TO ${late.user}\n  - late: SELECT 1 FROM DUAL\n    reply: rows",
        "{sys: {user: administrator}, late: {}}",
    ),
}


@pytest.mark.parametrize(("body", "sessions"), PREPARING.values(), ids=list(PREPARING))
def test_a_failed_preparation_is_retried_if_the_profile_lists_the_error(bench: Bench, body: str, sessions: str) -> None:
    assert bench.run(body, sessions=sessions).verdict is Verdict.INCONCLUSIVE
    passing = (ErrorPattern(1919, None, None),)
    patient = dataclasses.replace(
        bench,
        profile=dataclasses.replace(load_profile("oceanbase-oracle"), retry=passing),
        limits=dataclasses.replace(bench.limits, retry=PATIENCE),
    )
    with somebody_else(bench.dsn) as (session, _):
        late = threading.Timer(0.3, lambda: session.execute("CREATE ROLE KSC_LATE", PATIENCE))
        late.start()
        result = patient.run(body, sessions=sessions)
        late.join()
        session.execute("DROP ROLE KSC_LATE", PATIENCE)
    assert result.verdict is Verdict.CONFORMS, result.reason
    answers = [event.text for event in result.transcript if event.text.startswith("error")]
    assert answers  # it was refused at first


@pytest.mark.parametrize(
    "steps",
    [
        "  - sys: CREATE ROLE ${role}\n  - sys: DROP ROLE ${role}\n",
        "  - sys: REVOKE ${role} FROM ${killer.user}\n    reply: [success, error]\n",
    ],
    ids=["dropped by a step", "never created"],
)
def test_a_nonexistent_role_causes_no_warning_if_roles_cannot_be_listed(bench: Bench, steps: str) -> None:
    profile = load_profile("oceanbase-oracle")
    sql = {purpose: statements for purpose, statements in profile.sql.items() if purpose != "list_roles"}
    blind = dataclasses.replace(bench, profile=dataclasses.replace(profile, sql=sql))
    result = blind.run(
        f"steps:\n{steps}  - killer: {KILL}\n    reply: ok\nends: [victim]",
        sessions=SESSIONS.rstrip("}") + "}, sys: {user: administrator}}",
    )
    assert (result.verdict, result.warnings) == (Verdict.CONFORMS, ())


def test_a_preparation_that_keeps_failing_is_inconclusive(bench: Bench) -> None:
    body, sessions = PREPARING["by the runner"]
    impatient = dataclasses.replace(
        bench,
        profile=dataclasses.replace(load_profile("oceanbase-oracle"), retry=(ErrorPattern(None, None, None),)),
        limits=dataclasses.replace(bench.limits, retry=0.2),
    )
    result = impatient.run(body, sessions=sessions)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "preparation failed: GRANT KSC_LATE" in result.reason


def ending_sessions_of(bench: Bench, chosen: Callable[[dict[str, str | None]], bool], over: threading.Event) -> None:
    """What somebody else does: ends the suite's sessions that fit, until one did, or the case is over."""
    with somebody_else(bench.dsn) as (session, _):
        while not over.is_set():
            answer = session.execute("SHOW PROCESSLIST", PATIENCE)
            assert isinstance(answer, Rows)
            rows = [dict(zip(answer.columns, values, strict=True)) for values in answer.values]
            ours = [row for row in rows if (row["USER"] or "").startswith("KSC_")]
            if any("UPDATE" in (row["INFO"] or "") for row in ours) and (found := [row for row in ours if chosen(row)]):
                for row in found:
                    session.execute(f"ALTER SYSTEM KILL SESSION '{row['ID']}'", PATIENCE)
                return


WAITING = """\
table: [[1, 0]]
steps:
  - holder: ${begin}
  - holder: UPDATE ${table} SET val = 1 WHERE id = 1
  - killer: UPDATE ${table} SET val = 2 WHERE id = 1
    reply: ok
"""

INTERFERENCE: dict[str, Callable[[dict[str, str | None]], bool]] = {
    "the session that holds the lock": lambda row: row["COMMAND"] == "Sleep",
    "the session that waits": lambda row: row["COMMAND"] != "Sleep",
}


@pytest.mark.parametrize("chosen", INTERFERENCE.values(), ids=list(INTERFERENCE))
def test_an_end_before_the_statement_under_test_was_sent_is_inconclusive(
    bench: Bench, chosen: Callable[[dict[str, str | None]], bool]
) -> None:
    over = threading.Event()
    other = threading.Thread(target=ending_sessions_of, args=(bench, chosen, over))
    other.start()
    try:
        result = bench.run(WAITING, sessions="{holder: {}, killer: {}}")
    finally:
        over.set()
        other.join(PATIENCE)
    assert result.verdict is Verdict.INCONCLUSIVE, f"{result.expected}; {result.actual}"


LESSER = Dsn("oceanbase", "LESSER@oracle", "pLesser", "127.0.0.1", 0)


def test_a_table_that_cannot_be_dropped_at_first_is_dropped_later(tmp_path: Path) -> None:
    oracle = load_profile("oceanbase-oracle")
    everybodys = ("SELECT TABLE_NAME FROM DBA_TABLES WHERE TABLE_NAME LIKE '{prefix}%'",)
    profile = dataclasses.replace(oracle, sql={**oracle.sql, "table_name": ("SYS.{name}",), "list_tables": everybodys})
    granted = (
        "CREATE SESSION, CREATE USER, DROP USER, GRANT ANY PRIVILEGE, GRANT ANY OBJECT PRIVILEGE, SELECT ANY DICTIONARY"
    )
    with simulator() as dsn, somebody_else(dsn) as (owner, _):
        for statement in (
            f"CREATE USER {LESSER.account} IDENTIFIED BY {LESSER.password}",
            f"GRANT SELECT ANY DICTIONARY TO {LESSER.account}",
            f"GRANT {granted}, ALTER SYSTEM, CREATE ANY TABLE, INSERT ANY TABLE TO {LESSER.account}",
        ):
            assert owner.execute(statement, PATIENCE) == Ok()

        def own_tables() -> tuple[tuple[str | None, ...], ...]:
            answer = owner.execute("SELECT TABLE_NAME FROM USER_TABLES", PATIENCE)
            assert isinstance(answer, Rows)
            return answer.values

        def allow() -> None:
            assert eventually(own_tables)
            time.sleep(1)
            owner.execute(f"GRANT DROP ANY TABLE TO {LESSER.account}", PATIENCE)

        helper = threading.Thread(target=allow)
        helper.start()
        bench = Bench(tmp_path, dataclasses.replace(LESSER, port=dsn.port), profile=profile)
        result = bench.run(f"table: [[1, 1]]\nsteps:\n  - killer: {KILL}\n    reply: ok\nends: [victim]")
        helper.join(PATIENCE)
        assert (result.verdict, result.warnings) == (Verdict.CONFORMS, ()), result
        assert own_tables() == ()


@pytest.mark.parametrize("closed", ["killer", "victim"])
def test_a_session_that_the_server_closed_before_the_first_statement_under_test_decides_nothing(
    tmp_path: Path, closed: str
) -> None:
    body = f"steps:\n  - sys: DROP USER ${{{closed}.user}} CASCADE\n  - killer: {KILL}\n    reply: ok\nends: [victim]"
    sessions = "{sys: {user: administrator}, killer: {grants: [ALTER SYSTEM]}, victim: {}}"
    with simulator("--variant", "drop-user-ends-its-sessions") as dsn:
        result = Bench(tmp_path, dsn).run(body, sessions=sessions)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert f"the target closed {closed} (" in result.reason


def test_an_unreachable_server_makes_a_case_inconclusive(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    result = Bench(tmp_path, Dsn("oceanbase", "SYS", "", "127.0.0.1", port)).run(f"steps:\n  - killer: {KILL}")
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "can't log in" in result.reason


def test_a_server_that_ends_during_a_case_does_not_crash_the_runner(tmp_path: Path) -> None:
    with simulator() as dsn:
        bench = Bench(tmp_path, dsn, Limits(connect=PATIENCE, statement=PATIENCE, settle=0.3, cleanup=PATIENCE))
        results: list[CaseResult] = []
        case = threading.Thread(target=lambda: results.append(bench.run("steps:\n  - killer: ${sleep}\n    reply: ok")))
        case.start()
        with somebody_else(dsn) as (session, _):

            def is_running() -> bool:
                answer = session.execute("SHOW PROCESSLIST", PATIENCE)
                return isinstance(answer, Rows) and any("SLEEP(" in (row[-1] or "") for row in answer.values)

            assert eventually(is_running)
    case.join(PATIENCE)
    (result,) = results
    assert result.verdict in {Verdict.DEVIATES, Verdict.INCONCLUSIVE}
    assert result.warnings  # what could not be cleared away


@pytest.mark.parametrize(
    "environment", ["no-roles", pytest.param("no-roles-and-no-list-of-them", marks=pytest.mark.long)]
)
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


@pytest.mark.parametrize(
    ("environment", "case", "verdict"),
    [
        ("without-comments", "holder-ends-the-administrators-session", "conforms"),
        ("without-savepoints", "savepoint-of-another-session-stays", "not applicable"),
    ],
)
def test_a_preparing_statement_that_the_server_does_not_know_leaves_no_case_undecided(
    environment: str, case: str, verdict: str, tmp_path: Path
) -> None:
    with simulator("--environment", environment) as dsn:
        run = run_suite(tmp_path / "record.json", "-k", case, "--dsn", dsn.text_with_password)
    assert {row["verdict"] for row in run.results()} == {verdict}, run.screen
