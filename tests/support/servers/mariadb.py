"""A private MariaDB, from Debian's `mariadb-server-core` and `mariadb-client-core` or any other installation of it.

It listens on a free port of 127.0.0.1, for one administrator with a random password. Neither the machine's own
configuration (`--no-defaults`) nor a MariaDB that already runs there has anything to do with it.
"""

import contextlib
import os
import pwd
import secrets
import shutil
import socket
import subprocess
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pymysql

from .base import START_SECONDS, ServerError, fresh_directory, running

HOST = "127.0.0.1"
USER = "admin"
PORT_ATTEMPTS = 3


@dataclass(frozen=True)
class MariaDB:
    """How to reach the running MariaDB.

    Attributes:
        port: where it listens, on 127.0.0.1 alone.
        password: what the administrator `user` logs in with.
        pid: the keeper of the server, and the server's process group; for tests of its end.
        host: the address that it listens on.
        user: the administrator, who may do and grant everything.
    """

    port: int
    password: str = field(repr=False)
    pid: int
    host: str = HOST
    user: str = USER

    def dsn(self) -> str:
        """Address the server as its administrator."""
        return f"mysql://{self.user}:{self.password}@{self.host}:{self.port}/"


@contextlib.contextmanager
def start_mariadb(*options: str) -> Generator[MariaDB]:
    """Run a MariaDB, with these options of its own too, for the length of the block.

    Raises:
        ServerError: MariaDB is not installed, or did not come up.
    """
    server, install = _program("mariadbd"), _program("mariadb-install-db")
    with contextlib.ExitStack() as stack:
        for attempt in range(1, PORT_ATTEMPTS + 1):
            try:
                started = stack.enter_context(_start(server, install, options))
            except ServerError as error:
                # The port was free when it was asked for; another process can have taken it since.
                if "Address already in use" not in str(error) or attempt == PORT_ATTEMPTS:
                    raise
            else:
                break
        yield started


@contextlib.contextmanager
def _start(server: str, install: str, options: Sequence[str]) -> Generator[MariaDB]:
    with fresh_directory() as directory:
        data = directory / "data"
        # The user that it would run as anyway. Root must say so: mariadbd does not run as root by accident.
        owner = f"--user={pwd.getpwuid(os.geteuid()).pw_name}"
        _make_data(install, owner, data)
        password = secrets.token_hex(16)  # hexadecimal: it needs no quoting, neither in SQL nor in a DSN
        first = directory / "first.sql"
        first.touch(0o600)
        first.write_text(
            f"CREATE USER {USER}@'%' IDENTIFIED BY '{password}';\nGRANT ALL ON *.* TO {USER}@'%' WITH GRANT OPTION;\n"
        )
        port = free_port()
        command = [
            server,
            "--no-defaults",
            owner,
            f"--datadir={data}",
            f"--tmpdir={directory}",  # a server that starts deletes the temporary tables of all others in a shared one
            f"--socket={directory / 'sock'}",
            f"--pid-file={directory / 'pid'}",
            f"--init-file={first}",  # runs before the first login
            f"--bind-address={HOST}",
            f"--port={port}",
            "--skip-name-resolve",
            "--skip-log-bin",
            "--innodb-flush-log-at-trx-commit=0",  # nothing here outlives the server
            "--innodb-buffer-pool-size=32M",
            *options,
        ]

        def login() -> None:
            pymysql.connect(
                host=HOST, port=port, user=USER, password=password, connect_timeout=5, ssl_disabled=True
            ).close()

        with running(directory, command, login) as keeper:
            yield MariaDB(port, password, keeper.pid)


def _make_data(install: str, owner: str, data: Path) -> None:
    command = [
        install,
        "--no-defaults",
        owner,
        f"--datadir={data}",
        "--auth-root-authentication-method=socket",
        "--skip-test-db",  # with it would come anonymous users, who shadow `user@'%'`
    ]
    done = subprocess.run(
        command,
        env={**os.environ, "TMPDIR": str(data.parent)},  # for the same reason as the server's
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise ServerError(f"mariadb-install-db failed, exit code {done.returncode}\n{done.stdout.rstrip()}")


def _program(name: str) -> str:
    """Find a program of MariaDB; servers are in `sbin`, which is not on every user's PATH."""
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/usr/local/bin:/usr/libexec")
    if path is None:
        raise ServerError(f"{name} is not installed: apt-get install mariadb-server-core mariadb-client-core")
    return path


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens on at the moment."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        port: int = listener.getsockname()[1]
        return port
