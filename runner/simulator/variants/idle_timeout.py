"""A server that closes idle sessions."""

from __future__ import annotations

import asyncio
from typing import Any

from runner.simulator.catalogue import variant
from runner.simulator.connection import Connection
from runner.simulator.sessions import Session

IDLE_SECONDS = 2.0


@variant
class ClosesIdleSessions(Connection):
    """Every session is closed after 2 seconds without a statement."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._idle: asyncio.TimerHandle | None = None

    async def _run_commands(self, session: Session) -> None:
        self._wait_for_statement()
        try:
            await super()._run_commands(session)
        finally:
            self._stop_waiting()

    async def _run_command(self, session: Session, command: int, body: bytes) -> None:
        self._stop_waiting()
        await super()._run_command(session, command, body)
        self._wait_for_statement()

    def _wait_for_statement(self) -> None:
        self._idle = asyncio.get_running_loop().call_later(IDLE_SECONDS, self.disconnect, None)

    def _stop_waiting(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
