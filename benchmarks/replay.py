"""The time of a run's statements without the suite: sends them again, with PyMySQL alone.

    python benchmarks/replay.py RECORD.json simulator|mariadb|seekdb

The server is a new one that ends with the replay: nothing checks whose session an id is, as the suite does before each
statement that can kill one.

One case after the other, in the order of the transcript, without the reads of the process list and without the time
for which a run watches that nothing happens. Users and tables are created once, under the names that they have in the
record. The last line is JSON: how many statements and logins were sent, and how many had another kind of result (OK,
rows, error) than in the record.
"""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path
from typing import Any

import pymysql
from pymysql.constants import COMMAND
from whole_run_figures import target

from runner.database.dsn import Dsn

PASSWORD = "Kc0123456789abcdef#90_Qz"  # noqa: S105 - of users of a private server
ORACLE_MODE = 1 << 27
_HOLE = re.compile("<([^<>]+)>")
_NO_SESSION = "4000000001"
_LEAVING = {
    "its client resets the connection": lambda connection: connection._force_close(),  # noqa: SLF001 - without COM_QUIT
    "its client disconnects (COM_QUIT)": lambda connection: connection.close(),
}
"""Notes of a transcript about clients that leave, and what the replay does then."""


class Replay:
    """Sends the transcripts of a record to one target.

    Attributes:
        sent: statements and logins.
        other: those with another kind of result than in the record.
    """

    def __init__(self, dsn: Dsn) -> None:
        self.sent = 0
        self.other: list[str] = []
        self._dsn = dsn
        self._prepared: set[str] = set()
        self._administrator = self._connect(dsn.user, dsn.password)

    def case(self, result: dict[str, Any]) -> None:
        """Sends a case's transcript."""
        sessions: dict[str, Any] = {}
        waiting: set[str] = set()
        values = dict(result["identifiers"])
        for event in result["transcript"]:
            session, kind = event["session"], event["kind"]
            if kind == "connects":
                sessions[session] = self._login(event["text"], values, result["name"])
                if sessions[session] is not None:
                    values[f"id of {session}"] = str(sessions[session].thread_id())
            elif kind == "prepares":
                self._prepare(self._filled(event["manual"] or event["text"], values), result["name"])
            elif kind == "sends":
                self.sent += 1
                waiting.add(session)
                _send(sessions.get(session, self._administrator), self._filled(event["text"], values))
            elif kind == "receives":
                # Executions of prepared statements are not replayed: no statement was sent, so there is no reply.
                came = _receive(sessions.get(session, self._administrator)) if session in waiting else "nothing"
                waiting.discard(session)
                self._compare(came, event["text"], result["name"])
            elif kind == "note" and event["text"] in _LEAVING and (connection := sessions.get(session)):
                _LEAVING[event["text"]](connection)
        for connection in sessions.values():
            if connection is not None and connection.open:
                connection.close()

    def _connect(self, user: str, password: str) -> Any:
        dsn = self._dsn
        place: dict[str, Any] = {"host": dsn.host, "port": dsn.port}
        if dsn.unix_socket:
            place = {"unix_socket": dsn.unix_socket}
        self.sent += 1
        return pymysql.connect(
            user=user,
            password=password,
            client_flag=ORACLE_MODE if dsn.scheme == "oceanbase" and not dsn.unix_socket else 0,
            ssl_disabled=True,
            read_timeout=15,
            autocommit=None,
            **place,
        )

    def _login(self, text: str, values: dict[str, str], case: str) -> Any:
        user, _, came = text.removeprefix("as ").partition(": ")
        name = self._filled(user, values)
        own = name in {self._dsn.user, self._dsn.account}
        try:
            connection = self._connect(
                self._dsn.user if own else self._dsn.login(name), self._dsn.password if own else PASSWORD
            )
        except (pymysql.MySQLError, OSError):
            self._compare("error", came, case)
            return None
        self._compare("OK", came, case)
        return connection

    def _prepare(self, statement: str, case: str) -> None:
        """Sends what prepares a case, unless an earlier case had the same user or table: then it was sent."""
        if statement in self._prepared:
            return
        self._prepared.add(statement)
        self.sent += 1
        _send(self._administrator, statement)
        self._compare(_receive(self._administrator), "OK", case)

    def _compare(self, came: str, text: str, case: str) -> None:
        was = "OK" if text.startswith("OK") else "error" if text.startswith(("error", "connection lost")) else "rows"
        if came != was:
            self.other.append(f"{case}: {came} instead of {text[:60]}")

    @staticmethod
    def _filled(text: str, values: dict[str, str]) -> str:
        def value(match: re.Match[str]) -> str:
            if match[1] == "password":
                return PASSWORD
            return values.get(match[1], _NO_SESSION if "number" in match[1] else match[0])

        return _HOLE.sub(value, text)


def _send(connection: Any, statement: str) -> None:
    if connection is not None and connection.open:
        try:
            connection._execute_command(COMMAND.COM_QUERY, statement)  # noqa: SLF001 - a cursor would wait for the reply
        except (pymysql.MySQLError, OSError):
            return  # the connection is closed; reading the reply reports it


def _receive(connection: Any) -> str:
    """Reads a reply: OK, rows or error."""
    if connection is None or not connection.open:
        return "error"
    try:
        connection._read_query_result()  # noqa: SLF001 - likewise
    except (pymysql.MySQLError, OSError):
        return "error"
    return "rows" if connection._result.description else "OK"  # noqa: SLF001 - likewise


def main() -> None:
    """Replays the record, and prints what it took."""
    record, name = sys.argv[1:]
    results = json.loads(Path(record).read_text(encoding="utf-8"))["results"]
    with target(name) as options:
        start = time.monotonic()
        replay = Replay(Dsn.parse(options[1]))
        for result in results:
            replay.case(result)
        took = round(time.monotonic() - start, 3)
    for line in replay.other:
        print(line)
    print(json.dumps({"seconds": took, "sent": replay.sent, "other": len(replay.other)}))


if __name__ == "__main__":
    main()
