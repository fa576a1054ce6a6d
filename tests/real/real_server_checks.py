"""Helpers for tests of real servers: a server's contents, and the cases that a real kernel must have decided."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pymysql

from tests.support.servers import MariaDB, SeekDB
from tests.support.suite_run import SuiteRun

_GONE = 20.0  # seconds for a server to notice that its last clients have left; MariaDB wakes sleepers every 5

CONFORMS = {
    "idle": ["idle-session-ends", "used-session-ends", "answers-in-time[its-victim-idles]"],
    "running": [
        "running-session-ends",
        "statement-in-flight-is-interrupted",
        "killer-is-not-kept-waiting",
        "administrator-ends-a-running-session",
        "running-bystander-goes-on",
    ],
    "in a transaction": [
        "session-in-transaction-ends",
        "answers-in-time[its-victim-has-a-transaction-open]",
        "administrator-ends-a-session-in-a-transaction",
        "change-is-rolled-back[update]",
        "change-is-rolled-back[insert]",
        "change-is-rolled-back[delete]",
        "committed-change-stays",
        "row-lock-is-free[by-a-change]",
        "row-lock-is-free[for-a-change]",
    ],
    "holding a lock that another session waits for": ["waiting-session-gets-the-lock"],
    "its own": [
        "own-session-ends[plain]",
        "own-session-is-not-refused",
        "only-session-of-a-user-ends[the-session-itself]",
    ],
    "another user's": [
        "administrators-order-ends-the-session[with-the-privilege]",
        "administrators-order-ends-the-session[without-the-privilege]",
    ],
    "unknown": [
        "unknown-id[near]",
        "unknown-id[far]",
        "unknown-id[small]",
        "unknown-id[zero]",
        "unknown-id-for-the-administrator",
        "ended-id[plain-a-holder-idle]",
        "text-that-is-no-id[word]",
        "text-that-is-no-id[empty]",
    ],
}
"""Cases that every real server has to decide for itself and to pass, by what they do to whom."""


@dataclass(frozen=True)
class Contents:
    """What is on a server: users and roles, databases, tables that are nobody's system tables, and whose sessions."""

    users: tuple[Any, ...]
    databases: tuple[Any, ...]
    tables: tuple[Any, ...]
    sessions: Counter[str]


def contents(server: MariaDB | SeekDB) -> Contents:
    """What is on a server now."""
    if isinstance(server, MariaDB):
        options: dict[str, Any] = {"host": server.host, "port": server.port, "password": server.password}
        user = server.user
    else:
        options, user = {"unix_socket": server.socket_path}, "root"
    with pymysql.connect(user=user, ssl_disabled=True, **options) as connection, connection.cursor() as cursor:

        def rows(statement: str) -> tuple[Any, ...]:
            cursor.execute(statement)
            return tuple(sorted(cursor.fetchall()))

        return Contents(
            rows("SELECT user, host FROM mysql.user"),
            rows("SHOW DATABASES"),
            rows("SELECT table_schema, table_name FROM information_schema.tables WHERE table_name LIKE 'KSC%'"),
            Counter(row[1] for row in rows("SELECT id, user FROM information_schema.processlist")),
        )


def at_rest(server: MariaDB | SeekDB) -> Contents:
    """What is on a new server, once it no longer lists the session with which its start was awaited."""
    until = time.monotonic() + _GONE
    while (now := contents(server)).sessions.total() > 1 and time.monotonic() < until:
        time.sleep(0.05)
    return now


def settled(server: MariaDB | SeekDB, before: Contents) -> Contents:
    """What is on a server once it is what it was before, or in the end."""
    until = time.monotonic() + _GONE
    while (now := contents(server)) != before and time.monotonic() < until:
        time.sleep(0.05)
    return now


def verdicts(run: SuiteRun) -> dict[str, str]:
    """The verdict of every case by its name."""
    return {row["name"]: row["verdict"] for row in run.record["results"]}


def said(run: SuiteRun, name: str) -> list[str]:
    """What the sessions of a case sent."""
    return [
        event["text"] for event in run.result(name)["transcript"] if event["kind"] == "sends" and not event["setup"]
    ]


def seen_by_the_list(run: SuiteRun, name: str) -> bool:
    """Whether the server's own list showed all that a case waited for: a statement that runs, or that is blocked."""
    return not any("the process list doesn't show it" in event["text"] for event in run.result(name)["transcript"])
