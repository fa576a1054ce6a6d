"""Logins: names, passwords, tenants, and the errors of refused ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pymysql
import pytest

from tests.support.simulator_clients import Simulator, error_code, is_usable, kill_statement, run, session_id


def refused(sim: Simulator, user: str, password: str, **options: Any) -> tuple[int, str]:
    with pytest.raises(pymysql.err.Error) as caught:
        sim.connect(user, password, **options)
    return (caught.value.args[0], caught.value.args[1])


@pytest.mark.parametrize("user", ["SYS", "sys", "Sys", '"SYS"'])
def test_a_name_is_converted_to_upper_case(sim: Simulator, user: str) -> None:
    assert run(sim.connect(user), "SELECT USER FROM DUAL") == [("SYS",)]


@pytest.mark.parametrize(
    "tenant", ["", "@", "@sys", "@other", "@ORACLE", "@oracle#cluster", "#cluster", "@oracle@oracle"]
)
@pytest.mark.parametrize("user", ["SYS", '"SYS"'])
def test_a_login_without_odp_contains_only_user_and_tenant(sim: Simulator, user: str, tenant: str) -> None:
    refusal, words = refused(sim, user, sim.password, tenant=tenant)
    assert refusal == 1045
    assert words.startswith("Access denied for user 'SYS")


def test_a_quoted_name_keeps_its_case(sim: Simulator) -> None:
    admin = sim.connect()
    run(admin, 'CREATE USER "mixed" IDENTIFIED BY "Pass Word"')
    run(admin, 'GRANT CREATE SESSION TO "mixed"')
    assert run(sim.connect('"mixed"', "Pass Word"), "SELECT USER FROM DUAL") == [("mixed",)]
    assert refused(sim, "mixed", "Pass Word")[0] == 1045


@pytest.mark.parametrize("password", ["bare1", "20261126", '"Quoted one"', '"Aa1#"', '"välkommen"'])
def test_a_password_is_a_word_or_quoted(sim: Simulator, password: str) -> None:
    admin, name = sim.connect(), sim.new_user()
    run(admin, f"ALTER USER {name} IDENTIFIED BY {password}")
    plain = password.strip('"')
    assert is_usable(sim.connect(name, plain.encode() if not plain.isascii() else plain))  # type: ignore[arg-type]  # as bytes: PyMySQL encodes text as latin-1


def test_a_password_in_single_quotes_is_a_syntax_error(sim: Simulator) -> None:
    assert error_code(sim.connect(), "CREATE USER quoted IDENTIFIED BY 'single'") == 900


@pytest.mark.parametrize("password", ["wrong", ""])
def test_a_wrong_password_and_an_unknown_user_give_the_same_error(sim: Simulator, password: str) -> None:
    used = "YES" if password else "NO"
    for user in ("SYS", "NOBODY"):
        words = f"Access denied for user '{user}'@'xxx.xxx.xxx.xxx' (using password: {used})"
        assert refused(sim, user, password) == (1045, words)


def test_a_client_without_oracle_mode_is_refused_only_after_its_password(sim: Simulator) -> None:
    words = "Oracle tenant for current client driver is not supported"
    assert refused(sim, "SYS", sim.password, client_flag=0) == (1235, words)
    assert refused(sim, "SYS", "wrong", client_flag=0)[0] == 1045


def test_a_client_with_another_authentication_plugin_is_asked_to_switch(
    sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    original: Callable[..., None] = pymysql.connections.Connection._get_server_information  # type: ignore[attr-defined]  # noqa: SLF001 - no public way to use another plugin

    def offer_another(connection: Any) -> None:
        original(connection)
        connection._auth_plugin_name = "caching_sha2_password"  # noqa: SLF001 - as above

    monkeypatch.setattr(pymysql.connections.Connection, "_get_server_information", offer_another)
    assert is_usable(sim.connect())
    assert refused(sim, "SYS", "wrong")[0] == 1045


def test_a_user_needs_create_session(sim: Simulator) -> None:
    admin = sim.connect()
    run(admin, "CREATE USER outsider IDENTIFIED BY pw")
    refusal = refused(sim, "OUTSIDER", "pw")
    assert refusal[0] == 1045
    assert "user OUTSIDER lacks CREATE SESSION privilege; logon denied" in refusal[1]
    run(admin, "GRANT CONNECT TO outsider")
    assert is_usable(sim.connect("OUTSIDER", "pw"))
    run(admin, "DROP USER outsider CASCADE")
    assert refused(sim, "OUTSIDER", "pw")[1].startswith("Access denied")


def test_the_handshake_contains_the_sessions_id(sim: Simulator) -> None:
    connection = sim.connect()
    assert session_id(connection) > 3221487616
    asked = "SELECT USERENV('SID'), USERENV('SESSIONID'), SYS_CONTEXT('USERENV', 'SID') FROM DUAL"
    assert run(connection, asked) == [(session_id(connection), session_id(connection), str(session_id(connection)))]


def test_a_login_may_contain_a_schema(sim: Simulator) -> None:
    name = sim.new_user()
    assert run(sim.connect(database=name), "SHOW PROCESSLIST")[-1][3] == name
    assert refused(sim, "SYS", sim.password, database="NOWHERE")[0] == 1049


def test_the_administrators_password_is_an_option(start: Callable[..., Simulator]) -> None:
    sim = start("--admin-password", "from-the-test")
    assert sim.password == "from-the-test"  # noqa: S105 - a test's own
    assert is_usable(sim.connect())
    assert error_code(sim.connect(), kill_statement(1)) == 600
