"""A private MySQL, as `unpack-mysql` puts it into a folder: its own loader runs it with its own libraries.

It listens on a free port of 127.0.0.1, with the certificate that it makes for itself, for one administrator with a
random password. Nothing of the machine, neither packages nor configuration, has anything to do with it.
"""

import contextlib
import os
import pwd
import secrets
import subprocess
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path

import pymysql

from .base import START_SECONDS, ServerError, fresh_directory, running
from .mariadb import HOST, USER, free_port

UNPACK_SECONDS = 300.0  # 60 MB are fetched once


@dataclass(frozen=True)
class MySQL:
    """How to reach the running MySQL.

    Attributes:
        port: where it listens, on 127.0.0.1 alone.
        password: what the administrator `user` logs in with.
        pid: the keeper of the server, and the server's process group.
    """

    port: int
    password: str = field(repr=False)
    pid: int
    host: str = HOST
    user: str = USER

    def dsn(self) -> str:
        """Address the server as its administrator: over TLS, as MySQL's passwords need it."""
        return f"mysql://{self.user}:{self.password}@{self.host}:{self.port}/?ssl_verify=none"


def unpack_mysql() -> Path:
    """The folder with MySQL in it.

    Raises:
        ServerError: it can't be had on this machine; the message says why.
    """
    script = Path(__file__).with_name("unpack-mysql")
    try:
        done = subprocess.run([script], capture_output=True, text=True, timeout=UNPACK_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise ServerError(f"MySQL was not unpacked within {UNPACK_SECONDS:g} s") from error
    if done.returncode != 0:
        raise ServerError(done.stderr.strip().splitlines()[-1])
    return Path(done.stdout.strip().splitlines()[-1])


@contextlib.contextmanager
def start_mysql(folder: Path) -> Generator[MySQL]:
    """Run the MySQL in a folder for the length of the block.

    Raises:
        ServerError: it did not come up.
    """
    with fresh_directory() as directory:
        data = directory / "data"
        command = [
            *_program(folder, "usr/sbin/mysqld"),
            "--no-defaults",
            f"--user={pwd.getpwuid(os.geteuid()).pw_name}",
        ]
        command += [f"--basedir={folder / 'usr'}", f"--lc-messages-dir={folder / 'usr/share/mysql'}"]
        command += [f"--datadir={data}", f"--tmpdir={directory}", "--secure-file-priv="]
        _make_data(command)
        password = secrets.token_hex(16)  # hexadecimal: it needs no quoting, neither in SQL nor in a DSN
        first = directory / "first.sql"
        first.touch(0o600)
        first.write_text(
            f"CREATE USER {USER}@'%' IDENTIFIED BY '{password}';\nGRANT ALL ON *.* TO {USER}@'%' WITH GRANT OPTION;\n"
        )
        port = free_port()
        command += [
            f"--socket={directory / 'sock'}",
            f"--pid-file={directory / 'pid'}",
            f"--init-file={first}",  # runs before the first login
            f"--bind-address={HOST}",
            f"--port={port}",
            "--mysqlx=OFF",
            "--skip-name-resolve",
            "--skip-log-bin",
            "--innodb-flush-log-at-trx-commit=0",  # nothing here outlives the server
            "--innodb-buffer-pool-size=32M",
        ]

        def login() -> None:
            pymysql.connect(
                host=HOST,
                port=port,
                user=USER,
                password=password,
                connect_timeout=5,
                ssl_verify_cert=False,
                ssl_verify_identity=False,
                ssl={"check_hostname": False},
            ).close()

        with running(directory, command, login) as keeper:
            yield MySQL(port, password, keeper.pid)


def mysql_command(folder: Path) -> list[str]:
    """The command of the client for the command line in a folder."""
    return [*_program(folder, "usr/bin/mysql"), "--no-defaults", f"--plugin-dir={folder / 'usr/lib/mysql/plugin'}"]


def _program(folder: Path, name: str) -> list[str]:
    """A program's command: by the loader that came with it, as its C library may be newer than the machine's."""
    loaders = sorted(folder.glob("usr/lib*/ld-linux*.so.*")) + sorted(folder.glob("usr/lib/*/ld-linux*.so.*"))
    libraries = [folder / "usr/lib/mysql/private", *sorted(folder.glob("usr/lib/*-linux-gnu"))]
    program = str(folder / name)
    if not loaders:
        return [program]  # an installation of the machine's own kind
    return [str(loaders[-1].resolve()), "--library-path", ":".join(map(str, libraries)), program]


def _make_data(command: list[str]) -> None:
    done = subprocess.run(
        [*command, "--initialize-insecure"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=START_SECONDS * 2,
        check=False,
    )
    if done.returncode != 0:
        raise ServerError(f"mysqld --initialize failed, exit code {done.returncode}\n{done.stdout.rstrip()}")
