"""The simulator itself, against real servers."""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pymysql
from measuring import Figure, Missing, median_seconds, simulator

from runner.database.dsn import Dsn
from tests.support.servers import ServerError, start_mariadb, start_seekdb

STATEMENTS = 3000
LOGINS = 500
SESSIONS = 4000
KILLS = 400
_ORACLE_MODE = 1 << 27  # the client's capability without which an Oracle tenant refuses a login
_P99 = 98  # of the 99 cut points of 100 quantiles, counted from 0


@contextmanager
def client(dsn: Dsn) -> Iterator[pymysql.Connection[pymysql.cursors.Cursor]]:
    """A connection of PyMySQL as the DSN's user."""
    connection = pymysql.connect(
        user=dsn.user,
        password=dsn.password,
        host=dsn.host,
        port=dsn.port,
        unix_socket=dsn.unix_socket,
        client_flag=_ORACLE_MODE if "@" in dsn.user else 0,
        ssl_disabled=True,
    )
    try:
        yield connection
    finally:
        connection.close()


def statements_per_second(dsn: Dsn) -> float:
    """Statements per second on one connection."""
    with client(dsn) as connection, connection.cursor() as cursor:
        return STATEMENTS / median_seconds(lambda: [cursor.execute("SELECT 1 FROM DUAL") for _ in range(STATEMENTS)])


def logins_per_second(dsn: Dsn) -> float:
    """Logins per second, one after the other."""

    def log_in() -> None:
        for _ in range(LOGINS):
            with client(dsn):
                pass

    return LOGINS / median_seconds(log_in)


def kill_p99(dsn: Dsn, statement: str) -> float:
    """The 99th percentile, in milliseconds, of the time until the reply to a kill, among 4,000 sessions."""
    taken = []
    with ExitStack() as stack:
        victims = [stack.enter_context(client(dsn)) for _ in range(SESSIONS)]
        killer = stack.enter_context(client(dsn))
        with killer.cursor() as cursor:
            for victim in victims[:KILLS]:
                start = time.monotonic()
                cursor.execute(statement.format(victim.thread_id()))  # type: ignore[no-untyped-call]  # the stubs leave it untyped
                taken.append(1000 * (time.monotonic() - start))
    return statistics.quantiles(taken, n=100)[_P99]


def speed() -> Iterator[Figure | Missing]:
    """Statements and logins per second of the simulator, against seekdb. seekdb has only a Unix socket."""
    try:
        with simulator() as ours, start_seekdb() as theirs:
            dsns = Dsn.parse(ours), Dsn.parse(theirs.dsn())
            speeds = [(statements_per_second(dsn), logins_per_second(dsn)) for dsn in dsns]
    except ServerError as error:
        yield Missing.because("simulator: statements and logins", "seekdb", error, "at least 1")
        return
    for place, what in enumerate(("statements", "logins")):
        simulated, real = (each[place] for each in speeds)
        yield Figure(f"simulator: {what}", simulated, "seekdb", real, "/s", "at least 1")


def kills() -> Iterator[Figure | Missing]:
    """The time until the reply to a kill among 4,000 sessions, against MariaDB."""
    what = f"simulator: p99 of KILL at {SESSIONS:,} sessions"
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # a descriptor for each session, here and in the server
    try:
        with simulator() as dsn:
            ours = kill_p99(Dsn.parse(dsn), "ALTER SYSTEM KILL SESSION '{}'")
        with start_mariadb(f"--max-connections={SESSIONS + 100}") as mariadb:
            theirs = kill_p99(Dsn.parse(mariadb.dsn()), "KILL {}")
    except ServerError as error:
        yield Missing.because(what, "MariaDB", error, "at most 1")
    else:
        yield Figure(what, ours, "MariaDB", theirs, "ms", "at most 1")
