"""The server: accepts clients, and closes every connection when it stops."""

from __future__ import annotations

import asyncio
import logging
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from runner.simulator import errors
from runner.simulator.channel import Channel
from runner.simulator.deferring import later
from runner.simulator.entrance import BACKLOG, port_of, reserve

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from runner.simulator.parts import Parts
    from runner.simulator.settings import Settings

log = logging.getLogger("simulator")


class Server:
    """One listening server."""

    def __init__(self, settings: Settings, parts: Parts) -> None:
        self.entrance = parts.entrance(settings.host, settings.port)
        self.port = self.entrance.port
        self._settings = replace(settings, port=port_of(self.entrance.listener))
        self._instance = parts.assemble(self._settings)
        self._parts = parts
        self._front_end = parts.front_end(self._instance, parts.engine(self._instance), parts.connection)
        self._clients: dict[asyncio.Task[None], Channel] = {}
        self._accepting: asyncio.Server | None = None
        self._instance.process.on_crash = self._crash

    @property
    def foreign_killed(self) -> int:
        """How many sessions were killed that an environment keeps, and that no client opened."""
        return self._front_end.foreign_killed

    async def serve(self, until: asyncio.Event, ready: Callable[[], None]) -> None:
        """Serves clients until the event is set; `ready` is called once they can connect."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_log_in_one_line)
        await self._accept()
        surroundings = loop.create_task(self._parts.surroundings(self._instance).live())
        await self.entrance.open()
        ready()
        await until.wait()
        surroundings.cancel()
        self.entrance.close()
        if self._accepting is None:
            self.entrance.listener.close()
        else:
            self._accepting.close()  # not wait_closed: from 3.12 on it waits for the clients, which are closed only now
        for task, channel in tuple(self._clients.items()):
            channel.abort()
            task.cancel()

    async def _accept(self) -> None:
        create = asyncio.get_running_loop().create_server
        self._accepting = await create(self._new_channel, sock=self.entrance.listener, backlog=BACKLOG)

    def _crash(self, seconds: float) -> None:
        if self._accepting is None:
            return  # it is down already
        self._accepting.close()
        self._accepting = None
        self.entrance.listener = reserve(self._settings.host, self._settings.port)
        for session in self._instance.registry:
            self._instance.ending.leave(session)
        for channel in tuple(self._clients.values()):
            channel.abort()
        later(seconds, lambda: asyncio.ensure_future(self._accept()))

    def _new_channel(self) -> Channel:
        return Channel(self._welcome, self._settings.login_packet_limit)

    def _welcome(self, channel: Channel) -> None:
        connection = self._front_end.connect(channel)
        if len(self._clients) >= self._settings.session_limit:
            connection.turn_away(errors.too_many_connections())
            return
        channel.expect_login_within(self._settings.login_seconds)
        task = asyncio.get_running_loop().create_task(connection.serve())
        self._clients[task] = channel
        task.add_done_callback(self._clients.__delitem__)


def _log_in_one_line(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    log.error("%s: %s", context.get("message"), context.get("exception"))


def raise_file_limit() -> None:
    """Lets the server have as many clients as the system allows, where the system has such a limit."""
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 - not on every platform

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
