"""SHOW PROCESSLIST."""

from __future__ import annotations

from collections.abc import Callable

from tests.support.eventually import eventually
from tests.support.simulator_clients import (
    BackgroundStatement,
    Connection,
    Simulator,
    kill_statement,
    run,
    session_id,
    socket_of,
    wait_until_running,
)

PAGE = ["ID", "USER", "HOST", "DB", "COMMAND", "TIME", "STATE", "INFO"]
FULL = ["ID", "USER", "TENANT", "HOST", "DB", "COMMAND", "TIME", "STATE", "INFO", "IP", "PORT"]
DECIMAL, TEXT = 246, 253


def columns(connection: Connection, sql: str) -> list[tuple[str, int]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return [(column[0], column[1]) for column in cursor.description]


def users(connection: Connection) -> set[str]:
    return {row[1] for row in run(connection, "SHOW PROCESSLIST")}


def test_the_list_is_that_of_the_specification(sim: Simulator) -> None:
    idle, asking = sim.connect(), sim.connect_new("ALTER SYSTEM")
    rows = {int(row[0]): row[1:] for row in run(asking, "SHOW PROCESSLIST")}
    user = run(asking, "SELECT USER FROM DUAL")[0][0]
    host, port = socket_of(asking).getsockname()
    assert rows[session_id(asking)] == (user, f"{host}:{port}", user, "Query", 0, "ACTIVE", "SHOW PROCESSLIST")
    host, port = socket_of(idle).getsockname()
    assert rows[session_id(idle)][:4] == ("SYS", f"{host}:{port}", "SYS", "Sleep")
    assert rows[session_id(idle)][5:] == ("SLEEP", None)


def test_the_columns_are_those_of_the_specification_in_the_same_order(sim: Simulator) -> None:
    found = columns(sim.connect(), "SHOW PROCESSLIST")
    assert found == [(name, DECIMAL if name in ("ID", "TIME") else TEXT) for name in PAGE]


def test_the_full_list_adds_tenant_and_server(sim: Simulator) -> None:
    admin = sim.connect()
    assert [name for name, _ in columns(admin, "SHOW FULL PROCESSLIST")] == FULL
    assert run(admin, "SHOW FULL PROCESSLIST")[-1][-2:] == ("127.0.0.1", sim.port)


def test_a_running_statement_is_shown_with_its_text_and_seconds(sim: Simulator) -> None:
    admin, busy = sim.connect(), sim.connect()
    sent = "begin  dbms_lock.SLEEP( 600 ) ; /* here */ end;"
    statement = BackgroundStatement(busy, sent)
    wait_until_running(admin, busy, "here")

    def row() -> tuple[object, ...]:
        return next(row[4:] for row in run(admin, "SHOW PROCESSLIST") if row[0] == session_id(busy))

    assert row()[2:] == ("ACTIVE", sent)
    assert eventually(lambda: row() == ("Query", 1, "ACTIVE", sent))
    run(admin, kill_statement(busy))
    assert statement.join() is not None


def test_which_sessions_a_user_sees_by_default(sim: Simulator) -> None:
    admin = sim.connect()
    powerless, holder, watcher = sim.connect_new(), sim.connect_new("ALTER SYSTEM"), sim.connect_new("SHOW PROCESS")
    assert len(users(powerless)) == 1
    assert users(admin) == users(holder) == users(watcher) >= {"SYS"} | users(powerless)


def test_holders_of_alter_system_can_be_limited_to_their_own_sessions(start: Callable[..., Simulator]) -> None:
    sim = start("--like-oceanbase")
    admin, holder, watcher = sim.connect(), sim.connect_new("ALTER SYSTEM"), sim.connect_new("SHOW PROCESS")
    assert len(users(holder)) == 1
    assert users(admin) == users(watcher) > users(holder)


def test_each_of_many_sessions_has_its_own_id_and_can_be_killed_alone(sim: Simulator) -> None:
    admin, many = sim.connect(), [sim.connect() for _ in range(300)]
    ids = {session_id(connection) for connection in many}
    assert len(ids) == 300
    assert ids <= sim.ids()
    ended = many[::2]
    for connection in ended:
        run(admin, kill_statement(connection))
    assert ids & sim.ids() == ids - {session_id(connection) for connection in ended}
