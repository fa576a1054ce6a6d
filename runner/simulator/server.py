"""The server: accepts clients, and closes all connections when it stops or crashes."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from runner.simulator import errors
from runner.simulator.components import Components
from runner.simulator.listener import BACKLOG, bound_socket, port_of
from runner.simulator.packet_stream import PacketStream
from runner.simulator.settings import Settings
from runner.simulator.timers import call_later

log = logging.getLogger("simulator")


class Server:
    """One listening server."""

    def __init__(self, settings: Settings, components: Components) -> None:
        self.listener = components.listener(settings.host, settings.port)
        self.port = self.listener.port
        self._settings = replace(settings, port=port_of(self.listener.socket))
        self._instance = components.assemble(self._settings)
        self._components = components
        self._router = components.router(self._instance, components.engine(self._instance), components.connection)
        self._clients: dict[asyncio.Task[None], PacketStream] = {}
        self._accepting: asyncio.Server | None = None
        self._instance.crash_switch.on_crash = self._crash

    @property
    def foreign_killed(self) -> int:
        """The number of killed sessions that an environment opened, not a client."""
        return self._router.foreign_killed

    async def serve(self, until: asyncio.Event, ready: Callable[[], None]) -> None:
        """Serves clients until the event is set; calls ``ready`` when clients can connect."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_log_in_one_line)
        await self._accept()
        background_task = loop.create_task(self._components.background_task(self._instance).run())
        await self.listener.open()
        ready()
        await until.wait()
        background_task.cancel()
        self.listener.close()
        if self._accepting is None:
            self.listener.socket.close()
        else:
            self._accepting.close()  # not wait_closed: since Python 3.12 it waits for clients, closed below
        for task, stream in tuple(self._clients.items()):
            stream.abort()
            task.cancel()

    async def _accept(self) -> None:
        create = asyncio.get_running_loop().create_server
        self._accepting = await create(self._new_stream, sock=self.listener.socket, backlog=BACKLOG)

    def _crash(self, seconds: float) -> None:
        if self._accepting is None:
            return  # it has crashed already
        self._accepting.close()
        self._accepting = None
        self.listener.socket = bound_socket(self._settings.host, self._settings.port)
        for session in self._instance.registry:
            self._instance.ending.client_disconnected(session)
        for stream in tuple(self._clients.values()):
            stream.abort()
        call_later(seconds, lambda: asyncio.ensure_future(self._accept()))

    def _new_stream(self) -> PacketStream:
        return PacketStream(self._serve_client, self._settings.login_packet_limit)

    def _serve_client(self, stream: PacketStream) -> None:
        connection = self._router.connect(stream)
        if len(self._clients) >= self._settings.session_limit:
            connection.reject(errors.too_many_connections())
            return
        stream.set_login_timeout(self._settings.login_seconds)
        task = asyncio.get_running_loop().create_task(connection.serve())
        self._clients[task] = stream
        task.add_done_callback(self._clients.__delitem__)


def _log_in_one_line(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    log.error("%s: %s", context.get("message"), context.get("exception"))


def raise_file_limit() -> None:
    """Raises the limit of open files to the system's maximum, so that many clients can connect."""
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 - not on every platform

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
