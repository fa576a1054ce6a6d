"""Finds the id of a session in SHOW PROCESSLIST, and numbers that are no session's id.

The specification queries ids there, and a session can always see itself. Its own row is a row of a user that this run
has created, and that no other client knows. COMMAND and the order of rows are not used, HOST and the thread id of the
handshake rarely: behind a proxy they are the proxy's, and may be those of another session. If several rows are
possible, for example of sessions that a proxy keeps for former clients, a comment in the session's statement marks its
row in INFO.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Collection
from dataclasses import dataclass

from runner.database.administrator_session import TargetError
from runner.database.outcome import Outcome, Rows, ServerError
from runner.database.process_list import ProcessList, Row
from runner.database.session import Session
from runner.database.target import Target
from runner.database.time_limits import Poll

_MOST_UNLISTED = 10
"""The number of unlisted sessions after which no further id is waited for, and no guarded statement is sent."""
_MOST_WITHOUT_ID = 20
"""The number of sessions in a row without an id after which no further guarded statement is sent."""
_DISTANCE = 1000  # of a number that no session has from the ids of sessions: new sessions usually have the next ids
_HIDDEN = range(0b11 << 30, 1 << 32)
"""The ids that OceanBase gives to connections from a proxy; its process list shows the ids of the clients instead."""
_HIDDEN_BIT = 1 << 30
"""Without this bit, a hidden id is a number that the process list would show if it were an id."""


@dataclass(frozen=True)
class FoundId:
    """A session's id, or the reason why it was not found.

    Attributes:
        id: the id; None if it was not found.
        trouble: the reason.
        listed: whether the process list has a row that can be the session's, or could not be read.
        rows: the number of rows of the process list that the session read last.
    """

    id: str | None
    trouble: str = ""
    listed: bool = True
    rows: int = 0


@dataclass(frozen=True)
class OwnProcessList:
    """A process list that a session has read.

    Attributes:
        process_list: the process list.
        marked_ids: the ids of the rows with the statement that was sent; empty if no row shows it.
    """

    process_list: ProcessList
    marked_ids: frozenset[str]


def read_own_process_list(target: Target, session: Session) -> OwnProcessList:
    """Reads the process list on a session's own connection; a comment in the statement marks its row.

    Raises:
        TargetError: the session receives no process list.
    """
    mark = _new_mark()
    reply = _read(target, session, mark)
    if not isinstance(reply, Rows):
        raise TargetError(f"{target.profile.statement('process_list')}: {reply}", reply)
    process_list = ProcessList.read(reply)
    return OwnProcessList(process_list, frozenset(row.id for row in process_list.rows if _is_marked(row, mark)))


def _read(target: Target, session: Session, mark: str) -> Outcome:
    statement = target.profile.statement("process_list")
    reply = session.execute(f"{mark} {statement}" if mark else statement, target.limits.statement)
    if isinstance(reply, ServerError) and mark:  # the server may not accept a leading comment
        reply = session.execute(statement, target.limits.statement)
    return reply


def find_id(
    target: Target,
    session: Session,
    user: str,
    taken: Collection[str],
    before: ProcessList | None,
    *,
    earlier: Collection[str] = (),
) -> FoundId:
    """Finds the id of a session that has just logged in.

    Args:
        target: the server.
        session: the session, idle.
        user: its user.
        taken: ids of this user's other open sessions.
        before: the administrator's process list just before the login, for users of other clients, too: then the new
            id needs a second sign. None for users that only this run knows.
        earlier: ids of this user's ended sessions: a process list that lags may still show them.
    """
    start = time.monotonic()
    found = _search(target, session, user, taken, before, earlier=earlier)
    if found.id is not None:
        target.facts.listing_limit.note(time.monotonic() - start)
        target.facts.sessions_without_id = 0
        return found
    target.facts.listing_limit.note_exceeded()
    target.facts.sessions_without_id += 1
    if target.facts.sessions_without_id >= _MOST_WITHOUT_ID and not target.stop_reason:
        target.stop_guarded_statements(
            f"the ids of {_MOST_WITHOUT_ID} sessions of the suite in a row could not be found: {found.trouble}"
        )
    if not found.listed and session.check_connection() is None:
        _note_unlisted(target, session, found.rows)
    return found


def _note_unlisted(target: Target, session: Session, rows: int) -> None:
    target.facts.unlisted_thread_ids.append(session.handshake_id)
    target.facts.rows_of_lists_without_reader.add(rows)
    lengths = target.facts.rows_of_lists_without_reader
    cut = f", or be cut to {rows} rows, which each of these lists had" if lengths == {rows} else ""
    number = len(target.facts.unlisted_thread_ids)
    if number >= _MOST_UNLISTED and not target.stop_reason:
        target.stop_guarded_statements(
            f"the process list did not show {number} sessions of the suite, which were connected: "
            f"it may be the list of another server, as behind a load balancer{cut}. Use the address of one server in "
            "the DSN. If the list lags by several seconds, use a greater --settle"
        )


def _search(
    target: Target,
    session: Session,
    user: str,
    taken: Collection[str],
    before: ProcessList | None,
    *,
    earlier: Collection[str],
) -> FoundId:
    poll = Poll(target.facts.listing_limit.current(target.limits.settle))
    mark = _new_mark()
    marked = before is not None
    while True:
        reply = _read(target, session, mark if marked else "")
        if isinstance(reply, ServerError) and poll.again():
            continue
        if not isinstance(reply, Rows):
            return FoundId(None, f"its SHOW PROCESSLIST: {reply}")
        process_list = ProcessList.read(reply)
        known = set(taken) | ({row.id for row in before.rows} if before else set())
        found = [row for row in process_list.of_user(user) if row.id not in known]
        if not found and before is None:  # a process list without the session that reads it is a separate finding
            found = [row for row in target.process_list().of_user(user) if row.id not in known]
        ids = {row.id for row in found}
        several = len(ids) > 1 or not ids.isdisjoint(earlier)
        if (several or not found) and not marked:
            marked = True  # sends the statement again, with a comment
            continue
        if not found and (shared := {row.id for row in _own_rows(list(process_list.of_user(user)), mark, session)}):
            return FoundId(shared.pop())  # another open session has this id, too: the caller judges that
        likely = _own_rows(found, mark, session) if several or before is not None else found
        if len(ids := {row.id for row in likely if row.number is not None}) == 1:
            return FoundId(ids.pop())
        if likely and all(row.number is None for row in likely):  # waiting would not change that
            trouble = f"its row in SHOW PROCESSLIST has the id {likely[0].id!r}, which {likely[0].no_number_reason}"
            target.stop_guarded_statements(f"a session of the suite has no id to name: {trouble}")
            return FoundId(None, trouble)
        if not poll.again():
            return _not_found(process_list, mark, session, user, possible=len(found))


def _not_found(process_list: ProcessList, mark: str, session: Session, user: str, *, possible: int) -> FoundId:
    """Why a process list doesn't show which row is the session's; ``possible``: the rows that could be its own."""
    others = [] if possible else _own_rows(list(process_list.rows), mark, session)
    if others:
        shown = repr(others[0].user) if others[0].user else "NULL"
        return FoundId(None, f"its row in SHOW PROCESSLIST has the USER {shown}, not {user!r}")
    trouble = f"its SHOW PROCESSLIST shows {possible} rows that could be its own"
    return FoundId(None, trouble, bool(possible), len(process_list.rows))


def _own_rows(rows: list[Row], mark: str, session: Session) -> list[Row]:
    """The rows with the session's comment; if there are none, those with its thread id and client address."""
    marked_rows = [row for row in rows if _is_marked(row, mark)]
    host, number = session.local_address, str(session.handshake_id)
    return marked_rows or [row for row in rows if row.id == number and (host is None or row.get("host") == host)]


def id_by_address(process_list: ProcessList, session: Session, user: str) -> str | None:
    """The id of a session by its client address in HOST, for users that only this run knows; None if not found."""
    found = [row for row in process_list.of_user(user) if row.get("host") == session.local_address is not None]
    ids = {row.id for row in found if row.number is not None}
    return ids.pop() if len(ids) == 1 else None


def _new_mark() -> str:
    return f"/*{secrets.token_hex(4)}*/"


_LEAST_MARK = 10  # characters of the comment that have to be in INFO, if the server cuts it


def _is_marked(row: Row, mark: str) -> bool:
    info = row.get("info") or ""
    return len(info) >= _LEAST_MARK and (mark in info or mark.startswith(info))


def unused_id(start: int, process_list: ProcessList, own: Collection[str]) -> int:
    """The first number from ``start`` on that is not near the id of a session: new sessions usually have the next ids.

    Ids that OceanBase's process list hides are replaced by unused numbers of the same size.
    """
    taken = {row.number for row in process_list.rows if row.number is not None}
    taken |= set(map(int, own))
    if start == 0 and 0 not in taken:
        return 0  # no login ever gets this id, even if the next ids are used
    # An id without such a bit is that of a proxy's client: the id of the proxy's connection is hidden.
    hides = any(row.number is not None and row.number < _HIDDEN.start >> 1 for row in process_list.rows)
    number = start
    while True:
        if hides and number in _HIDDEN:
            number -= _HIDDEN_BIT
        near = [other for other in taken if abs(number - other) < _DISTANCE]
        if not near:
            return number
        number = max(near) + _DISTANCE
