"""Finds a session's own id in SHOW PROCESSLIST.

The specification queries ids there, and a session can always see itself. Which row is its own follows from what
every server has to show: the rows of a user whom this run made and whom nobody else knows. Nothing is assumed of
COMMAND and the order of rows, and little of HOST and the handshake's thread id: behind a proxy they are the proxy's,
and may be those of another session. Where several rows come into question, as where a proxy keeps the sessions of
clients that have left, the session's own words in INFO tell.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Collection
from dataclasses import dataclass

from runner.database.outcome import Rows, ServerError
from runner.database.poll import Poll
from runner.database.processlist import ProcessList, Row
from runner.database.session import Session
from runner.database.target import Target, TargetError

_TOO_MANY = 10
"""Sessions that no list shows, after which no further statement is worth its wait: their ids can't be told."""


@dataclass(frozen=True)
class Identity:
    """A session's id, or why it could not be found.

    Attributes:
        listed: whether the process list, where it could be read, shows a row that can be the session's.
    """

    id: str | None
    trouble: str = ""
    listed: bool = True


@dataclass(frozen=True)
class OwnList:
    """A process list as the session that asked for it sees it.

    Attributes:
        own: the ids of the rows that show the very statement that was sent; empty where the list doesn't show it.
    """

    shown: ProcessList
    own: frozenset[str]


def own_list(target: Target, session: Session) -> OwnList:
    """Reads the list on a session's own connection, so that its own row can be recognised by the statement in INFO.

    Raises:
        TargetError: the session gets no list.
    """
    mark, statement = _new_mark(), target.profile.statement("process_list")
    answer = session.execute(f"{mark} {statement}", target.limits.statement)
    if isinstance(answer, ServerError):  # it may not take a comment in front
        answer = session.execute(statement, target.limits.statement)
    if not isinstance(answer, Rows):
        raise TargetError(f"{statement}: {answer}", answer)
    shown = ProcessList.read(answer)
    return OwnList(shown, frozenset(row.id for row in shown.rows if _is_marked(row, mark)))


def identify(
    target: Target,
    session: Session,
    user: str,
    taken: Collection[str],
    before: ProcessList | None,
    *,
    earlier: Collection[str] = (),
) -> Identity:
    """Finds the id of a session that has just logged in.

    Args:
        target: the server.
        session: the session, idle.
        user: its user.
        taken: ids of this user's other living sessions.
        before: the administrator's list just before the login, for a session of the administrator: others may log in
            as this user, so that the new id needs a second sign; None for a user that is this run's own.
        earlier: ids that ended sessions of this user had: a list that lags may still show one of them.
    """
    start = time.monotonic()
    found = _found(target, session, user, taken, before, earlier=earlier)
    if found.id is not None:
        target.known.listing.note(time.monotonic() - start)
        return found
    target.known.listing.note_in_vain()
    if not found.listed and session.listen() is None:
        _note_unlisted(target, session)
    return found


def _note_unlisted(target: Target, session: Session) -> None:
    target.known.unlisted.append(session.handshake_id)
    if len(target.known.unlisted) >= _TOO_MANY and not target.stopped:
        target.stopped = (
            f"the process list did not show {len(target.known.unlisted)} sessions of the suite, which were connected: "
            "it may be the list of another server, as behind a load balancer. Use the address of one server in the "
            "DSN. If the list lags by several seconds, use a greater --settle"
        )


def _found(
    target: Target,
    session: Session,
    user: str,
    taken: Collection[str],
    before: ProcessList | None,
    *,
    earlier: Collection[str],
) -> Identity:
    poll = Poll(target.known.listing.of(target.limits.settle))
    mark = _new_mark()
    statement = target.profile.statement("process_list")
    doubt = before is not None
    while True:
        answer = session.execute(f"{mark} {statement}" if doubt else statement, target.limits.statement)
        if isinstance(answer, ServerError) and poll.again():
            continue
        if not isinstance(answer, Rows):
            return Identity(None, f"its SHOW PROCESSLIST: {answer}")
        shown = ProcessList.read(answer)
        known = set(taken) | ({row.id for row in before.rows} if before else set())
        found = [row for row in shown.of_user(user) if row.id not in known]
        if not found and before is None:  # a list that lacks who asks is a finding of its own (EXA-4)
            found = [row for row in target.process_list().of_user(user) if row.id not in known]
        ids = {row.id for row in found}
        several = len(ids) > 1 or not ids.isdisjoint(earlier)
        if (several or not found) and not doubt:
            doubt = True  # it asks again, in words of its own
            continue
        if not found and (shared := {row.id for row in shown.of_user(user) if _is_marked(row, mark)}):
            return Identity(shared.pop())  # another living session has this id, which is for the caller to judge
        likely = _own(found, mark, session) if several or before is not None else found
        if len(ids := {row.id for row in likely if row.number is not None}) == 1:
            return Identity(ids.pop())
        if not poll.again():
            return Identity(None, f"its SHOW PROCESSLIST shows {len(found)} rows that could be its own", bool(found))


def _own(rows: list[Row], mark: str, session: Session) -> list[Row]:
    """The rows that show the session's own words; if none shows any, those on which address and thread id agree."""
    said = [row for row in rows if _is_marked(row, mark)]
    host, number = session.local_address, str(session.handshake_id)
    return said or [row for row in rows if row.id == number and (host is None or row.get("host") == host)]


def by_address(shown: ProcessList, session: Session, user: str) -> str | None:
    """The id of a session by its own end of the connection, where HOST shows that and the user is this run's own."""
    found = [row for row in shown.of_user(user) if row.get("host") == session.local_address is not None]
    ids = {row.id for row in found if row.number is not None}
    return ids.pop() if len(ids) == 1 else None


def _new_mark() -> str:
    return f"/*{secrets.token_hex(4)}*/"


_LEAST = 10  # characters of the mark that a server which cuts INFO has to leave


def _is_marked(row: Row, mark: str) -> bool:
    info = row.get("info") or ""
    return len(info) >= _LEAST and (info.startswith(mark) or mark.startswith(info))
