"""Simulators in a thread of the test process, which start much faster than processes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pymysql

from runner.simulator.components import Components
from runner.simulator.server import Server
from runner.simulator.settings import Settings
from tests.support.eventually import PATIENCE
from tests.support.simulator_clients import ORACLE_MODE, Connection, run


class ThreadedServer:
    """A simulator in a thread; use ``threaded_server``."""

    def __init__(self, components: Components, settings: Settings) -> None:
        self.password = settings.admin_password
        self._server = Server(settings, components)
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def _serve(self) -> None:
        async def serve() -> None:
            await self._server.serve(self._stop, self._ready.set)

        self._loop.run_until_complete(serve())
        while left := asyncio.all_tasks(self._loop):
            self._loop.run_until_complete(asyncio.wait(left))
        self._loop.close()

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(PATIENCE)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    @property
    def port(self) -> int:
        """The port that clients connect to."""
        return self._server.port

    def connect(self, user: str = "SYS", password: str | None = None) -> Connection:
        return pymysql.connect(
            host="127.0.0.1",
            port=self.port,
            user=f"{user}@oracle",
            password=password or self.password,
            client_flag=ORACLE_MODE,
            ssl_disabled=True,
            autocommit=True,
            read_timeout=PATIENCE,
        )

    def new_user(self, name: str) -> str:
        """Creates a user with ALTER SYSTEM; its password is its name in lower case."""
        admin = self.connect()
        run(admin, f"CREATE USER {name} IDENTIFIED BY {name.lower()}")
        run(admin, f"GRANT CREATE SESSION, ALTER SYSTEM TO {name}")
        admin.close()
        return name


@contextmanager
def threaded_server(components: Components, settings: Settings | None = None) -> Iterator[ThreadedServer]:
    server = ThreadedServer(components, settings or Settings())
    server.start()
    try:
        yield server
    finally:
        server.stop()
