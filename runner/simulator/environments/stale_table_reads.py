"""Environment: SELECT reads tables from a replica, which receives commits later."""

from __future__ import annotations

import asyncio
import time
from collections import deque

from runner.simulator.catalogue import environment
from runner.simulator.components import Components
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.results import Result
from runner.simulator.sessions import Session
from runner.simulator.sql import statements as sql
from runner.simulator.tables import Row, Tables, Values
from runner.simulator.timers import BackgroundTask

LAG_SECONDS = 0.3
SNAPSHOT_SECONDS = 0.02

_Snapshot = dict[Row, Values | None]


class _WithReplica(Tables):
    """The tables, with the committed rows of the last moments."""

    def __init__(self) -> None:
        super().__init__()
        self.snapshots: deque[tuple[float, _Snapshot]] = deque([(0.0, {})])

    def take_snapshot(self) -> None:
        rows = (row for name in self.names() for row in self.find(name).rows)
        self.snapshots.append((time.monotonic(), {row: row.committed for row in rows}))
        while len(self.snapshots) > 1 and self.snapshots[1][0] < time.monotonic() - LAG_SECONDS:
            self.snapshots.popleft()


class _Replication(BackgroundTask):
    async def run(self) -> None:
        assert isinstance(self.instance.tables, _WithReplica)  # noqa: S101 - one environment changes both
        while True:
            self.instance.tables.take_snapshot()
            await asyncio.sleep(SNAPSHOT_SECONDS)


class _ReadsReplica(Engine):
    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        tables = self.instance.tables
        if not isinstance(statement, sql.Select) or statement.lock or not isinstance(tables, _WithReplica):
            return await super().run(session, statement, depth)
        _, snapshot = tables.snapshots[0]
        now = {row: row.committed for name in tables.names() for row in tables.find(name).rows}
        for row in now:
            row.committed = snapshot.get(row)
        try:  # a SELECT without FOR UPDATE waits for nothing, so that no other statement meets these values
            return await super().run(session, statement, depth)
        finally:
            for row, committed in now.items():
                row.committed = committed


@environment
def reads_lag_behind_commits(components: Components) -> Components:
    """A SELECT reads from a replica, which is 0.3 seconds behind."""
    return components.with_overrides(_WithReplica, _Replication, _ReadsReplica)
