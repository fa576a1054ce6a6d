"""The server behind a plain proxy: what passes, what the proxy has of its own, and how connections end."""

from __future__ import annotations

import select
import signal
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pymysql
import pytest
from waiting import eventually

from runner.simulator.parts import Parts
from runner.simulator.settings import Settings
from runner.simulator.variants import VARIANTS

from .clients import (
    PATIENCE,
    Simulator,
    code,
    cut_off,
    is_lost,
    number,
    run,
    socket_of,
    started,
    stopped,
    works,
)
from .threads import served

if TYPE_CHECKING:
    from .clients import Connection

Start = Callable[..., Simulator]

MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module")
def server() -> Iterator[Simulator]:
    simulator = started("--variant", "behind-plain-proxy")
    yield simulator
    assert stopped(simulator) == ""


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


def newcomer(sim: Simulator) -> tuple[str, Connection, int]:
    """A new user, its only session, and the id of that in the list."""
    user = sim.new_user()
    session = sim.connect_as(user)
    (listed,) = rows(sim, user)
    return user, session, listed


def end(sim: Simulator, listed: int) -> None:
    run(sim.connect(), f"ALTER SYSTEM KILL SESSION '{listed}'")


def say(client: socket.socket, statement: str) -> None:
    payload = b"\x03" + statement.encode()
    client.sendall(struct.pack("<I", len(payload)) + payload)


def heard(client: socket.socket) -> bytes:
    """All that comes until the connection is closed."""
    client.settimeout(PATIENCE)
    got = b""
    while data := client.recv(65536):
        got += data
    return got


def error_code(packet: bytes) -> int:
    assert packet[4] == 0xFF
    return int.from_bytes(packet[5:7], "little")


def memory(sim: Simulator) -> int:
    """The bytes of memory that the simulator holds."""
    (line,) = [
        line for line in Path(f"/proc/{sim.process.pid}/status").read_text().splitlines() if line.startswith("VmRSS")
    ]
    return int(line.split()[1]) * 1024


# What the proxy has of its own


def test_the_thread_id_is_no_session_id_and_the_statement_takes_the_lists(sim: Simulator) -> None:
    _, session, listed = newcomer(sim)
    assert number(session) != listed
    assert code(sim.connect(), f"ALTER SYSTEM KILL SESSION '{number(session)}'") == 600
    assert works(session)
    end(sim, listed)
    assert is_lost(session)


def test_each_client_has_a_thread_id_of_its_own(sim: Simulator) -> None:
    assert len({number(sim.connect()) for _ in range(20)}) == 20


def test_host_is_the_proxys_end(sim: Simulator) -> None:
    user, session, listed = newcomer(sim)
    host, _ = rows(sim, user)[listed]
    assert host.startswith("127.0.0.1:")
    assert host != "{}:{}".format(*socket_of(session).getsockname())


def test_a_refused_login_is_passed_on_and_closed(sim: Simulator) -> None:
    for user, password, expected in (("SYS", "wrong", 1045), ("NOBODY", "x", 1045)):
        with pytest.raises(pymysql.err.OperationalError) as caught:
            sim.connect(user, password)
        assert caught.value.args[0] == expected
    with pytest.raises(pymysql.err.NotSupportedError):
        sim.connect(client_flag=0)


def test_a_client_may_speak_before_it_is_greeted(sim: Simulator) -> None:
    sim.process.send_signal(signal.SIGSTOP)  # all has come when it goes on
    with socket.create_connection(("127.0.0.1", sim.port)) as client:
        say(client, "SELECT 1 FROM DUAL")
        sim.process.send_signal(signal.SIGCONT)
        greeting, _, answer = heard(client).partition(b"mysql_native_password\x00")
    assert greeting[4] == 10
    assert error_code(answer) == 1043


def test_a_server_that_is_full_refuses_through_the_proxy() -> None:
    parts = VARIANTS["behind-plain-proxy"].parts(Parts())
    with served(parts, Settings(session_limit=1)) as server:
        session = server.connect()
        with pytest.raises(pymysql.err.OperationalError) as caught:
            server.connect()
        assert caught.value.args[0] == 1040
        assert works(session)
        cut_off(session)


def test_a_client_that_says_nothing_is_cut_off(start: Start) -> None:
    sim = start("--variant", "behind-plain-proxy", "--login-limit", "0.2")
    client = socket.create_connection(("127.0.0.1", sim.port))
    with client:
        greeting = heard(client)
    assert greeting[4] == 10
    assert len(greeting) == int.from_bytes(greeting[:3], "little") + 4


# How sessions end


def test_who_ends_itself_hears_ok_and_is_dropped(sim: Simulator) -> None:
    user, session, listed = newcomer(sim)
    run(sim.connect(), f"GRANT ALTER SYSTEM TO {user}")
    client = socket_of(session)
    say(client, f"ALTER SYSTEM KILL SESSION '{listed}'")
    assert heard(client)[4:] == b"\x00\x00\x00\x02\x00\x00\x00"


def test_an_idle_client_whose_session_is_ended_is_dropped_without_a_word(sim: Simulator) -> None:
    user, session, listed = newcomer(sim)
    end(sim, listed)
    assert heard(socket_of(session)) == b""
    assert rows(sim, user) == {}


def test_a_waiting_client_hears_the_servers_last_word_and_is_dropped(sim: Simulator) -> None:
    user, session, listed = newcomer(sim)
    client = socket_of(session)
    say(client, "BEGIN DBMS_LOCK.SLEEP(600); END;")
    assert eventually(lambda: rows(sim, user)[listed][1] == "Query")
    end(sim, listed)
    assert error_code(heard(client)) == 1092


def test_a_reset_by_the_server_is_a_reset_for_the_client(start: Start) -> None:
    sim = start("--variant", "behind-plain-proxy", "--variant", "reset-instead-of-close")
    _, session, listed = newcomer(sim)
    end(sim, listed)
    with pytest.raises(ConnectionResetError):
        heard(socket_of(session))


def test_a_server_that_sends_no_more_but_goes_on_is_not_hung_up_on(start: Start) -> None:
    sim = start("--variant", "behind-plain-proxy", "--defect", "closes-the-sending-half-only")
    user, session, listed = newcomer(sim)
    end(sim, listed)
    assert heard(socket_of(session)) == b""
    say(socket_of(session), "BEGIN DBMS_LOCK.SLEEP(600); END;")
    assert eventually(lambda: rows(sim, user)[listed][1] == "Query")
    cut_off(session)
    assert eventually(lambda: rows(sim, user) == {})


def test_one_that_waits_for_the_next_request_answers_it_with_4401(start: Start) -> None:
    sim = start("--variant", "behind-plain-proxy-until-next-request")
    user, session, listed = newcomer(sim)
    assert works(session)
    end(sim, listed)
    assert rows(sim, user) == {}
    assert select.select([socket_of(session)], [], [], 0.2) == ([], [], [])
    assert code(session, "SELECT 1 FROM DUAL") == 4401
    assert is_lost(session)
    user, session, listed = newcomer(sim)
    end(sim, listed)
    session.close()
    assert works(sim.connect())


# How clients leave


def test_a_client_that_sends_no_more_is_gone(sim: Simulator) -> None:
    user, session, _ = newcomer(sim)
    socket_of(session).shutdown(socket.SHUT_WR)
    assert heard(socket_of(session)) == b""
    assert eventually(lambda: rows(sim, user) == {})


@pytest.mark.parametrize("busy", [False, True])
def test_a_client_that_resets_its_connection_is_gone(sim: Simulator, busy: bool) -> None:
    user, session, listed = newcomer(sim)
    client = socket_of(session)
    if busy:
        say(client, "BEGIN DBMS_LOCK.SLEEP(600); END;")
        assert eventually(lambda: rows(sim, user)[listed][1] == "Query")
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    cut_off(session)
    assert eventually(lambda: rows(sim, user) == {})


def test_clients_that_leave_at_once_leave_nothing_behind(sim: Simulator) -> None:
    handles = Path(f"/proc/{sim.process.pid}/fd")
    assert works(sim.connect())
    before = len(list(handles.iterdir()))
    for at in range(200):
        client = socket.create_connection(("127.0.0.1", sim.port))
        if at % 2:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
    assert eventually(lambda: len(list(handles.iterdir())) <= before)
    assert works(sim.connect())


# What passes


@pytest.fixture(scope="module")
def table(server: Simulator) -> str:
    """A table that takes 3 MB on the wire."""
    with ExitStack() as server.stack:
        admin = server.connect()
        run(admin, "CREATE TABLE BIG (V VARCHAR2(32767))")
        for _ in range(100):
            run(admin, f"INSERT INTO BIG VALUES ('{'x' * 30_000}')")  # noqa: S608 - the test's own
    return "BIG"


def test_long_statements_and_long_answers_pass(sim: Simulator, table: str) -> None:
    session = sim.connect()
    assert run(session, f"SELECT 7 FROM DUAL /* {'x' * 5 * MEGABYTE} */") == [(7,)]  # noqa: S608 - likewise
    assert run(session, f"SELECT V FROM {table}") == [("x" * 30_000,)] * 100  # noqa: S608 - likewise
    assert works(session)


def test_a_packet_beyond_the_servers_limit_is_refused_by_the_server(sim: Simulator) -> None:
    client = socket_of(sim.connect())
    client.sendall(b"\xff\xff\xff\x00" + b"\x03" + b" " * 0xFFFFFE + b"\xff\xff\xff\x01")
    assert error_code(client.recv(4096)) == 1153


def test_a_packet_in_pieces_passes(sim: Simulator) -> None:
    client = socket_of(sim.connect())
    for byte in b"\x01\x00\x00\x00\x0e":
        client.sendall(bytes((byte,)))
    assert client.recv(4096)[4] == 0


def test_for_one_that_reads_nothing_nothing_is_hoarded(sim: Simulator, table: str) -> None:
    """The client asks for 180 MB and reads them only after a while."""
    client, before = socket_of(sim.connect()), memory(sim)
    for _ in range(60):
        say(client, f"SELECT V FROM {table}")  # noqa: S608 - the test's own
    time.sleep(1)
    assert memory(sim) < before + 32 * MEGABYTE
    assert works(sim.connect())
    client.settimeout(PATIENCE)
    got = 0
    while got < 60 * 100 * 30_000:
        got += len(client.recv(MEGABYTE))


def test_for_a_server_that_reads_nothing_nothing_is_hoarded(sim: Simulator) -> None:
    """The client sends statements behind one that takes for ever."""
    session = sim.connect()
    client = socket_of(session)
    say(client, "BEGIN DBMS_LOCK.SLEEP(600); END;")
    before = memory(sim)
    client.settimeout(1)
    with pytest.raises(TimeoutError):
        client.sendall(bytes(256 * MEGABYTE))
    assert memory(sim) < before + 32 * MEGABYTE
    assert works(sim.connect())


# The end of all


def test_it_ends_with_the_simulator(start: Start) -> None:
    sim = start("--variant", "behind-plain-proxy")
    idle, busy, silent = sim.connect(), sim.connect(), socket.create_connection(("127.0.0.1", sim.port))
    with silent:
        say(socket_of(busy), "BEGIN DBMS_LOCK.SLEEP(600); END;")
        assert stopped(sim) == ""
        assert is_lost(idle)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", sim.port))
