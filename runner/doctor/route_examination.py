"""Examines the route to the server: all connections have to lead to one server, which also shows the process list.

The guard checks this before each guarded statement (``runner.execution.same_server``). This module checks it
before a run, with two sessions of the examination and statements that kill no session.
"""

from __future__ import annotations

from dataclasses import dataclass

from runner.database.administrator_session import TargetError
from runner.database.outcome import Ok, succeeded
from runner.database.process_list import LAG, ProcessList, Row
from runner.database.session import Session
from runner.database.target import Target
from runner.database.time_limits import Poll
from runner.execution.session_ids import read_own_process_list

_PART = 10  # characters of a statement that remain if the process list truncates INFO
_ROUNDS = 2  # of statements in alternating sessions: a proxy that shares sessions uses another one for each
_ONE_SERVER = (
    "Use the address of one server in the DSN, not of a load balancer or a proxy that splits reads from writes"
)
_NO_SHARING = "Use the address of the server in the DSN, or disable connection sharing in the proxy"


@dataclass(frozen=True)
class IdentifiedSession:
    """A session of the examination, with its id in the process list and its user."""

    session: Session
    id: str
    user: str


@dataclass(frozen=True)
class RouteExamination:
    """Examines the route to the server.

    Attributes:
        target: the server.
        first, second: two sessions of one user.
        complete: whether the administrator's process list shows the sessions of this user.
        table: a table with a row whose id is 1, which the user may update, or None.
    """

    target: Target
    first: IdentifiedSession
    second: IdentifiedSession
    complete: bool
    table: str | None

    def find_trouble(self) -> str | None:
        """The problem with the route, and the fix; None if there is none.

        Raises:
            TargetError: a session of the examination can't read the process list.
        """
        return self._same_id() or self._changing_ids() or self._different_servers() or self._change_not_shown()

    def _same_id(self) -> str | None:
        if self.first.id != self.second.id or len(self.target.process_list().with_id(self.first.id)) > 1:
            return None
        return f"two connected sessions have the same id {self.first.id} in the process list. {_NO_SHARING}"

    def _changing_ids(self) -> str | None:
        for _ in range(_ROUNDS):
            for each in (self.first, self.second):
                if (trouble := self._renumbered(each, "later")) is not None:
                    return trouble
        return None

    def _renumbered(self, each: IdentifiedSession, when: str) -> str | None:
        read = read_own_process_list(self.target, each.session)
        own = read.marked_ids
        if not own or each.id in own:
            return None
        if any(len(read.process_list.with_id(number)) > 1 for number in {each.id, *own}):
            return None  # a fault of the server: two sessions have one id in its process list
        return (
            f"a session has the id {each.id} in the process list and the id {', '.join(sorted(own))} {when}: "
            f"connections share server sessions, or statements of one session run on different servers. {_ONE_SERVER}"
        )

    def _different_servers(self) -> str | None:
        if self.complete and self._is_direct(self.first) and self._is_direct(self.second):
            return None  # the process list of one server shows both connections
        poll = Poll(min(LAG, self.target.limits.settle))
        while (missing := self._missing_row()) is not None and poll.again():
            pass
        if missing is None:
            return None
        return f"{missing}: connections lead to different servers, or the list leaves out idle sessions. {_ONE_SERVER}"

    def _is_direct(self, each: IdentifiedSession) -> bool:
        """Whether the administrator's process list shows this connection, with the client's address."""
        rows = _rows(self.target.process_list(), each)
        here = each.session.local_address
        return each.session.handshake_id_is(each.id) and any(
            here is not None and row.get("host") == here for row in rows
        )

    def _missing_row(self) -> str | None:
        for one, other in ((self.first, self.second), (self.second, self.first)):
            shown = read_own_process_list(self.target, one.session).process_list
            if not _rows(shown, other):
                return f"the process list of session {one.id} doesn't show session {other.id} of the same user"
            if not self.complete:
                continue
            listed = _rows(self.target.process_list(), one)
            if not listed:
                return f"the administrator's process list doesn't show session {one.id}, which is connected"
            own = {row.get("host") for row in _rows(shown, one)}
            if own and not own & {row.get("host") for row in listed}:
                return f"two process lists show different connections under the id {one.id}"
        return None

    def _change_not_shown(self) -> str | None:
        """The problem if the process list doesn't show a change that waits for a lock: it runs elsewhere."""
        begin = self._begin()
        if self.table is None or begin is None or len(self._rows_of_second()) != 1:
            return None
        change = f"UPDATE {self.table} SET val = val + 1 WHERE id = 1"  # noqa: S608 - the name is the suite's own
        first, second, limit = self.first.session, self.second.session, self.target.limits.statement
        idle = self._activity()
        if not succeeded(first.execute(begin, limit)) or first.execute(change, limit) != Ok(1):
            return None
        trouble = self._renumbered(self.first, "in a transaction")
        shows_statements = bool(read_own_process_list(self.target, second).marked_ids)
        second.send(change)
        poll = Poll(min(LAG, self.target.limits.settle))
        shows = False
        while not (second.has_reply or shows) and poll.again():
            shows = self._shows_change(change, idle, statements=shows_statements)
        waited = not second.has_reply
        first.execute("ROLLBACK", limit)
        second.result(limit)
        if trouble is None and waited and not shows:
            trouble = (
                f"the process list shows session {self.second.id} idle while its UPDATE waits for a row lock: the list "
                f"is read on another server than the one that runs changes. {_ONE_SERVER}"
            )
        return trouble

    def _begin(self) -> str | None:
        try:
            return self.target.word("begin", self.first.session)
        except TargetError:
            return None

    def _activity(self) -> object:
        rows = self._rows_of_second()
        return rows[0].activity if rows else None

    def _shows_change(self, change: str, idle: object, *, statements: bool) -> bool:
        """Whether the process list shows that the second session runs the change: in INFO, if that has statements."""
        rows = self._rows_of_second()
        if statements:
            return any(change[:_PART] in (row.get("info") or "") for row in rows)
        return bool(rows) and rows[0].activity != idle

    def _rows_of_second(self) -> list[Row]:
        shown = (
            self.target.process_list()
            if self.complete
            else read_own_process_list(self.target, self.first.session).process_list
        )
        return _rows(shown, self.second)


def _rows(shown: ProcessList, each: IdentifiedSession) -> list[Row]:
    return [row for row in shown.of_user(each.user) if row.id == each.id]
