"""The page's example, line by line, by clients that people use; docs/by-hand.md names them."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING, Any

import pymysql
import pyoceanbase  # type: ignore[import-untyped]  # it has no types
import pytest
from servers import ServerError, mysql_command, unpack_mysql

from .clients import ORACLE_MODE, ROOT, Simulator, run

if TYPE_CHECKING:
    from collections.abc import Callable

    from .clients import Connection

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


def test_the_page_has_the_example() -> None:
    for statement in (*AS_SYS, "SHOW PROCESSLIST"):
        assert f"{statement};\n" in PAGE


@pytest.mark.parametrize("connect", DRIVERS.values(), ids=list(DRIVERS))
def test_a_driver_runs_it(sim: Simulator, connect: Callable[..., Any]) -> None:
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


def test_a_driver_without_the_bit_is_refused_as_the_page_says(sim: Simulator) -> None:
    with pytest.raises(pymysql.err.NotSupportedError) as caught:
        pymysql.connect(**login(sim, "SYS", sim.password))
    refused, words = caught.value.args
    assert f"ERROR {refused} (0A000): {words}" in PAGE


def by(
    client: list[str], sim: Simulator, user: str, password: str, *statements: str
) -> subprocess.CompletedProcess[str]:
    options = ["-h", "127.0.0.1", "-P", str(sim.port), "-u", f"{user}@oracle", f"-p{password}", "-vv"]
    said = "".join(f"{statement};\n" for statement in statements)
    return subprocess.run([*client, *options], input=said, capture_output=True, text=True, timeout=30, check=False)


def test_mysqls_command_line_runs_it(sim: Simulator) -> None:
    try:
        client = mysql_command(unpack_mysql())
    except ServerError as error:
        pytest.skip(str(error))
    granted = by(client, sim, "SYS", sim.password, *AS_SYS)
    assert granted.stdout.count("Query OK, 0 rows affected") == 3, granted.stderr
    listed = by(client, sim, "kill_user", "killuser123", "SHOW PROCESSLIST")
    assert re.search(r"KILL_USER\s.*\sACTIVE\s+(\| )?SHOW PROCESSLIST", listed.stdout), listed.stderr
    # The id of the next session: one of the example's own is not known before it is shown.
    highest = max(int(row[0]) for row in run(sim.connect(), "SHOW PROCESSLIST"))
    ended = by(client, sim, "kill_user", "killuser123", f"ALTER SYSTEM KILL SESSION '{highest + 1}'")
    assert "Query OK, 0 rows affected" in ended.stdout, ended.stderr


def test_mariadbs_command_line_is_refused_as_the_page_says(sim: Simulator) -> None:
    done = by(["mariadb", "--no-defaults"], sim, "SYS", sim.password, *AS_SYS)
    assert done.returncode == 1
    assert done.stderr.strip() in PAGE
