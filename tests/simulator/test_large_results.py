"""Results that are larger than what lies between server and client: sent as fast as they are read."""

# ruff: noqa: S608 - the tests write their own SQL

from __future__ import annotations

from typing import TYPE_CHECKING

from waiting import eventually

from .clients import affected, code, is_lost, kill, number, run, works

if TYPE_CHECKING:
    from .clients import Simulator

ROWS = 8
BIG = 1_000_000_000
NOT_SUPPORTED = 600


def table(sim: Simulator) -> str:
    admin = sim.connect()
    name = f"SYS.L{next(sim.names)}"
    run(admin, f"CREATE TABLE {name} (id INT PRIMARY KEY, val INT)")
    for row in range(ROWS):
        affected(admin, f"INSERT INTO {name} VALUES ({row}, {BIG})")
    return name


def join(name: str, times: int) -> str:
    return f"SELECT * FROM {', '.join(f'{name} t{number}' for number in range(times))}"


def test_each_row_is_joined_with_each_row(sim: Simulator) -> None:
    name = table(sim)
    rows = run(sim.connect(), join(name, 2))
    assert sorted(rows) == [(one, BIG, other, BIG) for one in range(ROWS) for other in range(ROWS)]


def test_a_result_of_many_packets_arrives_whole(sim: Simulator) -> None:
    assert len(run(sim.connect(), join(table(sim), 4))) == ROWS**4


def test_a_server_that_sends_what_nobody_reads_runs_until_it_is_ended(sim: Simulator) -> None:
    name = table(sim)
    admin, victim = sim.connect(), sim.connect()
    victim._execute_command(3, join(name, 6))  # type: ignore[attr-defined]  # noqa: SLF001 - sends, and reads nothing

    def states() -> list[str]:
        return [row[6] for row in run(admin, "SHOW PROCESSLIST") if int(row[0]) == number(victim)]

    assert eventually(lambda: states() == ["ACTIVE"])
    assert works(sim.connect())
    assert states() == ["ACTIVE"]
    run(admin, kill(victim))
    assert states() == []
    assert is_lost(victim)


def test_more_than_a_plain_join_is_refused(sim: Simulator) -> None:
    name = table(sim)
    for text in (f"{join(name, 2)} WHERE 1 = 1", f"{join(name, 2)} ORDER BY 1", f"SELECT val FROM {name} a, {name} b"):
        assert code(sim.connect(), text) == NOT_SUPPORTED
