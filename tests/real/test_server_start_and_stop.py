"""The helpers that start real servers for tests: a server starts, stops, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pymysql
import pytest

from tests.support.paths import ROOT
from tests.support.servers import MariaDB, SeekDB, start_mariadb, start_seekdb
from tests.support.servers.base import ServerError, running

Start = Callable[[], AbstractContextManager[SeekDB | MariaDB]]
STARTS = [pytest.param(start_seekdb, id="seekdb"), pytest.param(start_mariadb, id="mariadb")]
both = pytest.mark.parametrize("start", STARTS)
# The helpers for all servers end them by the same code; seekdb needs three seconds of processor time for each start.
both_in_the_long_tests = pytest.mark.parametrize(
    "start", [pytest.param(start_seekdb, id="seekdb", marks=pytest.mark.long), STARTS[1]]
)
GONE_SECONDS = 20.0


def connect(dsn: str) -> pymysql.Connection:
    """Log in with nothing but the DSN, as the suite does."""
    url = urlsplit(dsn)
    (unix_socket,) = parse_qs(url.query).get("unix_socket", [None])
    return pymysql.connect(
        host=url.hostname,
        port=url.port or 0,
        unix_socket=unix_socket,
        user=url.username,
        password=url.password or "",
        ssl_disabled=True,
        connect_timeout=5,
    )


def scalar(connection: pymysql.Connection, statement: str) -> object:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        (value,) = cursor.fetchone() or ()
    return value


def members(group: int) -> list[int]:
    """List the processes of a process group that are more than zombies."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, pgrp = stat.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(pgrp) == group and state != "Z":
            found.append(int(stat.parent.name))
    return found


def assert_gone(dsn: str, group: int, directory: Path) -> None:
    deadline = time.monotonic() + GONE_SECONDS
    while (members(group) or directory.exists()) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not members(group)
    assert not directory.exists()
    with pytest.raises((pymysql.err.OperationalError, OSError)):
        connect(dsn)


def directory_of(group: int) -> Path:
    """Find a server's directory: the first argument of its keeper."""
    return Path(Path(f"/proc/{group}/cmdline").read_text().split("\0")[2])


@both
def test_a_server_accepts_its_dsn_and_is_gone_after_the_block(start: Start) -> None:
    with start() as server:
        dsn, group, directory = server.dsn(), server.pid, directory_of(server.pid)
        assert directory.is_dir()
        with connect(dsn) as connection:
            assert scalar(connection, "SELECT 1") == 1
    assert_gone(dsn, group, directory)


@both_in_the_long_tests
def test_a_server_is_gone_after_an_error_in_the_block(start: Start) -> None:
    stack = ExitStack()
    server = stack.enter_context(start())
    dsn, group, directory = server.dsn(), server.pid, directory_of(server.pid)
    error = ZeroDivisionError()
    assert not stack.__exit__(type(error), error, None), "the error was swallowed"
    assert_gone(dsn, group, directory)


PARENT = """
import sys
from {package} import {name}
with {name}() as server:
    print(server.dsn(), server.pid, flush=True)
    sys.stdin.read()
"""


@both_in_the_long_tests
@pytest.mark.parametrize("victim", ["parent", "keeper"])
def test_a_server_is_gone_after_sigkill(start: Start, victim: str) -> None:
    package = start.__module__.rpartition(".")[0]
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT.format(package=package, name=start.__name__)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with parent:
        assert parent.stdout is not None
        dsn, pid = parent.stdout.readline().split()
        group = int(pid)
        directory = directory_of(group)
        connect(dsn).close()
        if victim == "parent":
            parent.kill()
        else:
            os.kill(group, signal.SIGKILL)
            deadline = time.monotonic() + GONE_SECONDS
            while members(group) and time.monotonic() < deadline:  # the server, while its starter still lives
                time.sleep(0.02)
            assert not members(group)
            parent.communicate("")
    assert_gone(dsn, group, directory)


def test_mariadb_listens_on_the_loopback_for_its_administrator_alone() -> None:
    with start_mariadb() as server:
        with connect(server.dsn()) as connection:
            assert scalar(connection, "SELECT @@bind_address") == "127.0.0.1"
            assert scalar(connection, "SELECT COUNT(*) FROM mysql.user WHERE user = ''") == 0
        assert server.password not in repr(server)
        with pytest.raises(pymysql.err.OperationalError) as refused:
            connect(server.dsn().replace(server.password, "wrong"))
        assert refused.value.args[0] == 1045


def test_seekdb_has_no_tcp_port_and_a_directory_of_its_own() -> None:
    with start_seekdb() as server:
        assert len(os.fsencode(server.socket_path)) <= 107
        directory = directory_of(server.pid)
        assert directory.stat().st_mode & 0o777 == 0o700
        listening = {line.split()[9] for name in ("tcp", "tcp6") for line in _listening(name)}
        for process in members(server.pid):
            open_files = {os.readlink(link) for link in Path(f"/proc/{process}/fd").iterdir() if link.is_symlink()}  # noqa: PTH115 - no path
            assert not open_files & {f"socket:[{inode}]" for inode in listening}


def _listening(name: str) -> list[str]:
    table = Path("/proc/net", name)
    lines = table.read_text().splitlines()[1:] if table.exists() else []
    return [line for line in lines if line.split()[3] == "0A"]


def test_two_servers_of_a_kind_can_run_at_the_same_time() -> None:
    with start_mariadb() as one, start_mariadb() as other:
        assert one.port != other.port
        for server in (one, other):
            connect(server.dsn()).close()


def test_a_missing_mariadb_is_an_error_with_the_packages_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda *_args, **_kwargs: None)
    with pytest.raises(ServerError, match="apt-get install mariadb-server-core mariadb-client-core"), start_mariadb():
        pass


def test_a_server_that_does_not_start_is_an_error_with_its_log(tmp_path: Path) -> None:
    def login() -> None:
        raise OSError("nobody there")

    command = ["/bin/sh", "-c", "echo the disk is full >&2; exit 3"]
    with pytest.raises(ServerError, match=r"(?s)ended before a login.*the disk is full.*exit code 3"):  # noqa: SIM117
        with running(tmp_path, command, login):
            pass
