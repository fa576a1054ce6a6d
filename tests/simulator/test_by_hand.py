"""The specification's example with common clients, as in docs/by-hand.md."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from typing import Any

import pymysql
import pyoceanbase  # type: ignore[import-untyped]  # without types
import pytest

from tests.support.paths import ROOT
from tests.support.servers import ServerError, mysql_command, unpack_mysql
from tests.support.simulator_clients import ORACLE_MODE, Connection, Simulator, run

PAGE = (ROOT / "docs" / "by-hand.md").read_text(encoding="utf-8")
AS_SYS = (
    "CREATE USER kill_user IDENTIFIED BY killuser123",
    "GRANT CREATE SESSION TO kill_user",
    "GRANT ALTER SYSTEM TO kill_user",
)
COLUMNS = ("ID", "USER", "HOST", "DB", "COMMAND", "TIME", "STATE", "INFO")

DRIVERS: dict[str, Callable[..., Connection]] = {
    "pyoceanbase as it is": pyoceanbase.connect,
    "PyMySQL with the bit": lambda **login: pymysql.connect(client_flag=ORACLE_MODE, **login),
}


@pytest.fixture
def sim(start: Callable[..., Simulator]) -> Simulator:
    return start()


def login(sim: Simulator, user: str, password: str) -> dict[str, Any]:
    return {"host": "127.0.0.1", "port": sim.port, "user": f"{user}@oracle", "password": password}


def test_the_documentation_contains_the_example() -> None:
    for statement in (*AS_SYS, "SHOW PROCESSLIST"):
        assert f"{statement};\n" in PAGE


@pytest.mark.parametrize("connect", DRIVERS.values(), ids=list(DRIVERS))
def test_a_driver_executes_the_example(sim: Simulator, connect: Callable[..., Any]) -> None:
    with connect(**login(sim, "SYS", sim.password)) as admin:
        for statement in AS_SYS:
            assert admin.cursor().execute(statement) == 0
        own = connect(**login(sim, "kill_user", "killuser123"))
        cursor = own.cursor()
        cursor.execute("SHOW PROCESSLIST")
        assert tuple(column[0] for column in cursor.description) == COLUMNS
        rows = {row[1]: row for row in cursor.fetchall()}
        assert (*rows["KILL_USER"][3:5], *rows["KILL_USER"][6:]) == ("KILL_USER", "Query", "ACTIVE", "SHOW PROCESSLIST")
        assert (*rows["SYS"][3:5], *rows["SYS"][6:]) == ("SYS", "Sleep", "SLEEP", None)
        assert cursor.execute(f"ALTER SYSTEM KILL SESSION '{rows['KILL_USER'][0]}'") == 0
        with pytest.raises(Exception, match="Lost connection"):
            cursor.execute("SHOW PROCESSLIST")


def test_a_driver_without_oracle_mode_is_refused_as_documented(sim: Simulator) -> None:
    with pytest.raises(pymysql.err.NotSupportedError) as caught:
        pymysql.connect(**login(sim, "SYS", sim.password))
    code, message = caught.value.args
    assert f"ERROR {code} (0A000): {message}" in PAGE


def run_client(
    client: list[str], sim: Simulator, user: str, password: str, *statements: str
) -> subprocess.CompletedProcess[str]:
    options = ["-h", "127.0.0.1", "-P", str(sim.port), "-u", f"{user}@oracle", f"-p{password}", "-vv"]
    statements_text = "".join(f"{statement};\n" for statement in statements)
    return subprocess.run(
        [*client, *options], input=statements_text, capture_output=True, text=True, timeout=30, check=False
    )


def test_the_mysql_client_executes_the_example(sim: Simulator) -> None:
    try:
        client = mysql_command(unpack_mysql())
    except ServerError as error:
        pytest.skip(str(error))
    granted = run_client(client, sim, "SYS", sim.password, *AS_SYS)
    assert granted.stdout.count("Query OK, 0 rows affected") == 3, granted.stderr
    listed = run_client(client, sim, "kill_user", "killuser123", "SHOW PROCESSLIST")
    assert re.search(r"KILL_USER\s.*\sACTIVE\s+(\| )?SHOW PROCESSLIST", listed.stdout), listed.stderr
    # The id of the next session: the statement has to name it before it is shown.
    highest = max(int(row[0]) for row in run(sim.connect(), "SHOW PROCESSLIST"))
    ended = run_client(client, sim, "kill_user", "killuser123", f"ALTER SYSTEM KILL SESSION '{highest + 1}'")
    assert "Query OK, 0 rows affected" in ended.stdout, ended.stderr


def test_the_mariadb_client_is_refused_as_documented(sim: Simulator) -> None:
    done = run_client(["mariadb", "--no-defaults"], sim, "SYS", sim.password, *AS_SYS)
    assert done.returncode == 1
    assert done.stderr.strip() in PAGE
