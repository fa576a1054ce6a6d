"""Sessions that are lost for other reasons than the statement under test: restarts, firewalls, timeouts."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

import asyncio
import random
import time
from typing import Any

from runner.simulator import errors
from runner.simulator.catalogue import environment
from runner.simulator.components import Components
from runner.simulator.connection import Connection
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.kill import KillSessionStatement
from runner.simulator.execute.results import Result
from runner.simulator.execute.server_instance import Instance
from runner.simulator.renumbering_proxy import ClientSide, RenumberingProxy, ServerSide
from runner.simulator.sessions import Session
from runner.simulator.sql import statements as sql
from runner.simulator.sql.statements import KillSession
from runner.simulator.timers import BackgroundTask

RESTART_SECONDS = 4.0
OUTAGE_SECONDS = 0.3


@environment
class RestartsEveryFourSeconds(BackgroundTask):
    """The server is restarted every 4 seconds, which takes 0.3 seconds."""

    async def run(self) -> None:
        while True:
            await asyncio.sleep(RESTART_SECONDS)
            self.instance.crash_switch.crash(OUTAGE_SECONDS)


@environment
class CrashesAtTheFirstKill(Engine):
    """The server crashes during the first statement, once, and restarts in 0.3 seconds."""

    crashed = False

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        if isinstance(statement, sql.KillSession | sql.Kill) and not self.crashed:
            self.crashed = True
            self.instance.crash_switch.crash(OUTAGE_SECONDS)
            raise errors.SessionEndedError
        return await super().run(session, statement, depth)


IDLE_SECONDS = 2.0


class _Tracked(ServerSide):
    """Forwards nothing after an idle time; the client's closing is forwarded, so that no session stays for ever."""

    def __init__(self, client: ClientSide, thread_id: int) -> None:
        super().__init__(client, thread_id)
        self._used = time.monotonic()
        self._forgotten = False

    def _is_forgotten(self) -> bool:
        now = time.monotonic()
        self._forgotten |= now - self._used > IDLE_SECONDS
        self._used = now
        return self._forgotten

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._used = time.monotonic()

    def data_received(self, data: bytes) -> None:
        if not self._is_forgotten():
            super().data_received(data)

    def send(self, data: bytes) -> None:
        if not self._is_forgotten():
            super().send(data)

    def eof_received(self) -> bool:
        return self._is_forgotten() or super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._is_forgotten():
            super().connection_lost(exc)


@environment
class IdleConnectionsDropped(RenumberingProxy):
    """A firewall drops all packets of a connection that was idle for 2 seconds."""

    def new_server_side(self, client: ClientSide) -> ServerSide:
        return _Tracked(client, self.new_id())


KILL_SECONDS = 0.3
_CLOSE_SECONDS = 0.5
JUST_BEFORE = 5  # every fifth statement


class _KillsIdleSessions(BackgroundTask):
    def __init__(self, instance: Instance) -> None:
        super().__init__(instance)
        self._random = random.Random(0)  # noqa: S311 - not for cryptography

    async def run(self) -> None:
        while True:
            await asyncio.sleep(KILL_SECONDS)
            idle_since = time.monotonic() - KILL_SECONDS
            idle = [
                session
                for session in self.instance.registry
                if session.statement is None and session.since < idle_since and not session.user.administrator
            ]
            if idle:
                self.instance.ending.kill(self._random.choice(idle))


class _KillsTheNamedFirst(KillSessionStatement):
    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._statements = 0

    async def run(self, session: Session, statement: KillSession) -> Result:
        named = self.registry.find(self.read_id(statement))
        self._statements += 1
        if self._statements % JUST_BEFORE == 0 and named is not None and not named.user.administrator:
            self.ending.kill(named)
        return await super().run(session, statement)


@environment
def another_client_kills(components: Components) -> Components:
    """Every 0.3 s another client kills a session that has been idle for as long, and some just before a statement."""
    return components.with_overrides(_KillsIdleSessions, _KillsTheNamedFirst)


@environment
class ConnectionsAreClosed(BackgroundTask):
    """Every 0.5 s a connection is closed by the network, also the administrator's, or with a statement in flight."""

    async def run(self) -> None:
        chance = random.Random(1)  # noqa: S311 - not for cryptography
        while True:
            await asyncio.sleep(_CLOSE_SECONDS)
            if sessions := list(self.instance.registry):
                chance.choice(sessions).connection.disconnect(None)


@environment
class ClosesSessionsAfterTransactions(Connection):
    """A session is closed when its transaction ends, as a connection pooler does, also the administrator's."""

    async def _run_command(self, session: Session, command: int, body: bytes) -> None:
        was_open = session.transaction.open or session.explicit_transaction
        await super()._run_command(session, command, body)
        if was_open and not (session.ended or session.transaction.open or session.explicit_transaction):
            await self._stream.drain()
            self._instance.ending.kill(session)


_IDLE_SECONDS = 1.0
_CHECK_SECONDS = 0.05


@environment
class EndsIdleTransactions(BackgroundTask):
    """The transaction of a session that has been idle for a second is rolled back; the session stays."""

    async def run(self) -> None:
        while True:
            await asyncio.sleep(_CHECK_SECONDS)
            for session in self.instance.registry:
                if session.statement is None and session.since < time.monotonic() - _IDLE_SECONDS:
                    session.transaction.roll_back()
                    session.savepoints.clear()
                    session.explicit_transaction = False


_INTERRUPT_SECONDS = 0.3


@environment
class InterruptsStatements(BackgroundTask):
    """Every 0.3 s a watchdog interrupts all statements that are running or waiting; their sessions stay."""

    async def run(self) -> None:
        while True:
            await asyncio.sleep(_INTERRUPT_SECONDS)
            for session in list(self.instance.registry):
                session.interrupt(errors.query_killed())
