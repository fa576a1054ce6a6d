"""Whether all connections lead to one server, and the process list that is read is that server's.

The guard checks that before each statement that can end a session (``runner.execution.route``); here it is checked
before a run, with two sessions of the examination's own and statements that end nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from runner.database.outcome import Ok, succeeded
from runner.database.poll import Poll
from runner.database.processlist import ProcessList, Row
from runner.database.session import Session
from runner.database.target import Target, TargetError
from runner.execution.identity import own_list

_LAG = 2.0  # seconds after which a list that does not show something will not do so later either
_PART = 10  # characters of a statement that a list which cuts INFO leaves
_ROUNDS = 2  # of statements by turns: a proxy that shares sessions gives each statement another one
_ONE_SERVER = (
    "Use the address of one server in the DSN, not of a load balancer or a proxy that splits reads from writes"
)
_NO_SHARING = "Use the address of the server in the DSN, or disable connection sharing in the proxy"


@dataclass(frozen=True)
class Connected:
    """A session of the examination and its id in the list."""

    session: Session
    id: str
    user: str


@dataclass(frozen=True)
class RouteExamination:
    """Looks for what is wrong with the way to the server.

    Attributes:
        target: the server.
        first, second: two sessions of one user.
        complete: whether the administrator's list shows that user's sessions.
        table: a table with a row whose id is 1, which the user may change; None where there is none.
    """

    target: Target
    first: Connected
    second: Connected
    complete: bool
    table: str | None

    def trouble(self) -> str | None:
        """What is wrong, and the remedy; None if nothing is.

        Raises:
            TargetError: a session of the examination's own gets no list.
        """
        return self._shared() or self._changing() or self._apart() or self._split()

    def _shared(self) -> str | None:
        if self.first.id != self.second.id or len(self.target.process_list().with_id(self.first.id)) > 1:
            return None
        return f"two connected sessions have the same id {self.first.id} in the process list. {_NO_SHARING}"

    def _changing(self) -> str | None:
        for _ in range(_ROUNDS):
            for each in (self.first, self.second):
                if (trouble := self._renumbered(each, "later")) is not None:
                    return trouble
        return None

    def _renumbered(self, each: Connected, when: str) -> str | None:
        read = own_list(self.target, each.session)
        own = read.own
        if not own or each.id in own:
            return None
        if any(len(read.shown.with_id(number)) > 1 for number in {each.id, *own}):
            return None  # the server lists two sessions under one id, which is its own fault (PAR-1)
        return (
            f"a session has the id {each.id} in the process list and the id {', '.join(sorted(own))} {when}: "
            f"connections share server sessions, or statements of one session run on different servers. {_ONE_SERVER}"
        )

    def _apart(self) -> str | None:
        if self.complete and self._is_direct(self.first) and self._is_direct(self.second):
            return None  # one server's list shows both connections: what else it lacks is its own fault
        poll = Poll(min(_LAG, self.target.limits.settle))
        while (missing := self._missing()) is not None and poll.again():
            pass
        return None if missing is None else f"{missing}: connections lead to different servers. {_ONE_SERVER}"

    def _is_direct(self, each: Connected) -> bool:
        """Whether the administrator's list shows this very connection."""
        rows = _rows(self.target.process_list(), each)
        here = each.session.local_address
        return each.session.greeted_as(each.id) and any(here is not None and row.get("host") == here for row in rows)

    def _missing(self) -> str | None:
        for one, other in ((self.first, self.second), (self.second, self.first)):
            shown = own_list(self.target, one.session).shown
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

    def _split(self) -> str | None:
        """A change that waits for a lock has to show in the list: else changes run where the list is not read."""
        begin = self._begin()
        if self.table is None or begin is None or len(self._watcher_rows()) != 1:
            return None
        change = f"UPDATE {self.table} SET val = val + 1 WHERE id = 1"  # noqa: S608 - the name is the suite's own
        first, second, limit = self.first.session, self.second.session, self.target.limits.statement
        idle = self._activity()
        if not succeeded(first.execute(begin, limit)) or first.execute(change, limit) != Ok(1):
            return None
        trouble = self._renumbered(self.first, "in a transaction")
        shows_statements = bool(own_list(self.target, second).own)
        second.send(change)
        poll = Poll(min(_LAG, self.target.limits.settle))
        shows = False
        while not (second.answered or shows) and poll.again():
            shows = self._shows(change, idle, statements=shows_statements)
        waited = not second.answered
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
        rows = self._watcher_rows()
        return rows[0].activity if rows else None

    def _shows(self, change: str, idle: object, *, statements: bool) -> bool:
        """Whether the list shows that the second session runs the change, by INFO where it shows statements there."""
        rows = self._watcher_rows()
        if statements:
            return any((row.get("info") or "").startswith(change[:_PART]) for row in rows)
        return bool(rows) and rows[0].activity != idle

    def _watcher_rows(self) -> list[Row]:
        shown = self.target.process_list() if self.complete else own_list(self.target, self.first.session).shown
        return _rows(shown, self.second)


def _rows(shown: ProcessList, each: Connected) -> list[Row]:
    return [row for row in shown.of_user(each.user) if row.id == each.id]
