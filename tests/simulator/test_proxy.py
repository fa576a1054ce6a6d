"""The server behind a TCP proxy: ids and addresses, forwarded data, and closed connections."""

from __future__ import annotations

import select
import signal
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pymysql
import pytest

from runner.simulator.components import Components
from runner.simulator.settings import Settings
from runner.simulator.variants import VARIANTS
from tests.support.eventually import PATIENCE, eventually
from tests.support.simulator_clients import (
    Connection,
    Simulator,
    close_abruptly,
    error_code,
    is_disconnected,
    is_usable,
    run,
    session_id,
    socket_of,
    start_simulator,
    stop_simulator,
)
from tests.support.simulator_threads import threaded_server

Start = Callable[..., Simulator]

MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module")
def server() -> Iterator[Simulator]:
    simulator = start_simulator("--variant", "behind-plain-proxy")
    yield simulator
    assert stop_simulator(simulator) == ""


@pytest.fixture
def sim(server: Simulator) -> Iterator[Simulator]:
    with ExitStack() as server.stack:
        yield server


def rows(sim: Simulator, user: str) -> dict[int, tuple[str, str]]:
    """A user's sessions as the administrator sees them: HOST and COMMAND by id."""
    admin = sim.connect()
    try:
        return {int(row[0]): (row[2], row[4]) for row in run(admin, "SHOW PROCESSLIST") if row[1] == user}
    finally:
        admin.close()


def new_user_session(sim: Simulator) -> tuple[str, Connection, int]:
    """A new user, its only session, and the session's id in the process list."""
    user = sim.new_user()
    session = sim.connect_as(user)
    (listed,) = rows(sim, user)
    return user, session, listed


def kill_session(sim: Simulator, listed: int) -> None:
    run(sim.connect(), f"ALTER SYSTEM KILL SESSION '{listed}'")


def send_statement(client: socket.socket, statement: str) -> None:
    payload = b"\x03" + statement.encode()
    client.sendall(struct.pack("<I", len(payload)) + payload)


def received(client: socket.socket) -> bytes:
    """The data that is received until the connection is closed."""
    client.settimeout(PATIENCE)
    got = b""
    while data := client.recv(65536):
        got += data
    return got


def packet_error_code(packet: bytes) -> int:
    assert packet[4] == 0xFF
    return int.from_bytes(packet[5:7], "little")


def memory(sim: Simulator) -> int:
    """The memory of the simulator in bytes."""
    (line,) = [
        line for line in Path(f"/proc/{sim.process.pid}/status").read_text().splitlines() if line.startswith("VmRSS")
    ]
    return int(line.split()[1]) * 1024


# The proxy's own ids and addresses


def test_the_statement_accepts_the_lists_id_and_not_the_thread_id(sim: Simulator) -> None:
    _, session, listed = new_user_session(sim)
    assert session_id(session) != listed
    assert error_code(sim.connect(), f"ALTER SYSTEM KILL SESSION '{session_id(session)}'") == 600
    assert is_usable(session)
    kill_session(sim, listed)
    assert is_disconnected(session)


def test_each_client_has_a_thread_id_of_its_own(sim: Simulator) -> None:
    assert len({session_id(sim.connect()) for _ in range(20)}) == 20


def test_host_is_the_proxys_end(sim: Simulator) -> None:
    user, session, listed = new_user_session(sim)
    host, _ = rows(sim, user)[listed]
    assert host.startswith("127.0.0.1:")
    assert host != "{}:{}".format(*socket_of(session).getsockname())


def test_a_refused_login_is_forwarded_and_closed(sim: Simulator) -> None:
    for user, password, expected in (("SYS", "wrong", 1045), ("NOBODY", "x", 1045)):
        with pytest.raises(pymysql.err.OperationalError) as caught:
            sim.connect(user, password)
        assert caught.value.args[0] == expected
    with pytest.raises(pymysql.err.NotSupportedError):
        sim.connect(client_flag=0)


def test_a_client_may_send_data_before_the_handshake(sim: Simulator) -> None:
    sim.process.send_signal(signal.SIGSTOP)  # all data has been received after that
    with socket.create_connection(("127.0.0.1", sim.port)) as client:
        send_statement(client, "SELECT 1 FROM DUAL")
        sim.process.send_signal(signal.SIGCONT)
        greeting, _, answer = received(client).partition(b"mysql_native_password\x00")
    assert greeting[4] == 10
    assert packet_error_code(answer) == 1043


def test_too_many_connections_is_forwarded_by_the_proxy() -> None:
    components = VARIANTS["behind-plain-proxy"].change_components(Components())
    with threaded_server(components, Settings(session_limit=1)) as server:
        session = server.connect()
        with pytest.raises(pymysql.err.OperationalError) as caught:
            server.connect()
        assert caught.value.args[0] == 1040
        assert is_usable(session)
        close_abruptly(session)


def test_a_client_that_sends_nothing_is_disconnected(start: Start) -> None:
    sim = start("--variant", "behind-plain-proxy", "--login-limit", "0.2")
    client = socket.create_connection(("127.0.0.1", sim.port))
    with client:
        greeting = received(client)
    assert greeting[4] == 10
    assert len(greeting) == int.from_bytes(greeting[:3], "little") + 4


# Killed sessions


def test_a_session_that_kills_itself_gets_ok_and_is_closed(sim: Simulator) -> None:
    user, session, listed = new_user_session(sim)
    run(sim.connect(), f"GRANT ALTER SYSTEM TO {user}")
    client = socket_of(session)
    send_statement(client, f"ALTER SYSTEM KILL SESSION '{listed}'")
    assert received(client)[4:] == b"\x00\x00\x00\x02\x00\x00\x00"


def test_the_connection_of_a_killed_idle_session_is_closed_without_an_error(sim: Simulator) -> None:
    user, session, listed = new_user_session(sim)
    kill_session(sim, listed)
    assert received(socket_of(session)) == b""
    assert rows(sim, user) == {}


def test_a_waiting_client_gets_the_error_and_is_closed(sim: Simulator) -> None:
    user, session, listed = new_user_session(sim)
    client = socket_of(session)
    send_statement(client, "BEGIN DBMS_LOCK.SLEEP(600); END;")
    assert eventually(lambda: rows(sim, user)[listed][1] == "Query")
    kill_session(sim, listed)
    assert packet_error_code(received(client)) == 1092


def test_a_reset_by_the_server_is_a_reset_for_the_client(start: Start) -> None:
    sim = start("--variant", "behind-plain-proxy", "--variant", "reset-instead-of-close")
    _, session, listed = new_user_session(sim)
    kill_session(sim, listed)
    with pytest.raises(ConnectionResetError):
        received(socket_of(session))


def test_a_half_closed_server_connection_stays_open(start: Start) -> None:
    sim = start("--variant", "behind-plain-proxy", "--defect", "closes-the-sending-half-only")
    user, session, listed = new_user_session(sim)
    kill_session(sim, listed)
    assert received(socket_of(session)) == b""
    send_statement(socket_of(session), "BEGIN DBMS_LOCK.SLEEP(600); END;")
    assert eventually(lambda: rows(sim, user)[listed][1] == "Query")
    close_abruptly(session)
    assert eventually(lambda: rows(sim, user) == {})


def test_the_next_request_after_a_kill_gets_error_4401(start: Start) -> None:
    sim = start("--variant", "behind-plain-proxy-until-next-request")
    user, session, listed = new_user_session(sim)
    assert is_usable(session)
    kill_session(sim, listed)
    assert rows(sim, user) == {}
    assert select.select([socket_of(session)], [], [], 0.2) == ([], [], [])
    assert error_code(session, "SELECT 1 FROM DUAL") == 4401
    assert is_disconnected(session)
    user, session, listed = new_user_session(sim)
    kill_session(sim, listed)
    session.close()
    assert is_usable(sim.connect())


# Disconnected clients


def test_a_client_that_half_closes_is_disconnected(sim: Simulator) -> None:
    user, session, _ = new_user_session(sim)
    socket_of(session).shutdown(socket.SHUT_WR)
    assert received(socket_of(session)) == b""
    assert eventually(lambda: rows(sim, user) == {})


@pytest.mark.parametrize("busy", [False, True])
def test_a_client_that_resets_its_connection_is_disconnected(sim: Simulator, busy: bool) -> None:
    user, session, listed = new_user_session(sim)
    client = socket_of(session)
    if busy:
        send_statement(client, "BEGIN DBMS_LOCK.SLEEP(600); END;")
        assert eventually(lambda: rows(sim, user)[listed][1] == "Query")
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    close_abruptly(session)
    assert eventually(lambda: rows(sim, user) == {})


def test_clients_that_disconnect_at_once_leave_no_sessions(sim: Simulator) -> None:
    handles = Path(f"/proc/{sim.process.pid}/fd")
    assert is_usable(sim.connect())
    before = len(list(handles.iterdir()))
    for at in range(200):
        client = socket.create_connection(("127.0.0.1", sim.port))
        if at % 2:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
    assert eventually(lambda: len(list(handles.iterdir())) <= before)
    assert is_usable(sim.connect())


# Forwarded data


@pytest.fixture(scope="module")
def table(server: Simulator) -> str:
    """A table whose rows take 3 MB in a result."""
    with ExitStack() as server.stack:
        admin = server.connect()
        run(admin, "CREATE TABLE BIG (V VARCHAR2(32767))")
        for _ in range(100):
            run(admin, f"INSERT INTO BIG VALUES ('{'x' * 30_000}')")  # noqa: S608 - the test's own
    return "BIG"


def test_long_statements_and_large_results_are_forwarded(sim: Simulator, table: str) -> None:
    session = sim.connect()
    assert run(session, f"SELECT 7 FROM DUAL /* {'x' * 5 * MEGABYTE} */") == [(7,)]  # noqa: S608 - likewise
    assert run(session, f"SELECT V FROM {table}") == [("x" * 30_000,)] * 100  # noqa: S608 - likewise
    assert is_usable(session)


def test_a_packet_beyond_the_servers_limit_is_refused_by_the_server(sim: Simulator) -> None:
    client = socket_of(sim.connect())
    client.sendall(b"\xff\xff\xff\x00" + b"\x03" + b" " * 0xFFFFFE + b"\xff\xff\xff\x01")
    assert packet_error_code(client.recv(4096)) == 1153


def test_a_packet_in_pieces_is_forwarded(sim: Simulator) -> None:
    client = socket_of(sim.connect())
    for byte in b"\x01\x00\x00\x00\x0e":
        client.sendall(bytes((byte,)))
    assert client.recv(4096)[4] == 0


def test_memory_is_bounded_if_the_client_does_not_read(sim: Simulator, table: str) -> None:
    """The client requests 180 MB and reads them only after some time."""
    client, before = socket_of(sim.connect()), memory(sim)
    for _ in range(60):
        send_statement(client, f"SELECT V FROM {table}")  # noqa: S608 - the test's own
    time.sleep(1)
    assert memory(sim) < before + 32 * MEGABYTE
    assert is_usable(sim.connect())
    client.settimeout(PATIENCE)
    got = 0
    while got < 60 * 100 * 30_000:
        got += len(client.recv(MEGABYTE))


def test_memory_is_bounded_if_the_server_does_not_read(sim: Simulator) -> None:
    """The client sends statements after one that never ends."""
    session = sim.connect()
    client = socket_of(session)
    send_statement(client, "BEGIN DBMS_LOCK.SLEEP(600); END;")
    before = memory(sim)
    client.settimeout(1)
    with pytest.raises(TimeoutError):
        client.sendall(bytes(256 * MEGABYTE))
    assert memory(sim) < before + 32 * MEGABYTE
    assert is_usable(sim.connect())


# The end of the proxy


def test_the_proxy_ends_with_the_simulator(start: Start) -> None:
    sim = start("--variant", "behind-plain-proxy")
    idle, busy, silent = sim.connect(), sim.connect(), socket.create_connection(("127.0.0.1", sim.port))
    with silent:
        send_statement(socket_of(busy), "BEGIN DBMS_LOCK.SLEEP(600); END;")
        assert stop_simulator(sim) == ""
        assert is_disconnected(idle)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", sim.port))
