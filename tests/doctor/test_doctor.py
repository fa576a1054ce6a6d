"""``python -m runner doctor`` on real processes: what it finds, what it leads to, how to fix it; its short form."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pymysql
import pytest

from runner.database.dsn import Dsn
from tests.support.eventually import PATIENCE, eventually
from tests.support.own_cases import cases
from tests.support.paths import ROOT
from tests.support.servers import MariaDB, start_mariadb, start_seekdb
from tests.support.simulator_process import simulator
from tests.support.suite_run import SuiteRun, run_command, run_pytest, run_suite


def doctor(*options: str) -> SuiteRun:
    return run_command("doctor", *options)


def facts_of(done: SuiteRun) -> dict[str, Any]:
    """What ``--json`` printed."""
    found: dict[str, Any] = json.loads(done.out)
    return found


def administer(dsn: str, *statements: str) -> list[tuple[Any, ...]]:
    """Says statements as the administrator; the rows of the last."""
    target = Dsn.parse(dsn)
    with (
        pymysql.connect(
            host=target.host,
            port=target.port,
            user=target.user,
            password=target.password,
            ssl_disabled=True,
            client_flag=1 << 27,
        ) as connection,
        connection.cursor() as cursor,
    ):
        for statement in statements:
            cursor.execute(statement)
        return list(cursor.fetchall())


def users(dsn: str) -> list[tuple[Any, ...]]:
    return administer(dsn, "SELECT USERNAME FROM ALL_USERS WHERE USERNAME LIKE 'KSC_%'")


def test_a_target_with_all_prerequisites_has_no_finding() -> None:
    with simulator("--admin-password", "s3cretWord") as dsn:
        done = doctor("--dsn", dsn)
        assert users(dsn) == []
    assert done.code == 0, done.err
    assert "direct, no TLS" in done.out
    assert "the id in a session's handshake is its id in the list" in done.out
    sent = len(cases()) - 1  # all but what may harm an OceanBase
    assert f"{sent} of {sent} cases can be decided: nothing is missing" in done.out
    assert "s3cretWord" not in done.out


def test_the_json_output_contains_the_facts() -> None:
    with simulator() as dsn:
        facts = facts_of(doctor("--dsn", dsn, "--json"))
    assert facts["flavour"] == "OceanBase"
    assert "simulator" in facts["product"]
    assert facts["route"] == "direct"
    assert facts["handshake_id_is_session_id"] is True
    assert facts["sees_others"] is True
    assert facts["oracle_bit_sent"] is True
    assert facts["tls"] is None
    assert 0 < facts["connect_ms"] < 10_000
    assert facts["missing"] == []


@pytest.mark.parametrize(
    ("option", "fact", "value"),
    [
        ("thread-id-differs", "handshake_id_is_session_id", False),
        ("host-without-port", "route", "direct or through a proxy"),
        ("own-sessions-only", "sees_others", True),
    ],
)
def test_a_fact_describes_the_target(option: str, fact: str, value: object) -> None:
    with simulator("--variant", option) as dsn:
        facts = facts_of(doctor("--dsn", dsn, "--json"))
    assert facts[fact] == value
    assert facts["missing"] == []


def test_without_the_privilege_to_create_users_the_affected_cases_and_the_fix_are_reported() -> None:
    with simulator() as dsn:
        administer(dsn, "CREATE USER POOR IDENTIFIED BY p1", "GRANT CREATE SESSION TO POOR")
        target = Dsn.parse(dsn)
        done = doctor("--dsn", f"oceanbase://POOR%40oracle:p1@{target.host}:{target.port}/", "--send-withheld")
    assert done.code == 1
    assert "users can't be created" in done.out
    assert "error 1031" in done.out
    assert "fix: GRANT CREATE USER, DROP USER TO POOR" in done.out
    alone = sum(all(spec.same_user_as == "administrator" for spec in case.sessions) for case in cases())
    assert f"affects {len(cases()) - alone} of {len(cases())} cases" in done.out
    assert f"\n{alone} of {len(cases())} cases can be decided" in done.out


def test_a_sleep_that_uses_processor_time_is_reported() -> None:
    with simulator("--variant", "no-dbms-lock") as dsn:
        done = doctor("--dsn", dsn)
    assert done.code == 0, done.out
    assert "note: the server accepts the word 'sleep' of the cases only as DECLARE n NUMBER" in done.out
    assert "GRANT EXECUTE ON DBMS_LOCK TO PUBLIC" in done.out
    assert "nothing is missing" in done.out


ONLY_SYS = "only SYS can kill the sessions of all users"


@pytest.mark.long
def test_each_fix_is_effective() -> None:
    """What the doctor advises is done, until nothing but the administrator is missing."""
    with simulator("--like-oceanbase") as dsn:
        administer(dsn, "CREATE USER POOR IDENTIFIED BY p1", "GRANT CREATE SESSION TO POOR")
        target = Dsn.parse(dsn)
        poor = f"oceanbase://POOR%40oracle:p1@{target.host}:{target.port}/"
        given: list[str] = []
        while True:
            missing = facts_of(doctor("--dsn", poor, "--json"))["missing"]
            fixes = [item["fix"] for item in missing if ONLY_SYS not in item["what"]]
            assert not set(fixes) & set(given), "an advice was followed, and the need is there as before"
            if not fixes:
                break
            given += fixes
            for fix in fixes:
                granted = [statement.strip() for statement in fix.split(";")]
                administer(dsn, *(statement for statement in granted if statement.startswith("GRANT ")))
        assert facts_of(doctor("--dsn", dsn, "--json"))["missing"] == []
    assert [item["what"].startswith(ONLY_SYS) for item in missing] == [True]
    assert {"SHOW PROCESS", "CREATE ROLE, DROP ANY ROLE", "CREATE USER, DROP USER"} <= {
        fix.removeprefix("GRANT ").partition(" TO POOR")[0] for fix in given
    }


def test_cases_that_only_the_administrator_can_decide_are_inconclusive_with_another_user(tmp_path: Path) -> None:
    with simulator("--like-oceanbase") as dsn:
        administer(dsn, "CREATE USER POOR IDENTIFIED BY p1", "GRANT DBA TO POOR", "GRANT CREATE SESSION TO POOR")
        target = Dsn.parse(dsn)
        poor = f"oceanbase://POOR%40oracle:p1@{target.host}:{target.port}/"
        run = run_suite(
            tmp_path / "record.json", "--dsn", poor, "--requirement", "PUR-2", "-k", "administrator or holder"
        )
    rows = run.record["results"]
    assert {row["verdict"] for row in rows} == {"conforms", "inconclusive"}, run.screen
    for row in rows:
        if row["verdict"] == "inconclusive":
            assert (
                "the DSN's user POOR is not the administrator: on this kind of server only SYS may kill"
                in row["reason"]
            )
    assert run.code == 1


def test_a_privilege_that_cannot_be_granted_is_reported_with_the_affected_cases_and_a_fix() -> None:
    with simulator("--defect", "grant-fails") as dsn:
        facts = facts_of(doctor("--dsn", dsn, "--json"))
        assert users(dsn) == []
    assert facts["missing"], "the defect refuses GRANT"
    for item in facts["missing"]:
        assert item["cases"]
        assert item["fix"]


def test_the_wrong_profile_is_named_with_the_right_one() -> None:
    with start_seekdb() as server:
        done = doctor("--dsn", server.dsn())
        right = doctor("--dsn", server.dsn(), "--profile", "seekdb")
    assert done.code == 1
    assert "this is seekdb; use --profile seekdb for its statements" in done.out
    assert "error 1064" in done.out
    assert "fix: check whether the profile 'oceanbase-oracle' fits this server" in done.out
    assert "fix: GRANT" not in done.out
    assert right.code == 0, right.out
    assert "Unix socket, no TLS" in right.out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--dsn", "oceanbase://SYS:s3cret@127.0.0.1:1/"), "can't be used"),
        (("--dsn", "oceanbase://127.0.0.1"), "has no user"),
        (("--dsn", "oceanbase://SYS:s3cret@127.0.0.1:1/", "--profile", "nobodys"), "unknown profile 'nobodys'"),
        ((), "--dsn"),
    ],
)
def test_a_target_that_cannot_be_examined_is_exit_code_4_with_a_message(options: tuple[str, ...], said: str) -> None:
    done = doctor(*options)
    assert done.code == 4
    assert said in done.err
    assert "Traceback" not in done.err
    assert "s3cret" not in done.err


def test_a_process_list_that_odp_creates_itself_is_recognised_and_the_remedies_are_named() -> None:
    with simulator("--environment", "odp-with-default-settings") as dsn:
        done = doctor("--dsn", dsn)
    assert done.code == 4
    for remedy in ("client_session_id_version=2", "proxy_id", "2881, USER@TENANT without #CLUSTER"):
        assert remedy in done.err


def test_a_target_behind_odp_with_suitable_settings_has_no_finding() -> None:
    with simulator("--behind-proxy") as dsn:
        done = doctor("--dsn", dsn)
    assert done.code == 0, done.out
    assert "connection  through ODP, no TLS" in done.out
    assert "nothing is missing" in done.out


LOGINS = {
    "a cluster on the server's own port": (
        "SYS@oracle#cluster",
        "port of an observer (2881), remove %23CLUSTER",
    ),
    "no tenant": ("SYS", "names no tenant, so OceanBase takes the tenant sys: write USER%40TENANT"),
    "a wrong tenant": ("SYS@other", "check user, password and tenant in the DSN"),
}


@pytest.mark.parametrize(("user", "said"), LOGINS.values(), ids=list(LOGINS))
def test_a_refused_login_is_reported_with_advice(user: str, said: str) -> None:
    with simulator() as dsn:
        target = Dsn.parse(dsn)
        done = doctor("--dsn", f"oceanbase://{quote(user)}:{target.password}@{target.host}:{target.port}/")
    assert done.code == 4
    assert "error 1045" in done.err
    assert said in done.err


def test_a_cluster_that_odp_does_not_know_is_named() -> None:
    with simulator("--behind-proxy") as dsn:
        done = doctor("--dsn", dsn.replace("%23simulator", "%23other"))
    assert done.code == 4
    assert "ODP doesn't know this cluster" in done.err


def test_a_terminated_doctor_leaves_nothing_behind() -> None:
    with simulator("--variant", "slow-statements") as dsn:
        command = [sys.executable, "-m", "runner", "doctor", "--dsn", dsn]
        with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
            assert eventually(lambda: users(dsn))
            process.terminate()
            assert process.communicate(timeout=2 * PATIENCE)[1] == "interrupted\n"
        assert (process.returncode, users(dsn)) == (130, [])


def test_a_run_begins_with_the_short_form_of_the_findings() -> None:
    with simulator() as dsn:
        administer(dsn, "CREATE USER POOR IDENTIFIED BY p1", "GRANT CREATE SESSION TO POOR")
        target = Dsn.parse(dsn)
        poor = f"oceanbase://POOR%40oracle:{quote('p1')}@{target.host}:{target.port}/"
        done = run_pytest("cases", "--requirement", "SYN-2", "--dsn", poor)
    assert done.code == 1
    before = done.out.partition("collected")[0]
    assert "server: OceanBase 5.7.25" in before
    assert "missing: users can't be created" in before
    of_it = [case for case in cases() if case.requirement.id == "SYN-2"]
    alone = sum(all(spec.same_user_as == "administrator" for spec in case.sessions) for case in of_it)
    assert f"affects {len(of_it) - alone} of {len(of_it)} cases" in before
    assert "fix: GRANT CREATE USER" in before


@pytest.fixture(scope="module")
def mariadb() -> Iterator[MariaDB]:
    with start_mariadb() as server:
        yield server


@contextmanager
def administrator_of(server: MariaDB) -> Iterator[Callable[[str], object]]:
    """What says statements as the administrator, on one connection in plain text."""
    with (
        pymysql.connect(
            host=server.host, port=server.port, user=server.user, password=server.password, ssl_disabled=True
        ) as connection,
        connection.cursor() as cursor,
    ):
        yield cursor.execute


def test_anonymous_users_that_prevent_logins_of_new_users_are_reported(mariadb: MariaDB) -> None:
    anonymous = "''@'127.0.0.1'"
    with administrator_of(mariadb) as say:
        here = f"{mariadb.user}@'127.0.0.1'"  # the administrator is not to be taken for an anonymous user, too
        say(f"CREATE USER {here} IDENTIFIED BY '{mariadb.password}'")
        say(f"GRANT ALL ON *.* TO {here} WITH GRANT OPTION")
        say(f"CREATE USER {anonymous} IDENTIFIED BY 'another'")
        try:
            done = doctor("--dsn", mariadb.dsn(), "--profile", "mariadb")
        finally:
            say(f"DROP USER {anonymous}, {here}")
    assert done.code == 1
    assert "a newly created user can't log in: error 1045" in done.out
    assert "fix: the server has anonymous users" in done.out
    assert doctor("--dsn", mariadb.dsn(), "--profile", "mariadb").code == 0
