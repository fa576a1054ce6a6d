"""The sessions of other people live on through whole runs of the suite, with ids right beside the suite's own.

``KSC_FOREIGN_RUNS`` says how often the suite runs on the simulator, each time with another part of the cases; real
servers see half as many runs, with all cases.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pymysql
import pytest
from pymysql.constants import CLIENT

from runner.database.dsn import Dsn
from tests.support.compared_verdicts import not_sent_by_guard
from tests.support.eventually import PATIENCE
from tests.support.servers import start_mariadb, start_seekdb
from tests.support.simulator_process import SimulatorProcess
from tests.support.suite_run import SuiteRun, run_suite

pytestmark = pytest.mark.long

RUNS = int(os.environ.get("KSC_FOREIGN_RUNS", "2"))
ORACLE_MODE = 1 << 27
PAUSE = 0.01  # seconds between two foreign logins
BEFORE = 30
DURING = 35
"""Long-lived sessions: opened before the first run; opened in each run, and living to the end of the next."""
PASSING = 8  # short-lived sessions at a time


@dataclass(frozen=True)
class Neighbourhood:
    """A server that other people use, and how the suite is told of it."""

    dsn: Dsn
    own_id: str
    options: tuple[str, ...]
    create_user: tuple[str, ...]
    codes: tuple[int, ...] = (0,)
    parts: tuple[tuple[str, ...], ...] = ((),)
    """The options that choose the cases of each run, one after another."""


@contextlib.contextmanager
def simulator() -> Iterator[Neighbourhood]:
    embedded = SimulatorProcess()
    try:
        yield Neighbourhood(
            Dsn.parse(embedded.dsn),
            "SELECT USERENV('SID') FROM DUAL",
            ("--dsn", embedded.dsn),
            ("CREATE USER {0} IDENTIFIED BY {0}", "GRANT CREATE SESSION TO {0}"),
            parts=(("-k", "immediate"), ("-k", "not immediate")),
        )
    finally:
        embedded.stop()


@contextlib.contextmanager
def seekdb() -> Iterator[Neighbourhood]:
    with start_seekdb() as server:
        yield replace(mysql_mode(server.dsn(), "seekdb"), codes=(1,))  # no reply while nobody reads: test_seekdb.py


@contextlib.contextmanager
def mariadb() -> Iterator[Neighbourhood]:
    with start_mariadb() as server:
        yield replace(mysql_mode(server.dsn(), "mariadb"), codes=(1,))  # it has its own idea of who may end whom


def mysql_mode(dsn: str, profile: str) -> Neighbourhood:
    options = ("--dsn", dsn, "--profile", profile)
    return Neighbourhood(Dsn.parse(dsn), "SELECT CONNECTION_ID()", options, ("CREATE USER {0} IDENTIFIED BY '{0}'",))


@dataclass
class Neighbour:
    """A foreign session: its connection, and the id that it had first."""

    server: Neighbourhood
    user: str
    password: str
    connection: Any = None
    id: int = 0

    def __post_init__(self) -> None:
        dsn = self.server.dsn
        self.connection = pymysql.connect(
            host=dsn.host,
            port=dsn.port,
            unix_socket=dsn.unix_socket,
            user=dsn.login(self.user),
            password=self.password,
            client_flag=ORACLE_MODE if "USERENV" in self.server.own_id else CLIENT.PROTOCOL_41,
            connect_timeout=2 * PATIENCE,
            read_timeout=2 * PATIENCE,
            write_timeout=2 * PATIENCE,
            ssl_disabled=True,
        )
        self.id = self.asked()

    def asked(self) -> int:
        """Its id, by its own word, on the connection that it always had: PyMySQL never connects again by itself."""
        with self.connection.cursor() as cursor:
            cursor.execute(self.server.own_id)
            ((number,),) = cursor.fetchall()
        return int(number)

    def lives(self) -> bool:
        try:
            return self.asked() == self.id
        except pymysql.Error:
            return False

    def leave(self) -> None:
        with contextlib.suppress(pymysql.Error):
            self.connection.close()


@dataclass
class Neighbours:
    """Other people on a server: users of their own and the administrator, who come and go all the time."""

    server: Neighbourhood
    settled: list[Neighbour] = field(default_factory=list)
    """Who came before the first run, and stays."""
    recent: list[Neighbour] = field(default_factory=list)
    """Who came during the last run."""
    new: list[Neighbour] = field(default_factory=list)
    passing: deque[Neighbour] = field(default_factory=deque)
    ids: set[int] = field(default_factory=set)
    """The ids of all who were there in this run."""
    actual: int = 0
    lost: list[int] = field(default_factory=list)
    """The ids of those that don't answer any more, or with another id."""

    def settle(self) -> None:
        dsn = self.server.dsn
        administrator = Neighbour(self.server, dsn.account, dsn.password)
        names = [f"NEIGHBOUR{number}" for number in range(4)]
        with administrator.connection.cursor() as cursor:
            for name, statement in itertools.product(names, self.server.create_user):
                cursor.execute(statement.format(name))
        administrator.leave()
        logins = itertools.cycle([(name, name) for name in names] + [(dsn.account, dsn.password)])
        self._next: Callable[[], Neighbour] = lambda: Neighbour(self.server, *next(logins))
        self.settled = [self._arrival() for _ in range(BEFORE)]

    def _arrival(self) -> Neighbour:
        neighbour = self._next()
        self.ids.add(neighbour.id)
        self.actual += 1
        return neighbour

    @contextlib.contextmanager
    def coming_and_going(self) -> Iterator[None]:
        """All through the block, neighbours come; every tenth stays, the others leave after a few more have come."""
        self.ids = {neighbour.id for neighbour in [*self.settled, *self.recent, *self.passing]}
        over = threading.Event()
        thread = threading.Thread(target=self._come_and_go, args=(over,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join(2 * PATIENCE)
        assert not thread.is_alive()
        self.check()

    def _come_and_go(self, over: threading.Event) -> None:
        for number in itertools.count():
            try:
                arrival = self._arrival()
            except pymysql.Error:
                self.lost.append(-1)
                return
            if number % 10 == 0 and len(self.new) < DURING:
                self.new.append(arrival)
            else:
                self.passing.append(arrival)
            if len(self.passing) > PASSING:
                self._check(leaves := self.passing.popleft())
                leaves.leave()
            if over.wait(PAUSE):
                return

    def check(self) -> None:
        """Asks everybody; then those of the run before last leave."""
        for neighbour in [*self.settled, *self.recent, *self.new, *self.passing]:
            self._check(neighbour)
        for neighbour in self.recent:
            neighbour.leave()
        self.recent, self.new = self.new, []

    def _check(self, neighbour: Neighbour) -> None:
        if not neighbour.lives():
            self.lost.append(neighbour.id)

    def leave(self) -> None:
        for neighbour in [*self.settled, *self.recent, *self.new, *self.passing]:
            neighbour.leave()


def own_ids(run: SuiteRun) -> set[int]:
    """The ids of the sessions that the suite named, by its own record."""
    identifiers = (result["identifiers"].items() for result in run.record["results"])
    return {int(value) for named in identifiers for name, value in named if name.startswith("id of ")}


SERVERS: list[tuple[Callable[[], contextlib.AbstractContextManager[Neighbourhood]], int]] = [
    (simulator, RUNS),
    (seekdb, (RUNS + 1) // 2),
    (mariadb, (RUNS + 1) // 2),
]


@pytest.mark.parametrize(("start", "runs"), SERVERS, ids=[start.__name__ for start, _ in SERVERS])
def test_no_foreign_session_is_killed_by_concurrent_whole_runs(
    start: Callable[[], contextlib.AbstractContextManager[Neighbourhood]], runs: int, tmp_path: Path
) -> None:
    with start() as server:
        neighbours = Neighbours(server)
        try:
            neighbours.settle()
            for number in range(runs):
                began = time.monotonic()
                options = (*server.options, *server.parts[number % len(server.parts)], *WORKERS)
                with neighbours.coming_and_going():
                    run = run_suite(tmp_path / f"record-{number}.json", *options, limit=1200)
                assert neighbours.lost == [], f"run {number + 1}: {run.screen}"
                assert run.code in server.codes, f"run {number + 1}: {run.screen}"
                assert [row for row in run.results(verdict="inconclusive") if not not_sent_by_guard(row)] == [], (
                    run.screen
                )
                own = own_ids(run)
                beside = {each for each in own if {each - 1, each + 1} & neighbours.ids}
                assert len(beside) > len(own) / 10, "the foreign ids are not beside the suite's"
                print(  # noqa: T201 - who runs it 200 times wants to see how far it is
                    f"run {number + 1} of {runs}: {len(own)} own sessions, {len(beside)} of them beside a foreign one, "
                    f"{neighbours.actual} foreign ones so far, none touched ({time.monotonic() - began:.0f} s)",
                    flush=True,
                )
        finally:
            neighbours.leave()


WORKERS = ("-n", os.environ["KSC_FOREIGN_WORKERS"]) if "KSC_FOREIGN_WORKERS" in os.environ else ()
