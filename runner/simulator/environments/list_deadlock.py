"""A process list that hangs from some moment on, while the server replies to everything else."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

from runner.simulator.catalogue import environment
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.results import Result
from runner.simulator.sessions import LONGEST_PAUSE, Session
from runner.simulator.sql import statements as sql

_LISTS = 300


@environment
class ListDeadlock(Engine):
    """After 300 replies, SHOW PROCESSLIST gets none any more, as if a killed session kept its lock."""

    _lists = 0

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        if isinstance(statement, sql.ShowProcessList):
            self._lists += 1
            if self._lists > _LISTS:
                await session.wait(LONGEST_PAUSE)
        return await super().run(session, statement, depth)
