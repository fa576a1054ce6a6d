"""Results larger than the buffers between server and client: sent only as fast as they are read."""

# ruff: noqa: S608 - the tests write their own SQL

from __future__ import annotations

import pymysql
import pytest

from tests.support.eventually import eventually
from tests.support.simulator_clients import (
    Simulator,
    affected_rows,
    error_code,
    is_disconnected,
    is_usable,
    kill_statement,
    run,
    session_id,
    wait_until_running,
)

ROWS = 8
BIG = 1_000_000_000
NOT_SUPPORTED = 600


def table(sim: Simulator) -> str:
    admin = sim.connect()
    name = f"SYS.L{next(sim.names)}"
    run(admin, f"CREATE TABLE {name} (id INT PRIMARY KEY, val INT)")
    for row in range(ROWS):
        affected_rows(admin, f"INSERT INTO {name} VALUES ({row}, {BIG})")
    return name


def join(name: str, times: int) -> str:
    return f"SELECT * FROM {', '.join(f'{name} t{number}' for number in range(times))}"


def test_each_row_is_joined_with_each_row(sim: Simulator) -> None:
    name = table(sim)
    rows = run(sim.connect(), join(name, 2))
    assert sorted(rows) == [(one, BIG, other, BIG) for one in range(ROWS) for other in range(ROWS)]


def test_a_result_of_many_packets_is_complete(sim: Simulator) -> None:
    assert len(run(sim.connect(), join(table(sim), 4))) == ROWS**4


def test_a_statement_whose_result_is_not_read_runs_until_it_is_killed(sim: Simulator) -> None:
    name = table(sim)
    admin, victim = sim.connect(), sim.connect()
    victim._execute_command(3, join(name, 6))  # type: ignore[attr-defined]  # noqa: SLF001 - sends without reading the reply

    def states() -> list[str]:
        return [row[6] for row in run(admin, "SHOW PROCESSLIST") if int(row[0]) == session_id(victim)]

    assert eventually(lambda: states() == ["ACTIVE"])
    assert is_usable(sim.connect())
    assert states() == ["ACTIVE"]
    run(admin, kill_statement(victim))
    assert states() == []
    assert is_disconnected(victim)


def test_kill_query_ends_a_statement_whose_result_is_not_read_but_not_its_session(sim: Simulator) -> None:
    name = table(sim)
    admin, victim = sim.connect(), sim.connect()
    victim._execute_command(3, join(name, 6))  # type: ignore[attr-defined]  # noqa: SLF001 - as above
    wait_until_running(admin, victim, "SELECT")
    run(admin, f"KILL QUERY {session_id(victim)}")
    with pytest.raises(pymysql.err.Error, match="-5065"):
        victim._read_query_result()  # type: ignore[attr-defined]  # noqa: SLF001 - reads the incomplete reply
    assert is_usable(victim)


def test_more_than_a_plain_join_is_refused(sim: Simulator) -> None:
    name = table(sim)
    for text in (f"{join(name, 2)} WHERE 1 = 1", f"{join(name, 2)} ORDER BY 1", f"SELECT val FROM {name} a, {name} b"):
        assert error_code(sim.connect(), text) == NOT_SUPPORTED
