"""The server as a program, and its behaviour with hostile clients."""

from __future__ import annotations

import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable

import pymysql
import pytest

from tests.support.eventually import PATIENCE, eventually
from tests.support.paths import ROOT
from tests.support.simulator_clients import (
    Simulator,
    is_disconnected,
    is_usable,
    run,
    session_id,
    socket_of,
    stop_simulator,
)
from tests.support.suite_run import run_command

Start = Callable[..., Simulator]


def client_without_login(sim: Simulator) -> socket.socket:
    """A client that has read the greeting and has not logged in."""
    client = socket.create_connection(("127.0.0.1", sim.port), timeout=PATIENCE)
    sim.stack.enter_context(client)
    assert client.recv(4096)[4] == 10
    return client


def packet(payload: bytes, sequence: int = 1) -> bytes:
    return struct.pack("<I", len(payload) | sequence << 24) + payload


def received_until_close(client: socket.socket) -> bytes:
    """The data that is received until the server closes the connection."""
    got = b""
    try:
        while data := client.recv(4096):
            got += data
    except ConnectionResetError:
        pass
    return got


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 100,
        packet(b""),
        packet(b"\x00"),
        packet(b"\xff" * 3),
        packet(b"\xff" * 40),
        packet(b"\xff" * 300),
        packet(bytes(32)),
        packet(struct.pack("<IIB23s", 1 << 9 | 1 << 15, 0, 45, b"") + b"SYS\x00\xff"),
        packet(struct.pack("<IIB23s", 1 << 9 | 1 << 21, 0, 45, b"") + b"SYS\x00\xfe\xff\xff"),
        b"\xff\xff\xff\x01" + b"x" * 1000,
        b"\x00\x00\x02\x01" + b"x" * 1000,
    ],
)
def test_malformed_data_before_login_closes_the_connection(sim: Simulator, data: bytes) -> None:
    client = client_without_login(sim)
    client.sendall(data)
    assert received_until_close(client)[4:5] in (b"\xff", b"")
    assert is_usable(sim.connect())


def test_no_command_is_executed_before_login(sim: Simulator) -> None:
    client = client_without_login(sim)
    client.sendall(packet(b"\x03SELECT 1 FROM DUAL", 0))
    answer = received_until_close(client)
    assert answer[4:7] == b"\xff" + struct.pack("<H", 1043)


def test_no_command_is_executed_after_a_failed_login(sim: Simulator) -> None:
    client = client_without_login(sim)
    login = struct.pack("<IIB23s", 1 << 9 | 1 << 15 | 1 << 27, 0, 45, b"") + b"SYS\x00\x14" + b"x" * 20
    client.sendall(packet(login) + packet(b"\x03SELECT 1 FROM DUAL", 0))
    answer = received_until_close(client)
    assert answer[4:7] == b"\xff" + struct.pack("<H", 1045)
    assert len(answer) == int.from_bytes(answer[:3], "little") + 4


@pytest.mark.parametrize("data", [b"", b"\x20", b"\x20\x00\x00\x01abc"])
def test_a_client_that_does_not_log_in_is_disconnected(start: Start, data: bytes) -> None:
    sim = start("--login-limit", "0.2")
    patient = sim.connect()
    client = client_without_login(sim)
    client.sendall(data)
    assert received_until_close(client) == b""
    assert is_usable(patient)


def test_a_packet_beyond_the_limit_is_refused(sim: Simulator) -> None:
    session = sim.connect()
    client = socket_of(session)
    client.sendall(b"\xff\xff\xff\x00" + b"\x03" + b" " * 0xFFFFFE + b"\xff\xff\xff\x01")
    answer = client.recv(4096)
    assert answer[4:7] == b"\xff" + struct.pack("<H", 1153)
    assert eventually(lambda: session_id(session) not in sim.ids())


@pytest.mark.parametrize("data", [packet(b"\x7f", 0), packet(b"", 0), packet(b"\x17\x01", 0)])
def test_an_unknown_command_is_an_error_and_the_session_stays_usable(sim: Simulator, data: bytes) -> None:
    session = sim.connect()
    client = socket_of(session)
    client.sendall(data)
    assert client.recv(4096)[4] == 0xFF
    session.ping(reconnect=False)
    assert is_usable(session)


def test_a_packet_in_pieces_and_two_packets_at_once_are_read(sim: Simulator) -> None:
    client = socket_of(sim.connect())
    for byte in packet(b"\x0e", 0):
        client.sendall(bytes((byte,)))
    assert client.recv(4096)[4] == 0
    client.sendall(packet(b"\x0e", 0) * 2)
    got = b""
    while len(got) < 22:
        got += client.recv(4096)
    assert [got[4], got[15]] == [0, 0]


def test_invalid_utf8_is_returned_unchanged(sim: Simulator) -> None:
    client = socket_of(sim.connect())
    client.sendall(packet(b"\x03SELEKT \xff\xfe\x80", 0))
    assert b"near 'SELEKT \xff\xfe\x80'" in client.recv(4096)


def test_a_very_long_statement_is_refused_quickly(sim: Simulator) -> None:
    session = sim.connect()
    began = time.monotonic()
    with pytest.raises(pymysql.err.Error):
        run(session, "SELECT " + "1," * 4_000_000 + "1 FROM DUAL")
    assert time.monotonic() - began < PATIENCE / 2
    assert is_usable(session)


def test_a_client_that_does_not_read_affects_no_other_session_and_can_be_killed(sim: Simulator) -> None:
    admin, greedy = sim.connect(), sim.connect()
    name = f"BIG{session_id(greedy)}"
    run(admin, f"CREATE TABLE {name} (v VARCHAR2(32767))")
    for _ in range(100):
        run(admin, f"INSERT INTO {name} VALUES ('{'x' * 30_000}')")  # noqa: S608 - the test's own
    client = socket_of(greedy)
    for _ in range(20):
        client.sendall(packet(f"\x03SELECT * FROM {name}".encode(), 0))
    assert is_usable(admin)
    run(admin, f"ALTER SYSTEM KILL SESSION '{session_id(greedy)}'")
    assert session_id(greedy) not in sim.ids()
    received_until_close(client)
    assert is_usable(admin)


def test_more_clients_than_the_backlog_are_served(sim: Simulator) -> None:
    waiting = [socket.create_connection(("127.0.0.1", sim.port), timeout=PATIENCE) for _ in range(500)]
    for client in waiting:
        sim.stack.enter_context(client)
    assert all(client.recv(1) for client in waiting)


@pytest.mark.parametrize("number_of_signal", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_closes_all_connections_and_exits_with_0(start: Start, number_of_signal: int) -> None:
    sim = start()
    idle, busy = sim.connect(), sim.connect()
    socket_of(busy).sendall(packet(b"\x03BEGIN DBMS_LOCK.SLEEP(600); END;", 0))
    client_without_login(sim)
    began = time.monotonic()
    sim.process.send_signal(number_of_signal)
    assert stop_simulator(sim) == ""
    assert time.monotonic() - began < PATIENCE / 2
    assert is_disconnected(idle)


def test_the_server_stops_at_the_end_of_its_standard_input(start: Start) -> None:
    sim = start()
    session = sim.connect()
    assert stop_simulator(sim) == ""
    assert is_disconnected(session)


def test_without_the_option_the_server_runs_after_the_end_of_its_standard_input() -> None:
    command = [sys.executable, "-m", "runner.simulator", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.close()
            port = int(process.stdout.readline().rpartition(":")[2].strip("/\n"))
            with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as client:
                assert client.recv(4096)[4] == 10
        finally:
            process.terminate()
        assert process.wait(PATIENCE) == 0


@pytest.mark.parametrize(
    "options", [["--port", "x"], ["--port", "65536"], ["--port", "0", "--what"], ["--port", "0", "--lock-wait=-1"]]
)
def test_an_invalid_option_gives_a_message_of_one_sentence_and_exit_code_4(options: list[str]) -> None:
    done = run_command("simulate", *options)
    assert (done.code, done.out) == (4, "")
    assert len(done.err.splitlines()) == 1


def test_a_port_in_use_gives_a_message_of_one_sentence_and_exit_code_4(sim: Simulator) -> None:
    done = run_command("simulate", "--port", str(sim.port))
    assert (done.code, done.out) == (4, "")
    assert str(sim.port) in done.err
    assert len(done.err.splitlines()) == 1
