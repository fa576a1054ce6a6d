"""SHOW PROCESSLIST."""

from __future__ import annotations

from typing import TYPE_CHECKING

from waiting import eventually

from .clients import Background, kill, number, run, socket_of, wait_until_running

if TYPE_CHECKING:
    from collections.abc import Callable

    from .clients import Connection, Simulator

PAGE = ["ID", "USER", "HOST", "DB", "COMMAND", "TIME", "STATE", "INFO"]
FULL = ["ID", "USER", "TENANT", "HOST", "DB", "COMMAND", "TIME", "STATE", "INFO", "IP", "PORT"]
DECIMAL, TEXT = 246, 253


def columns(connection: Connection, sql: str) -> list[tuple[str, int]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return [(column[0], column[1]) for column in cursor.description]


def users(connection: Connection) -> set[str]:
    return {row[1] for row in run(connection, "SHOW PROCESSLIST")}


def test_it_looks_as_on_the_page(sim: Simulator) -> None:
    idle, asking = sim.connect(), sim.connect_new("ALTER SYSTEM")
    rows = {int(row[0]): row[1:] for row in run(asking, "SHOW PROCESSLIST")}
    user = run(asking, "SELECT USER FROM DUAL")[0][0]
    host, port = socket_of(asking).getsockname()
    assert rows[number(asking)] == (user, f"{host}:{port}", user, "Query", 0, "ACTIVE", "SHOW PROCESSLIST")
    host, port = socket_of(idle).getsockname()
    assert rows[number(idle)][:4] == ("SYS", f"{host}:{port}", "SYS", "Sleep")
    assert rows[number(idle)][5:] == ("SLEEP", None)


def test_its_columns_are_those_of_the_page_in_their_order(sim: Simulator) -> None:
    found = columns(sim.connect(), "SHOW PROCESSLIST")
    assert found == [(name, DECIMAL if name in ("ID", "TIME") else TEXT) for name in PAGE]


def test_the_full_list_adds_tenant_and_server(sim: Simulator) -> None:
    admin = sim.connect()
    assert [name for name, _ in columns(admin, "SHOW FULL PROCESSLIST")] == FULL
    assert run(admin, "SHOW FULL PROCESSLIST")[-1][-2:] == ("127.0.0.1", sim.port)


def test_a_running_statement_shows_as_it_was_sent_and_its_time_counts(sim: Simulator) -> None:
    admin, busy = sim.connect(), sim.connect()
    sent = "begin  dbms_lock.SLEEP( 600 ) ; /* here */ end;"
    statement = Background(busy, sent)
    wait_until_running(admin, busy, "here")

    def row() -> tuple[object, ...]:
        return next(row[4:] for row in run(admin, "SHOW PROCESSLIST") if row[0] == number(busy))

    assert row()[2:] == ("ACTIVE", sent)
    assert eventually(lambda: row() == ("Query", 1, "ACTIVE", sent))
    run(admin, kill(busy))
    assert statement.join() is not None


def test_who_sees_whom_by_default(sim: Simulator) -> None:
    admin = sim.connect()
    powerless, holder, watcher = sim.connect_new(), sim.connect_new("ALTER SYSTEM"), sim.connect_new("SHOW PROCESS")
    assert len(users(powerless)) == 1
    assert users(admin) == users(holder) == users(watcher) >= {"SYS"} | users(powerless)


def test_the_list_can_be_kept_from_holders_of_alter_system(start: Callable[..., Simulator]) -> None:
    sim = start("--like-oceanbase")
    admin, holder, watcher = sim.connect(), sim.connect_new("ALTER SYSTEM"), sim.connect_new("SHOW PROCESS")
    assert len(users(holder)) == 1
    assert users(admin) == users(watcher) > users(holder)


def test_each_of_many_sessions_has_its_own_id_and_its_own_end(sim: Simulator) -> None:
    admin, many = sim.connect(), [sim.connect() for _ in range(300)]
    ids = {number(connection) for connection in many}
    assert len(ids) == 300
    assert ids <= sim.ids()
    ended = many[::2]
    for connection in ended:
        run(admin, kill(connection))
    assert ids & sim.ids() == ids - {number(connection) for connection in ended}
