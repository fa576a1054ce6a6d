"""Checks every statement that can kill sessions, right before it is sent.

The suite runs on servers with other clients, and a lenient server may read ids in many ways: it cuts at a comma, casts
``12abc`` to 12, wraps at 32 bits. A statement is sent only if each number that could be read in it is the id of one of
the suite's own sessions, or of no session, in a process list that was read immediately before.

That process list is useless if another server runs the statement, as behind a load balancer or a proxy that splits
reads from writes. Therefore two process lists are read, by the administrator and on the connection that will send the
statement. Both have to show the sender, and the session that the statement names.
"""

from __future__ import annotations

from collections.abc import Collection

from runner.database.administrator_session import TargetError
from runner.database.naming import run_mark_of
from runner.database.process_list import ProcessList, Row
from runner.database.target import Target
from runner.database.time_limits import Poll
from runner.execution.case_errors import InconclusiveError
from runner.execution.case_session import CaseSession
from runner.execution.case_sessions import CaseSessions
from runner.execution.id_readings import SIGNED_BITS, UNSIGNED_BITS, possible_ids
from runner.execution.same_server import (
    ProcessLists,
    named_on_other_server,
    read_own_process_lists,
    sender_on_other_server,
)
from runner.execution.session_ids import find_id
from runner.language.guarded_statements import shape_problem
from runner.language.model import Vocabulary

_DISCONNECTING = 2.0  # seconds after which the row of a disconnecting client is gone


def check(
    statement: str, sender: CaseSession, sessions: CaseSessions, named: Collection[str], vocabulary: Vocabulary
) -> None:
    """Checks a guarded statement.

    An id may belong to a client that is disconnecting, and a process list may lag: if the check fails, it is repeated
    for up to two seconds.

    Args:
        statement: the statement.
        sender: the session that will send it.
        sessions: the sessions of the case.
        named: the sessions whose ids the case names in it.
        vocabulary: of the register, with the words that the statement may contain.

    Raises:
        InconclusiveError: the statement must not be sent: a number in it is, or may be, the id of a session that is
            not the suite's own; it has none of the allowed shapes; or another server may run it than the one whose
            process list was read.
    """
    if sessions.target.stop_reason:
        raise InconclusiveError(f"not sent: {sessions.target.stop_reason}")
    profile = sessions.target.profile
    found = shape_problem(statement, vocabulary, profile.spelled_words, profile.spelled_routines)
    if found is not None:
        raise InconclusiveError(f"not sent: {statement!r}: {found}")
    poll = Poll(min(_DISCONNECTING, sessions.target.limits.settle))
    while (doubt := _reason_not_to_send(statement, sender, sessions, named)) is not None:
        if not poll.again():
            raise InconclusiveError(f"not sent: {doubt}")


def _reason_not_to_send(
    statement: str, sender: CaseSession, sessions: CaseSessions, named: Collection[str]
) -> str | None:
    """Reads the process lists; returns the reason why a statement must not be sent, or None if it may be."""
    try:
        administrators_list = sessions.target.process_list()
        complete = sessions.shows_others(administrators_list)
        can_read = sender.client is not None and sender.is_connected and not sender.client.busy
        own = read_own_process_lists(sender, sessions, administrators_list, complete=complete) if can_read else ()
    except TargetError as error:
        raise InconclusiveError(
            f"not sent: the process list can't be read to check the ids in the statement ({error})"
        ) from error
    lists = ProcessLists(administrators_list, complete, own)
    return (
        sender_on_other_server(sender, lists, sessions)
        or named_on_other_server(sender, lists, sessions, named)
        or _names_foreign(statement, lists, sessions)
    )


def _names_foreign(statement: str, lists: ProcessLists, sessions: CaseSessions) -> str | None:
    """The reason why a statement could be read as naming another client's session; None if it can't."""
    # After the process lists were read: a connection that is still open had its id at that time.
    own = {
        int(session.id): session
        for session in sessions.by_name.values()
        if session.id is not None and _may_be_named(session)
    }
    for number in sorted(possible_ids(statement, _widths(own))):
        session = own.get(number)
        listed = False
        for process_list in lists.all:
            rows = [row for row in process_list.rows if row.number == number]
            listed |= bool(rows)
            run_mark = sessions.target.names.run_mark
            if rows and not (
                _are_own_rows(rows, session, process_list, run_mark)
                or sessions.target.are_administrators_rows(rows)
                or _is_administrators_session(rows, sessions.target)
            ):
                doubt = f"{statement!r} could be read as naming session {number}, which is not a session of this case"
                if number == 0:  # a thread of the server itself, which doesn't disconnect
                    raise InconclusiveError(f"not sent: {doubt}")
                return doubt
        if sessions.target.facts.reuses_ids_at_once and _has_ended(number, sessions):
            raise InconclusiveError(
                f"not sent: {statement!r} names a session that has ended, and this server reuses ids at once: another "
                "client may have the id when the statement is executed"
            )
        strange = next((row for shown in lists.all for row in shown.rows if number in row.numbers_in_id), None)
        if strange is not None:
            raise InconclusiveError(
                f"not sent: {statement!r} could be read as naming {number}, and the process list has a row with the id "
                f"{strange.id!r}, which may be read as {number}, too"
            )
        if listed or lists.complete:
            continue
        if session is not None:
            _check_as_user(number, session, sessions)
        elif number != 0:
            hidden = (
                "the administrator's process list doesn't show the sessions of other users, so "
                f"the id {number} may belong to a session of another client"
            )
            fix = sessions.target.profile.fixes.get("others", "").format(
                administrator=sessions.target.dsn.account_in_statements
            )
            return f"{hidden}. To fix it: {fix}" if fix else hidden
    return None


def _has_ended(number: int, sessions: CaseSessions) -> bool:
    """Whether a number is the id of a session of the case that has ended, and of none that is connected."""
    named = [session for session in sessions.by_name.values() if session.id == str(number)]
    return bool(named) and not any(session.is_connected for session in named)


def _may_be_named(session: CaseSession) -> bool:
    """Whether a session still has its id. If other clients may log in as its user, it has to be connected."""
    return not session.gone and (session.account.exclusive or session.is_connected)


def _widths(own: Collection[int]) -> list[int]:
    """The bits of the integers that the server may have for ids: enough for the ids of the case's sessions."""
    return [*UNSIGNED_BITS, *(width for width in SIGNED_BITS if max(own, default=0) < 2**width)]


def _are_own_rows(rows: Collection[Row], session: CaseSession | None, process_list: ProcessList, run_mark: str) -> bool:
    """Whether all rows of an id are the suite's own: the session's, or of users that this process has created.

    Other clients don't know these users' passwords. The rows may be sessions of an earlier case that are still listed.
    """
    if all(run_mark_of(row.user) == run_mark for row in rows):
        return True
    if session is None:
        return False
    same_user = {row.user for row in process_list.of_user(session.account.user)}
    # If other clients may log in as this user, a second row with the id may be one of theirs.
    return all(row.user in same_user for row in rows) and (session.account.exclusive or len(rows) == 1)


def _is_administrators_session(rows: Collection[Row], target: Target) -> bool:
    """Whether an id is that of the administrator's session of the suite; its statement in the process list shows that.

    If ids are small, ``'00018'`` read as an octal number is 1, which may be that session.
    """
    found = find_id(target, target.administrator.session, target.dsn.account, (), ProcessList((), ()))
    return [row.id for row in rows] == [found.id]


def _check_as_user(number: int, session: CaseSession, sessions: CaseSessions) -> None:
    """Checks an id of the suite in the process list of a session of its user, if the administrator can't see it.

    Raises:
        InconclusiveError: the process list does not show the id.
    """
    client = session.client
    if client is not None and session.is_connected and not client.busy:
        process_list: ProcessList | None = sessions.target.process_list(client)
    else:
        process_list = sessions.read_process_list_for(session, fresh=True)
    if process_list is None or not process_list.with_id(str(number)):
        raise InconclusiveError(f"not sent: can't verify that id {number} still belongs to {session.name}")
