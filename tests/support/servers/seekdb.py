"""A private seekdb: OceanBase's own kernel in MySQL mode, from the `pylibseekdb` package.

It has no TCP port, just a Unix socket in a directory that other users cannot enter: its root has no password. Each
one is made in a fresh directory, because seekdb does not start again in one that it has just used.
"""

import contextlib
import importlib.util
import shutil
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pymysql

from .base import ServerError, fresh_directory, running


@dataclass(frozen=True)
class SeekDB:
    """How to reach the running seekdb.

    Attributes:
        socket_path: its Unix socket.
        pid: the keeper of the server, and the server's process group; for tests of its end.
    """

    socket_path: str
    pid: int

    def dsn(self) -> str:
        """Address the server as its administrator."""
        return f"oceanbase://root@localhost/?unix_socket={quote(self.socket_path, safe='')}"


@contextlib.contextmanager
def start_seekdb() -> Generator[SeekDB]:
    """Run a seekdb for the length of the block.

    Raises:
        ServerError: `pylibseekdb` is not installed, or the server did not come up.
    """
    if importlib.util.find_spec("pylibseekdb") is None:
        raise ServerError("seekdb is not installed: pip install 'pylibseekdb==1.4.0.post1'")
    with fresh_directory() as directory:
        # Not the path that `connection_options()` names: that one leads here through a link outside the directory.
        socket_path = str(directory / "db" / "run" / "sql.sock")

        def login() -> None:
            pymysql.connect(unix_socket=socket_path, user="root", connect_timeout=5, ssl_disabled=True).close()

        log = directory / "db" / "log" / "seekdb.log"
        try:
            with running(directory, ["seekdb"], login, [log]) as keeper:
                yield SeekDB(socket_path, keeper.pid)
        finally:
            _remove_links(directory)


def _remove_links(directory: Path) -> None:
    """Remove the library's own short way into `directory`, which stays behind where the keeper was killed."""
    for folder in Path("/tmp").glob("pylibseekdb-uds-*"):  # noqa: S108 - the library's choice
        with contextlib.suppress(OSError):
            if (folder / "run").readlink().is_relative_to(directory):
                shutil.rmtree(folder, ignore_errors=True)
